#include "media/cmaf_writer.h"

#include <assert.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define BUFFER_BYTES 4096
/* What the muxer may put around a fragment's samples, for an early check of its size. */
#define BOXES_MAX 4096

#define OUT_MAX ((size_t)FRAGMENT_SIZE_MAX + BOXES_MAX)

struct cmaf_writer {
    struct cmaf_config config;
    AVFormatContext *muxer;
    AVPacket *packet;
    uint8_t init[INIT_SIZE_MAX];
    size_t init_len;

    uint8_t *out; /* what the muxer wrote since the last fragment */
    size_t out_len, out_capacity;
    bool out_failed;

    unsigned pending; /* samples in the muxer */
    size_t pending_bytes;
    int64_t first_pts, next_pts;
    bool random_access;     /* of the first */
    bool all_random_access; /* of all: sound */
    uint64_t capture_us;
};

static int take_output(void *opaque, uint8_t *data, int size) {
    struct cmaf_writer *w = opaque;
    size_t len = (size_t)size;
    if (w->out_len + len > w->out_capacity) {
        size_t capacity = size_max(size_min(w->out_capacity * 2, OUT_MAX), w->out_len + len);
        uint8_t *out = capacity > OUT_MAX ? NULL : realloc(w->out, capacity);
        if (out == NULL) {
            w->out_failed = true;
            return AVERROR(ENOMEM);
        }
        w->out = out;
        w->out_capacity = capacity;
    }
    memcpy(w->out + w->out_len, data, len);
    w->out_len += len;
    return size;
}

static int open_output(struct cmaf_writer *w) {
    uint8_t *buffer = av_malloc(BUFFER_BYTES);
    if (buffer == NULL) return ERR_MEMORY;
    w->muxer->pb = avio_alloc_context(buffer, BUFFER_BYTES, 1, w, NULL, take_output, NULL);
    if (w->muxer->pb == NULL) {
        av_free(buffer);
        return ERR_MEMORY;
    }
    return 0;
}

static int add_stream(struct cmaf_writer *w) {
    AVStream *stream = avformat_new_stream(w->muxer, NULL);
    if (stream == NULL) return ERR_MEMORY;
    stream->id = w->config.track + 1;
    stream->time_base = (AVRational){1, (int)w->config.timescale};
    if (avcodec_parameters_copy(stream->codecpar, w->config.codec) < 0) return ERR_MEMORY;
    stream->codecpar->codec_tag = 0;
    return 0;
}

static int write_header(struct cmaf_writer *w) {
    AVDictionary *options = NULL;
    /* skip_trailer: no index of the fragments is kept. */
    av_dict_set(&options, "movflags", "+cmaf+frag_custom+empty_moov+default_base_moof+skip_trailer",
                0);
    av_dict_set(&options, "use_stream_ids_as_track_ids", "1", 0);
    av_dict_set(&options, "use_editlist", "0", 0);
    av_dict_set_int(&options, "video_track_timescale", w->config.timescale, 0);
    w->muxer->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    w->muxer->flags |= AVFMT_FLAG_BITEXACT; /* no name and version of the muxer in each segment */
    int err = avformat_write_header(w->muxer, &options);
    av_dict_free(&options);
    if (err < 0) return err == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_UNSUPPORTED;

    avio_flush(w->muxer->pb);
    if (w->out_failed || w->out_len > sizeof w->init) return ERR_UNSUPPORTED;
    memcpy(w->init, w->out, w->out_len);
    w->init_len = w->out_len;
    w->out_len = 0;
    return w->muxer->streams[0]->time_base.den == (int)w->config.timescale ? 0 : ERR_UNSUPPORTED;
}

int cmaf_writer_open(struct cmaf_writer **ret, const struct cmaf_config *config) {
    struct cmaf_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return ERR_MEMORY;
    w->config = *config;
    w->next_pts = INT64_MIN;
    int err = ERR_MEMORY;
    if (avformat_alloc_output_context2(&w->muxer, NULL, "mp4", NULL) < 0) goto fail;
    w->packet = av_packet_alloc();
    if (w->packet == NULL) goto fail;
    err = open_output(w);
    if (err == 0) err = add_stream(w);
    if (err == 0) err = write_header(w);
    if (err) goto fail;
    w->config.codec = NULL; /* the caller's; no longer needed */
    *ret = w;
    return 0;
fail:
    cmaf_writer_free(w);
    return err;
}

