#include "tests/lib/test_media.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUDIO_RATE 48000
#define AUDIO_FRAMES_IN_FRAGMENT 5 /* 107 ms */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* One track's encoder and muxer; what the muxer writes gathers in `bytes`. */
struct maker {
    struct test_media *media;
    uint8_t track;
    uint64_t start_us;
    AVCodecContext *encoder;
    AVFormatContext *mux;
    uint8_t *bytes;
    size_t len;
    unsigned frames; /* in the fragment that is being made */
    bool keyframe;
    int64_t first_pts, duration;
};

static int gather(void *opaque, uint8_t *data, int len) {
    struct maker *m = opaque;
    m->bytes = realloc(m->bytes, m->len + (size_t)len);
    CHECK(m->bytes != NULL);
    memcpy(m->bytes + m->len, data, (size_t)len);
    m->len += (size_t)len;
    return len;
}

static void open_muxer(struct maker *m) {
    CHECK(avformat_alloc_output_context2(&m->mux, NULL, "mp4", NULL) >= 0);
    AVStream *s = avformat_new_stream(m->mux, NULL);
    CHECK(s != NULL && avcodec_parameters_from_context(s->codecpar, m->encoder) >= 0);
    s->time_base = m->encoder->time_base;
    m->mux->pb = avio_alloc_context(av_malloc(4096), 4096, 1, m, NULL, gather, NULL);
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "cmaf+frag_custom+empty_moov+default_base_moof", 0);
    CHECK(avformat_write_header(m->mux, &options) >= 0);
    av_dict_free(&options);
    av_write_frame(m->mux, NULL);
    avio_flush(m->mux->pb);
    struct track *t = &m->media->tracks[m->track];
    CHECK(m->len > 0 && m->len <= INIT_SIZE_MAX);
    memcpy(t->init, m->bytes, m->len);
    t->init_len = (uint16_t)m->len;
    m->len = 0;
}

/* libavformat starts each track at 0: moves the fragment's decode time (tfdt, version 1). */
static void shift(struct fragment *f, uint64_t ticks) {
    for (size_t i = 4; i + 16 <= f->len; i++) {
        if (memcmp(f->data + i, "tfdt", 4) != 0) continue;
        CHECK(f->data[i + 4] == 1);
        uint64_t v = 0;
        for (size_t k = 0; k < 8; k++) v = v << 8 | f->data[i + 8 + k];
        v += ticks;
        for (size_t k = 0; k < 8; k++) f->data[i + 8 + k] = (uint8_t)(v >> (56 - 8 * k));
        return;
    }
    CHECK(f == NULL); /* a fragment without a tfdt */
}

static void cut(struct maker *m) {
    if (m->frames == 0) return;
    AVStream *s = m->mux->streams[0];
    av_write_frame(m->mux, NULL);
    avio_flush(m->mux->pb);
    CHECK(m->len > 0 && m->media->len < TEST_MEDIA_FRAGMENTS_MAX);
    struct fragment *f = fragment_new(m->len);
    CHECK(f != NULL);
    memcpy(f->data, m->bytes, m->len);
    uint64_t scale = (uint64_t)s->time_base.den;
    shift(f, m->start_us * scale / US_PER_S);
    f->track = m->track;
    f->random_access = m->keyframe;
    f->pts_us = m->start_us + (uint64_t)m->first_pts * US_PER_S / scale;
    f->duration_us = (uint32_t)((uint64_t)m->duration * US_PER_S / scale);
    f->capture_us = f->pts_us;
    m->media->fragments[m->media->len++] = f;
    m->len = 0;
    m->frames = 0;
}

static void take_packets(struct maker *m, unsigned frames_in_fragment) {
    AVPacket *p = av_packet_alloc();
    CHECK(p != NULL);
    while (avcodec_receive_packet(m->encoder, p) >= 0) {
        AVStream *s = m->mux->streams[0];
        /* The encoder's priming starts below 0. */
        p->pts += m->encoder->initial_padding;
        p->dts += m->encoder->initial_padding;
        p->stream_index = 0;
        if (p->duration == 0) p->duration = 1;
        av_packet_rescale_ts(p, m->encoder->time_base, s->time_base);
        if (m->frames == 0) {
            m->first_pts = p->pts;
            m->duration = 0;
            m->keyframe = (p->flags & AV_PKT_FLAG_KEY) != 0;
        }
        m->duration += p->duration;
        CHECK(av_write_frame(m->mux, p) >= 0);
        if (++m->frames == frames_in_fragment) cut(m);
    }
    av_packet_free(&p);
}

