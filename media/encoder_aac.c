#include "media/encoder_aac.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

struct encoder_aac {
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
};

static int open_codec(struct encoder_aac *e, unsigned sample_rate, unsigned channels,
                      uint32_t bitrate_bps) {
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == NULL) return ERR_UNSUPPORTED;
    AVCodecContext *c = e->codec = avcodec_alloc_context3(codec);
    if (c == NULL) return ERR_MEMORY;
    c->sample_fmt = AV_SAMPLE_FMT_FLTP;
    c->sample_rate = (int)sample_rate;
    c->time_base = (AVRational){1, c->sample_rate};
    c->bit_rate = bitrate_bps;
    c->profile = FF_PROFILE_AAC_LOW;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&c->ch_layout, (int)channels);
    if (avcodec_open2(c, codec, NULL) < 0 || c->frame_size != (int)AUDIO_BLOCK)
        return ERR_UNSUPPORTED;
    return 0;
}

static int open_frame(struct encoder_aac *e) {
    e->packet = av_packet_alloc();
    AVFrame *f = e->frame = av_frame_alloc();
    if (f == NULL || e->packet == NULL) return ERR_MEMORY;
    f->format = e->codec->sample_fmt;
    f->sample_rate = e->codec->sample_rate;
    f->nb_samples = (int)AUDIO_BLOCK;
    if (av_channel_layout_copy(&f->ch_layout, &e->codec->ch_layout) < 0) return ERR_MEMORY;
    return av_frame_get_buffer(f, 0) < 0 ? ERR_MEMORY : 0;
}

int encoder_aac_open(struct encoder_aac **ret, unsigned sample_rate, unsigned channels,
                     uint32_t bitrate_bps) {
    struct encoder_aac *e = calloc(1, sizeof *e);
    if (e == NULL) return ERR_MEMORY;
    int err = open_codec(e, sample_rate, channels, bitrate_bps);
    if (!err) err = open_frame(e);
    if (err) {
        encoder_aac_free(e);
        return err;
    }
    *ret = e;
    return 0;
}

void encoder_aac_free(struct encoder_aac *e) {
    if (e == NULL) return;
    avcodec_free_context(&e->codec);
    av_frame_free(&e->frame);
    av_packet_free(&e->packet);
    free(e);
}

AVCodecParameters *encoder_aac_parameters(const struct encoder_aac *e) {
    AVCodecParameters *p = avcodec_parameters_alloc();
    if (p == NULL || avcodec_parameters_from_context(p, e->codec) < 0) {
        avcodec_parameters_free(&p);
        return NULL;
    }
    /* The times of the packets account for it; the muxer must not once more. */
    p->initial_padding = 0;
    return p;
}

static int hand_out(struct encoder_aac *e, encoded_sound_taker *take, void *owner) {
    for (;;) {
        int err = avcodec_receive_packet(e->codec, e->packet);
        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF) return 0;
        if (err < 0) return err == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_SYSTEM;
        /* libavcodec has already taken the encoder's delay off the time. */
        struct encoded_sound sound = {
            .data = e->packet->data, .len = (size_t)e->packet->size, .pts = e->packet->pts};
        int taken = sound.pts < 0 || sound.len == 0 ? 0 : take(owner, &sound);
        av_packet_unref(e->packet);
        if (taken) return taken;
    }
}

int encoder_aac_encode(struct encoder_aac *e, const struct audio_block *block,
                       encoded_sound_taker *take, void *owner) {
    if (block != NULL) {
        /* The encoder may still hold the last block's buffer. */
        if (av_frame_make_writable(e->frame) < 0) return ERR_MEMORY;
        for (int c = 0; c < e->codec->ch_layout.nb_channels; c++)
            memcpy(e->frame->extended_data[c], block->samples[c], sizeof block->samples[c]);
        e->frame->pts = block->pts;
    }
    int err = avcodec_send_frame(e->codec, block != NULL ? e->frame : NULL);
    if (err < 0) return err == AVERROR(ENOMEM) ? ERR_MEMORY : ERR_SYSTEM;
    return hand_out(e, take, owner);
}