void cmaf_writer_free(struct cmaf_writer *w) {
    if (w == NULL) return;
    if (w->muxer != NULL) {
        /* Frees what the muxer holds for samples that were never cut. */
        if (w->init_len > 0) (void)av_write_trailer(w->muxer);
        if (w->muxer->pb != NULL) av_freep(&w->muxer->pb->buffer);
        avio_context_free(&w->muxer->pb);
        avformat_free_context(w->muxer);
    }
    av_packet_free(&w->packet);
    free(w->out);
    free(w);
}

const uint8_t *cmaf_writer_init_segment(const struct cmaf_writer *w, size_t *ret_len) {
    *ret_len = w->init_len;
    return w->init;
}

static uint64_t to_us(const struct cmaf_writer *w, int64_t time) {
    return (uint64_t)av_rescale(time, (int64_t)US_PER_S, w->config.timescale);
}

static int emit(struct cmaf_writer *w, size_t len, bool end) {
    struct fragment *f = fragment_new(len);
    if (f == NULL) return ERR_MEMORY;
    f->track = w->config.track;
    f->end = end;
    f->random_access = !end && w->random_access;
    int64_t pts = !end ? w->first_pts : w->next_pts == INT64_MIN ? 0 : w->next_pts;
    f->pts_us = to_us(w, pts);
    f->duration_us = end ? 0 : (uint32_t)(to_us(w, w->next_pts) - f->pts_us);
    f->capture_us = w->capture_us;
    if (len > 0) memcpy(f->data, w->out, len);
    w->config.emit(w->config.owner, f);
    return 0;
}

int cmaf_writer_flush(struct cmaf_writer *w) {
    if (w->pending == 0) return 0;
    int err = av_write_frame(w->muxer, NULL);
    avio_flush(w->muxer->pb);
    size_t len = w->out_len;
    w->out_len = 0;
    w->pending = 0;
    w->pending_bytes = 0;
    if (w->out_failed || len > FRAGMENT_SIZE_MAX) {
        w->out_failed = false;
        return ERR_RANGE;
    }
    if (err < 0) return err == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_SYSTEM;
    return emit(w, len, false);
}

static int write_sample(struct cmaf_writer *w, const struct cmaf_sample *sample) {
    AVPacket *p = w->packet;
    av_packet_unref(p);
    if (av_new_packet(p, (int)sample->len) < 0) return ERR_MEMORY;
    memcpy(p->data, sample->data, sample->len);
    p->pts = p->dts = sample->pts;
    p->duration = sample->duration;
    if (sample->random_access) p->flags |= AV_PKT_FLAG_KEY;
    int err = av_write_frame(w->muxer, p);
    av_packet_unref(p);
    if (err < 0) return err == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_SYSTEM;
    return 0;
}

int cmaf_writer_add(struct cmaf_writer *w, const struct cmaf_sample *sample) {
    assert(sample->duration >= 1);
    if (sample->len > FRAGMENT_SIZE_MAX - BOXES_MAX || sample->pts < 0 || sample->pts < w->next_pts)
        return ERR_RANGE;
    /* A hole ends a fragment too: the time of each sample in it is the sum of those before. */
    bool hole = sample->pts != w->next_pts;
    int err = 0;
    if ((sample->random_access && !w->all_random_access) || hole ||
        w->pending_bytes + sample->len > FRAGMENT_SIZE_MAX - BOXES_MAX)
        err = cmaf_writer_flush(w);
    if (err) return err;
    if (w->pending == 0) {
        w->first_pts = sample->pts;
        w->random_access = w->all_random_access = sample->random_access;
        w->capture_us = sample->capture_us;
    }
    /* The muxer counts on from the last fragment's end, if it is not told otherwise. */
    if (hole) av_opt_set(w->muxer->priv_data, "movflags", "+frag_discont", 0);
    err = write_sample(w, sample);
    if (err) return err;
    w->pending++;
    w->all_random_access = w->all_random_access && sample->random_access;
    w->pending_bytes += sample->len;
    w->next_pts = sample->pts + sample->duration;
    if (w->pending_bytes >= w->config.fragment_bytes ||
        to_us(w, w->next_pts - w->first_pts) >= w->config.fragment_us)
        return cmaf_writer_flush(w);
    return 0;
}

int cmaf_writer_end(struct cmaf_writer *w) {
    int err = cmaf_writer_flush(w);
    return err ? err : emit(w, 0, true);
}