static void release(struct maker *m) {
    av_write_trailer(m->mux);
    av_freep(&m->mux->pb->buffer);
    avio_context_free(&m->mux->pb);
    avformat_free_context(m->mux);
    avcodec_free_context(&m->encoder);
    free(m->bytes);
}

static void paint(AVFrame *f, unsigned at, unsigned shade) {
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            f->data[0][y * f->linesize[0] + x] =
                (uint8_t)((unsigned)(x * 2 + y) + at * 3 + shade * 40 +
                          ((unsigned)(x * y) * 2654435761u >> 29));
    for (int plane = 1; plane < 3; plane++)
        for (int y = 0; y < f->height / 2; y++)
            memset(f->data[plane] + y * f->linesize[plane],
                   (int)((at * 2 + shade * 60 + (unsigned)y + (plane == 1 ? 90 : 150)) & 0xff),
                   (size_t)f->width / 2);
}

/* Profile, constraints and level stand behind the version of the avcC (RFC 6381, 3.3). */
static void name_codec(struct track *t) {
    const uint8_t *avcc = memmem(t->init, t->init_len, "avcC", 4);
    CHECK(avcc != NULL);
    snprintf(t->codec, sizeof t->codec, "avc1.%02x%02x%02x", avcc[5], avcc[6], avcc[7]);
}

static AVCodecContext *open_video_encoder(const struct test_media_config *c) {
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    CHECK(codec != NULL);
    AVCodecContext *e = avcodec_alloc_context3(codec);
    e->width = c->width;
    e->height = c->height;
    e->pix_fmt = AV_PIX_FMT_YUV420P;
    e->time_base = (AVRational){1, (int)c->fps};
    e->framerate = (AVRational){(int)c->fps, 1};
    e->gop_size = (int)c->keyint;
    e->max_b_frames = (int)c->bframes;
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    e->thread_count = 1;
    av_opt_set(e->priv_data, "preset", "ultrafast", 0);
    av_opt_set(e->priv_data, "x264-params", c->bframes ? "scenecut=0:b-adapt=0" : "scenecut=0", 0);
    CHECK(avcodec_open2(e, codec, NULL) >= 0);
    return e;
}

static void make_video(struct test_media *media, const struct test_media_config *c) {
    struct maker m = {
        .media = media, .track = (uint8_t)media->tracks_len++, .start_us = c->start_us};
    AVCodecContext *e = m.encoder = open_video_encoder(c);
    struct track *t = &media->tracks[m.track];
    *t = (struct track){.kind = TRACK_VIDEO,
                        .bitrate_bps = 1000000,
                        .width = c->width,
                        .height = c->height,
                        .fps_num = (uint16_t)c->fps,
                        .fps_den = 1};
    open_muxer(&m);
    name_codec(t);
    AVFrame *f = av_frame_alloc();
    f->format = e->pix_fmt;
    f->width = e->width;
    f->height = e->height;
    CHECK(av_frame_get_buffer(f, 0) >= 0);
    for (unsigned i = 0; i < c->frames; i++) {
        CHECK(av_frame_make_writable(f) >= 0);
        paint(f, i, c->shade);
        f->pts = i;
        CHECK(avcodec_send_frame(e, f) >= 0);
        take_packets(&m, 1);
    }
    CHECK(avcodec_send_frame(e, NULL) >= 0);
    take_packets(&m, 1);
    av_frame_free(&f);
    release(&m);
}

static AVCodecContext *open_audio_encoder(void) {
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    CHECK(codec != NULL);
    AVCodecContext *e = avcodec_alloc_context3(codec);
    e->sample_rate = AUDIO_RATE;
    e->sample_fmt = AV_SAMPLE_FMT_FLTP;
    e->bit_rate = 96000;
    e->time_base = (AVRational){1, AUDIO_RATE};
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&e->ch_layout, 2);
    CHECK(avcodec_open2(e, codec, NULL) >= 0);
    return e;
}

