#include "media/decoder.h"

#include "core/base/err.h"

#define FPS_DEFAULT 30

/* The text modes that libavformat would draw: a .txt file is no video. */
static bool is_text(enum AVCodecID id) {
    return id == AV_CODEC_ID_ANSI || id == AV_CODEC_ID_BINTEXT || id == AV_CODEC_ID_XBIN ||
           id == AV_CODEC_ID_IDF;
}

AVStream *decoder_find_stream(AVFormatContext *format, enum AVMediaType type) {
    AVStream *found = NULL;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *s = format->streams[i];
        const AVCodecParameters *p = s->codecpar;
        bool usable = p->codec_type == type && !is_text(p->codec_id) &&
                      (s->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0;
        usable = usable &&
                 (type == AVMEDIA_TYPE_VIDEO ? p->width > 0 && p->height > 0 : p->sample_rate > 0);
        if (!usable) continue;
        bool preferred = (s->disposition & AV_DISPOSITION_DEFAULT) != 0;
        if (found == NULL || (preferred && (found->disposition & AV_DISPOSITION_DEFAULT) == 0))
            found = s;
    }
    return found;
}

/* The average, halved until it is no more than SOURCE_FPS_MAX, in numbers of 16 bits. */
static AVRational usable_rate(AVRational rate) {
    if (rate.num <= 0 || rate.den <= 0) return (AVRational){FPS_DEFAULT, 1};
    double fps = av_q2d(rate);
    if (fps < 1 || fps > 100 * SOURCE_FPS_MAX) return (AVRational){FPS_DEFAULT, 1};
    int64_t den = rate.den;
    for (; fps > SOURCE_FPS_MAX + 0.001; fps /= 2) den *= 2;
    AVRational ret;
    av_reduce(&ret.num, &ret.den, rate.num, den, UINT16_MAX);
    return ret;
}

int decoder_open(struct decoder *d, AVFormatContext *format, AVStream *stream, bool live) {
    *d = (struct decoder){.stream = stream};
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (codec == NULL) return ERR_UNSUPPORTED;
    d->codec = avcodec_alloc_context3(codec);
    d->frame = av_frame_alloc();
    if (d->codec == NULL || d->frame == NULL) return ERR_MEMORY;
    if (avcodec_parameters_to_context(d->codec, stream->codecpar) < 0) return ERR_MEMORY;
    d->codec->pkt_timebase = stream->time_base;
    d->codec->thread_count = 0; /* as many as there are cores */
    if (live) {
        d->codec->thread_type = FF_THREAD_SLICE;
        d->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    }
    if (avcodec_open2(d->codec, codec, NULL) < 0) return ERR_UNSUPPORTED;
    d->rate = usable_rate(av_guess_frame_rate(format, stream, NULL));
    return 0;
}

void decoder_close(struct decoder *d) {
    avcodec_free_context(&d->codec);
    av_frame_free(&d->frame);
}

void decoder_describe_video(const struct decoder *d, struct input_video *ret) {
    const AVCodecParameters *p = d->stream->codecpar;
    AVRational aspect = d->stream->sample_aspect_ratio;
    if (aspect.num <= 0) aspect = p->sample_aspect_ratio;
    *ret = (struct input_video){
        .present = true,
        .width = (unsigned)p->width,
        .height = (unsigned)p->height,
        .pixel_aspect = aspect,
        .fps = d->rate,
        .colour_primaries = (int)p->color_primaries,
        .colour_transfer = (int)p->color_trc,
        .colour_matrix = (int)p->color_space,
    };
    /* libswscale makes BT.601 of red, green and blue, and says so of nothing. */
    if (p->color_space == AVCOL_SPC_RGB) ret->colour_matrix = AVCOL_SPC_SMPTE170M;
}

void decoder_describe_audio(const struct decoder *d, struct input_audio *ret) {
    int channels = d->stream->codecpar->ch_layout.nb_channels;
    *ret = (struct input_audio){.present = true, .channels = channels == 1 ? 1 : 2};
}

int decoder_receive(struct decoder *d, struct timeline *timeline, int64_t *ret_us,
                    _Atomic uint64_t *errors) {
    AVFrame *f = d->frame;
    int err;
    while ((err = avcodec_receive_frame(d->codec, f)) < 0) {
        if (err == AVERROR(EAGAIN)) return ERR_NOT_FOUND;
        if (err == AVERROR_EOF) return ERR_END;
        (*errors)++;
        return ERR_NOT_FOUND;
    }
    int64_t us = TIMELINE_NO_TIME;
    if (f->best_effort_timestamp != AV_NOPTS_VALUE)
        us = av_rescale_q(f->best_effort_timestamp, d->stream->time_base, AV_TIME_BASE_Q);
    uint64_t duration_us = US_PER_S * (unsigned)d->rate.den / (unsigned)d->rate.num;
    if (d->codec->codec_type == AVMEDIA_TYPE_AUDIO && f->sample_rate > 0)
        duration_us = US_PER_S * (unsigned)f->nb_samples / (unsigned)f->sample_rate;
    *ret_us = timeline_map(timeline, &d->track, us, duration_us);
    return 0;
}

void decoder_send(struct decoder *d, const AVPacket *packet, _Atomic uint64_t *errors) {
    /* Damaged packets are the input's matter: what can be decoded is. */
    if (avcodec_send_packet(d->codec, packet) < 0 && packet != NULL) (*errors)++;
}

void decoder_restart(struct decoder *d) {
    avcodec_flush_buffers(d->codec);
    timeline_track_rejoin(&d->track);
}
