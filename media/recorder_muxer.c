#include "media/recorder_muxer.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/proto/manifest.h"
#include "media/h264_sps.h"

#define IO_BUFFER_BYTES 32768
#define STREAMS_MAX 2

struct recorder_muxer {
    struct output *output;
    AVFormatContext *format;
    AVPacket *packet;
    bool has_header;
    int err; /* the output's first error, which sticks */
    struct {
        AVRational time_base; /* of the track */
        int64_t last_dts;     /* in the stream's time base */
    } streams[STREAMS_MAX];
};

static const char *const format_names[] = {
    [CONTAINER_TS] = "mpegts", [CONTAINER_MP4] = "mp4", [CONTAINER_MKV] = "matroska"};

static int write_bytes_out(void *opaque, uint8_t *data, int len) {
    struct recorder_muxer *m = opaque;
    if (!m->err) m->err = output_write(m->output, data, (size_t)len);
    return m->err ? AVERROR(EIO) : len;
}

static int64_t seek_out(void *opaque, int64_t offset, int whence) {
    struct recorder_muxer *m = opaque;
    if (whence & AVSEEK_SIZE) return AVERROR(ENOSYS);
    off_t at = lseek(m->output->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

static int set_config(AVCodecParameters *par, const struct cmaf_track *t) {
    par->extradata = av_mallocz(t->config_len + AV_INPUT_BUFFER_PADDING_SIZE);
    if (par->extradata == NULL) return ERR_MEMORY;
    memcpy(par->extradata, t->config, t->config_len);
    par->extradata_size = t->config_len;
    return 0;
}

static int set_parameters(AVCodecParameters *par, const struct cmaf_track *t) {
    if (t->kind == TRACK_VIDEO) {
        int reorder = h264_reorder_frames(t->config, t->config_len);
        if (reorder < 0) return reorder;
        par->codec_type = AVMEDIA_TYPE_VIDEO;
        par->codec_id = AV_CODEC_ID_H264;
        par->format = AV_PIX_FMT_YUV420P;
        par->width = t->width;
        par->height = t->height;
        par->video_delay = reorder;
    } else {
        par->codec_type = AVMEDIA_TYPE_AUDIO;
        par->codec_id = AV_CODEC_ID_AAC;
        par->format = AV_SAMPLE_FMT_FLTP;
        par->sample_rate = (int)t->sample_rate;
        par->frame_size = 1024;
        av_channel_layout_default(&par->ch_layout, t->channels);
    }
    return set_config(par, t);
}

static int add_stream(struct recorder_muxer *m, const struct cmaf_track *t) {
    AVStream *s = avformat_new_stream(m->format, NULL);
    if (s == NULL) return ERR_MEMORY;
    AVRational base = {1, (int)t->timescale};
    s->time_base = base;
    m->streams[s->index].time_base = base;
    m->streams[s->index].last_dts = INT64_MIN;
    return set_parameters(s->codecpar, t);
}

static int set_io(struct recorder_muxer *m) {
    uint8_t *buffer = av_malloc(IO_BUFFER_BYTES);
    if (buffer == NULL) return ERR_MEMORY;
    bool seekable = m->output->is_regular && m->output->container == CONTAINER_MKV;
    m->format->pb = avio_alloc_context(buffer, IO_BUFFER_BYTES, 1, m, NULL, write_bytes_out,
                                       seekable ? seek_out : NULL);
    if (m->format->pb == NULL) {
        av_free(buffer);
        return ERR_MEMORY;
    }
    if (!seekable) m->format->pb->seekable = 0;
    m->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
    /* Our times start at 0 and are not to be moved again. */
    m->format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    return 0;
}

static int write_header(struct recorder_muxer *m, bool continues) {
    AVDictionary *options = NULL;
    switch (m->output->container) {
    case CONTAINER_TS:
        /* Each audio frame at once; tables twice a second are 9 kb/s. */
        av_dict_set(&options, "pes_payload_size", "0", 0);
        av_dict_set(&options, "pat_period", "0.5", 0);
        if (continues) av_dict_set(&options, "mpegts_flags", "+initial_discontinuity", 0);
        break;
    case CONTAINER_MP4:
        av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
        av_dict_set_int(&options, "frag_duration", MUXER_FRAGMENT_US, 0);
        av_dict_set_int(&options, "frag_size", MUXER_FRAGMENT_BYTES, 0);
        break;
    case CONTAINER_MKV:
        av_dict_set_int(&options, "cluster_time_limit", MUXER_FRAGMENT_US / 1000, 0);
        av_dict_set_int(&options, "cluster_size_limit", MUXER_FRAGMENT_BYTES, 0);
        break;
    }
    int n = avformat_write_header(m->format, &options);
    av_dict_free(&options);
    m->has_header = n >= 0;
    if (n >= 0) avio_flush(m->format->pb);
    if (m->err) return m->err;
    return n == AVERROR(ENOMEM) ? ERR_MEMORY : n < 0 ? ERR_FORMAT : 0;
}

int recorder_muxer_open(struct recorder_muxer **ret, struct output *o,
                        const struct cmaf_track *tracks, size_t tracks_len, bool continues) {
    if (tracks_len == 0 || tracks_len > STREAMS_MAX) return ERR_ARGUMENT;
    struct recorder_muxer *m = calloc(1, sizeof *m);
    if (m == NULL) return ERR_MEMORY;
    m->output = o;
    m->packet = av_packet_alloc();
    avformat_alloc_output_context2(&m->format, NULL, format_names[o->container], NULL);
    int err = m->packet == NULL || m->format == NULL ? ERR_MEMORY : set_io(m);
    for (size_t i = 0; i < tracks_len && !err; i++) err = add_stream(m, &tracks[i]);
    if (!err) err = write_header(m, continues);
    if (err)
        recorder_muxer_free(m);
    else
        *ret = m;
    return err;
}

/* libavformat and its filters may read a little past the end, and change what they read. */
static int copy_payload(AVPacket *packet, const struct muxer_packet *p) {
    if (av_new_packet(packet, (int)p->len) < 0) return ERR_MEMORY;
    memcpy(packet->data, p->data, p->len);
    packet->stream_index = (int)p->stream;
    packet->flags = p->keyframe ? AV_PKT_FLAG_KEY : 0;
    packet->dts = p->dts;
    packet->pts = p->pts;
    packet->duration = p->duration;
    return 0;
}

int recorder_muxer_write(struct recorder_muxer *m, const struct muxer_packet *p) {
    if (m->err) return m->err;
    AVStream *s = m->format->streams[p->stream];
    int err = copy_payload(m->packet, p);
    if (err) return err;
    av_packet_rescale_ts(m->packet, m->streams[p->stream].time_base, s->time_base);
    int64_t dts = m->packet->dts;
    if (dts < 0 || dts <= m->streams[p->stream].last_dts || m->packet->pts < dts) {
        av_packet_unref(m->packet);
        return ERR_STALE;
    }
    int n = av_write_frame(m->format, m->packet);
    av_packet_unref(m->packet);
    if (m->err) return m->err;
    if (n < 0) return n == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_FORMAT;
    m->streams[p->stream].last_dts = dts;
    return 0;
}

int recorder_muxer_finish(struct recorder_muxer *m) {
    if (!m->has_header) return m->err;
    int n = av_write_trailer(m->format);
    m->has_header = false;
    avio_flush(m->format->pb);
    if (m->err) return m->err;
    return n < 0 ? ERR_SYSTEM : 0;
}

void recorder_muxer_free(struct recorder_muxer *m) {
    if (m == NULL) return;
    /* A muxer that was begun gives its memory back only through its trailer: nothing of it is
     * written any more. */
    if (m->has_header) {
        if (!m->err) m->err = ERR_END;
        av_write_trailer(m->format);
    }
    if (m->format != NULL && m->format->pb != NULL) {
        av_freep(&m->format->pb->buffer);
        avio_context_free(&m->format->pb);
    }
    avformat_free_context(m->format);
    av_packet_free(&m->packet);
    free(m);
}