static void make_audio(struct test_media *media, const struct test_media_config *c) {
    struct maker m = {
        .media = media, .track = (uint8_t)media->tracks_len++, .start_us = c->start_us};
    AVCodecContext *e = m.encoder = open_audio_encoder();
    struct track *t = &media->tracks[m.track];
    *t = (struct track){.kind = TRACK_AUDIO,
                        .codec = "mp4a.40.2",
                        .bitrate_bps = 96000,
                        .sample_rate = AUDIO_RATE,
                        .channels = 2};
    open_muxer(&m);
    AVFrame *f = av_frame_alloc();
    f->format = e->sample_fmt;
    f->nb_samples = e->frame_size;
    f->sample_rate = AUDIO_RATE;
    av_channel_layout_copy(&f->ch_layout, &e->ch_layout);
    CHECK(av_frame_get_buffer(f, 0) >= 0);
    unsigned total = (unsigned)((uint64_t)c->frames * AUDIO_RATE / c->fps);
    for (unsigned at = 0; at < total; at += (unsigned)e->frame_size) {
        CHECK(av_frame_make_writable(f) >= 0);
        for (int i = 0; i < f->nb_samples; i++) {
            float v = 0.2f * sinf(2 * 3.14159265f * 440 * (float)(at + (unsigned)i) / AUDIO_RATE);
            ((float *)(void *)f->data[0])[i] = v;
            ((float *)(void *)f->data[1])[i] = v;
        }
        f->pts = at;
        CHECK(avcodec_send_frame(e, f) >= 0);
        take_packets(&m, AUDIO_FRAMES_IN_FRAGMENT);
    }
    CHECK(avcodec_send_frame(e, NULL) >= 0);
    take_packets(&m, AUDIO_FRAMES_IN_FRAGMENT);
    cut(&m);
    av_frame_free(&f);
    release(&m);
}

/* A fragment is published when its last frame has been captured. Stable: a track keeps its
 * (decoding) order. */
static uint64_t published_us(const struct fragment *f) { return f->pts_us + f->duration_us; }

static void order(struct test_media *m) {
    size_t video = 0;
    while (video < m->len && m->fragments[video]->track == 0) video++;
    size_t a = 0, b = video, n = 0;
    struct fragment **merged = calloc(m->len + 1, sizeof *merged);
    CHECK(merged != NULL);
    uint64_t newest = 0;
    while (a < video || b < m->len) {
        bool first = b == m->len;
        if (a < video) newest = u64_max(newest, published_us(m->fragments[a]));
        if (a < video && b < m->len) first = newest <= published_us(m->fragments[b]);
        merged[n++] = first ? m->fragments[a++] : m->fragments[b++];
    }
    memcpy(m->fragments, merged, n * sizeof *merged);
    free(merged);
}

struct test_media *test_media_new(const struct test_media_config *config) {
    struct test_media_config c = *config;
    if (c.frames == 0) c.frames = 75;
    if (c.fps == 0) c.fps = 25;
    if (c.keyint == 0) c.keyint = 25;
    if (c.width == 0) c.width = 320;
    if (c.height == 0) c.height = 180;
    av_log_set_level(AV_LOG_QUIET);
    struct test_media *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    if (!c.no_video) make_video(m, &c);
    if (!c.no_audio) make_audio(m, &c);
    if (m->tracks_len == 2) order(m);
    return m;
}

void test_media_free(struct test_media *m) {
    if (m == NULL) return;
    for (size_t i = 0; i < m->len; i++) fragment_unref(m->fragments[i]);
    free(m);
}

void test_media_write_file(const struct test_media *m, enum track_kind kind, const char *path) {
    FILE *out = fopen(path, "wb");
    CHECK(out != NULL);
    for (size_t t = 0; t < m->tracks_len; t++) {
        if (m->tracks[t].kind != kind) continue;
        CHECK(fwrite(m->tracks[t].init, m->tracks[t].init_len, 1, out) == 1);
        for (size_t i = 0; i < m->len; i++)
            if (m->fragments[i]->track == t)
                CHECK(fwrite(m->fragments[i]->data, m->fragments[i]->len, 1, out) == 1);
    }
    CHECK(fclose(out) == 0);
}

size_t test_media_find(const struct test_media *m, enum track_kind kind, size_t from,
                       bool random_access) {
    for (size_t i = from; i < m->len; i++) {
        const struct fragment *f = m->fragments[i];
        if (m->tracks[f->track].kind == kind && (!random_access || f->random_access)) return i;
    }
    return m->len;
}
