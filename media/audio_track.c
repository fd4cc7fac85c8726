#include "media/audio_track.h"

#include <libavutil/mathematics.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/audio_resampler.h"
#include "media/cmaf_writer.h"
#include "media/encoder_aac.h"
#include "media/rate_meter.h"

struct audio_track {
    struct audio_resampler resampler;
    struct encoder_aac *encoder;
    struct cmaf_writer *writer;
    struct fragment_queue *out;
    bool lossless;
    /* UTC minus the timeline's time, of the frame that was added last: what the encoder gives out
     * is of that frame or a few before it, which lie as far apart in both. */
    uint64_t capture_offset_us;

    pthread_mutex_t lock; /* of the meter */
    struct rate_meter meter;
};

static void take_fragment(void *owner, struct fragment *f) {
    struct audio_track *a = owner;
    pthread_mutex_lock(&a->lock);
    rate_meter_add(&a->meter, f->pts_us, f->len);
    pthread_mutex_unlock(&a->lock);
    fragment_queue_push(a->out, f, a->lossless);
}

static int take_sound(void *owner, const struct encoded_sound *sound) {
    struct audio_track *a = owner;
    int64_t pts_us = av_rescale(sound->pts, (int64_t)US_PER_S, AUDIO_SAMPLE_RATE);
    return cmaf_writer_add(a->writer, &(struct cmaf_sample){
                                          .data = sound->data,
                                          .len = sound->len,
                                          .pts = sound->pts,
                                          .duration = AUDIO_BLOCK,
                                          .random_access = true,
                                          .capture_us = a->capture_offset_us + (uint64_t)pts_us,
                                      });
}

static int take_block(void *owner, const struct audio_block *block) {
    struct audio_track *a = owner;
    return encoder_aac_encode(a->encoder, block, take_sound, a);
}

static int open_writer(struct audio_track *a, const struct audio_track_config *c) {
    AVCodecParameters *codec = encoder_aac_parameters(a->encoder);
    if (codec == NULL) return ERR_MEMORY;
    int err = cmaf_writer_open(&a->writer, &(struct cmaf_config){
                                               .track = c->track,
                                               .codec = codec,
                                               .timescale = AUDIO_SAMPLE_RATE,
                                               .fragment_bytes = c->source->fragment_bytes,
                                               .fragment_us = c->source->fragment_us,
                                               .emit = take_fragment,
                                               .owner = a,
                                           });
    avcodec_parameters_free(&codec);
    return err;
}

static void describe(const struct audio_track *a, const struct audio_track_config *c,
                     struct track *ret) {
    *ret = (struct track){
        .kind = TRACK_AUDIO,
        .codec = "mp4a.40.2", /* MPEG-4 audio, AAC-LC (RFC 6381, 3.3) */
        .bitrate_bps = c->source->audio_bitrate_bps,
        .sample_rate = AUDIO_SAMPLE_RATE,
        .channels = (uint8_t)c->channels,
    };
    size_t len;
    const uint8_t *init = cmaf_writer_init_segment(a->writer, &len);
    memcpy(ret->init, init, len);
    ret->init_len = (uint16_t)len;
}

int audio_track_open(struct audio_track **ret, const struct audio_track_config *config,
                     struct track *ret_track) {
    struct audio_track *a = calloc(1, sizeof *a);
    if (a == NULL) return ERR_MEMORY;
    pthread_mutex_init(&a->lock, NULL);
    a->out = config->out;
    a->lossless = config->source->lossless;
    audio_resampler_init(&a->resampler, AUDIO_SAMPLE_RATE, config->channels);
    int err = encoder_aac_open(&a->encoder, AUDIO_SAMPLE_RATE, config->channels,
                               config->source->audio_bitrate_bps);
    if (!err) err = open_writer(a, config);
    if (err) {
        audio_track_free(a);
        return err;
    }
    describe(a, config, ret_track);
    *ret = a;
    return 0;
}

void audio_track_free(struct audio_track *a) {
    if (a == NULL) return;
    audio_resampler_release(&a->resampler);
    encoder_aac_free(a->encoder);
    cmaf_writer_free(a->writer);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

int audio_track_add(struct audio_track *a, const AVFrame *frame, uint64_t pts_us,
                    uint64_t capture_us) {
    a->capture_offset_us = capture_us - pts_us;
    return audio_resampler_add(&a->resampler, frame, pts_us, take_block, a);
}

int audio_track_finish(struct audio_track *a, bool end) {
    int err = audio_resampler_flush(&a->resampler, take_block, a);
    if (!err) err = encoder_aac_encode(a->encoder, NULL, take_sound, a);
    if (!err) err = end ? cmaf_writer_end(a->writer) : cmaf_writer_flush(a->writer);
    return err;
}

uint32_t audio_track_bps(struct audio_track *a) {
    pthread_mutex_lock(&a->lock);
    uint32_t bps = rate_meter_bps(&a->meter);
    pthread_mutex_unlock(&a->lock);
    return bps;
}
