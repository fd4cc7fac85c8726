#include "media/audio_resampler.h"

#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

/* Below 10 ms nothing is done: containers round timestamps to 1 ms, devices jitter by a few. Then
 * up to 1 % faster or slower, which nobody hears; from 100 ms on, silence or a cut. */
#define SOFT_FROM_S 0.010
#define SOFT_MOST 0.010
#define HARD_FROM_S 0.100

#define SCRATCH_SAMPLES_MAX (1 << 20) /* 20 s: a frame and the silence before it are far less */

void audio_resampler_init(struct audio_resampler *r, unsigned sample_rate, unsigned channels) {
    *r = (struct audio_resampler){.sample_rate = sample_rate, .channels = channels};
}

void audio_resampler_release(struct audio_resampler *r) {
    swr_free(&r->swr);
    free(r->scratch);
    r->scratch = NULL;
}

static int open_swr(struct audio_resampler *r, const AVFrame *frame) {
    AVChannelLayout out, in = {0};
    av_channel_layout_default(&out, (int)r->channels);
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&in, frame->ch_layout.nb_channels);
    else if (av_channel_layout_copy(&in, &frame->ch_layout) < 0)
        return ERR_MEMORY;
    int err = swr_alloc_set_opts2(&r->swr, &out, AV_SAMPLE_FMT_FLTP, (int)r->sample_rate, &in,
                                  frame->format, frame->sample_rate, 0, NULL);
    av_channel_layout_uninit(&in);
    if (err < 0) return ERR_UNSUPPORTED;
    /* On from the start: switched on later it would begin anew and lose samples. */
    av_opt_set_int(r->swr, "flags", SWR_FLAG_RESAMPLE, 0);
    av_opt_set_double(r->swr, "min_comp", SOFT_FROM_S, 0);
    av_opt_set_double(r->swr, "min_hard_comp", HARD_FROM_S, 0);
    av_opt_set_double(r->swr, "comp_duration", 1.0, 0);
    av_opt_set_double(r->swr, "max_soft_comp", SOFT_MOST, 0);
    if (swr_init(r->swr) < 0) {
        swr_free(&r->swr);
        return ERR_UNSUPPORTED;
    }
    r->in_rate = frame->sample_rate;
    r->in_format = frame->format;
    r->in_channels = frame->ch_layout.nb_channels;
    return 0;
}

static int give_block(struct audio_resampler *r, audio_block_taker *take, void *owner) {
    r->block.pts = r->next_pts - r->filled;
    r->filled = 0;
    return take(owner, &r->block);
}

static int reserve(struct audio_resampler *r, int samples) {
    if (samples <= r->scratch_samples) return 0;
    if (samples > SCRATCH_SAMPLES_MAX) return ERR_UNSUPPORTED;
    float *scratch = realloc(r->scratch, (size_t)samples * r->channels * sizeof *scratch);
    if (scratch == NULL) return ERR_MEMORY;
    r->scratch = scratch;
    r->scratch_samples = samples;
    return 0;
}

/* Converts `in` (NULL and 0: what is still inside) and gives away each block that gets full. */
static int convert(struct audio_resampler *r, const uint8_t **in, int in_count,
                   audio_block_taker *take, void *owner) {
    int err = reserve(r, swr_get_out_samples(r->swr, in_count) + (int)AUDIO_BLOCK);
    if (err) return err;
    uint8_t *out[AUDIO_CHANNELS_MAX];
    for (unsigned c = 0; c < r->channels; c++)
        out[c] = (uint8_t *)(r->scratch + (size_t)c * (size_t)r->scratch_samples);
    int n = swr_convert(r->swr, out, r->scratch_samples, in, in_count);
    if (n < 0) return ERR_UNSUPPORTED;

    for (unsigned at = 0; at < (unsigned)n;) {
        unsigned part = (unsigned)size_min((unsigned)n - at, AUDIO_BLOCK - r->filled);
        for (unsigned c = 0; c < r->channels; c++)
            memcpy(&r->block.samples[c][r->filled], (const float *)(const void *)out[c] + at,
                   part * sizeof(float));
        at += part;
        r->filled += part;
        r->next_pts += part;
        if (r->filled == AUDIO_BLOCK) err = give_block(r, take, owner);
        if (err) return err;
    }
    return 0;
}

/* Everything out, and the next frame begins anew. */
static int finish(struct audio_resampler *r, audio_block_taker *take, void *owner) {
    int err = r->swr != NULL ? convert(r, NULL, 0, take, owner) : 0;
    swr_free(&r->swr);
    return err;
}

int audio_resampler_flush(struct audio_resampler *r, audio_block_taker *take, void *owner) {
    int err = finish(r, take, owner);
    if (err || r->filled == 0) return err;
    unsigned missing = AUDIO_BLOCK - r->filled;
    for (unsigned c = 0; c < r->channels; c++)
        memset(&r->block.samples[c][r->filled], 0, missing * sizeof(float));
    r->filled = AUDIO_BLOCK;
    r->next_pts += missing;
    return give_block(r, take, owner);
}

/* How far `pts_us` is from where the next sample would fall. */
static int64_t hole_us(const struct audio_resampler *r, uint64_t pts_us) {
    int64_t inside_us = r->swr != NULL ? swr_get_delay(r->swr, (int64_t)US_PER_S) : 0;
    int64_t next_us = av_rescale(r->next_pts, (int64_t)US_PER_S, r->sample_rate);
    return (int64_t)pts_us - next_us - inside_us;
}

static int begin(struct audio_resampler *r, const AVFrame *frame, uint64_t pts_us,
                 audio_block_taker *take, void *owner) {
    bool hole = r->started && hole_us(r, pts_us) >= AUDIO_HOLE_US;
    bool changed = r->in_rate != frame->sample_rate || r->in_format != frame->format ||
                   r->in_channels != frame->ch_layout.nb_channels;
    int err = 0;
    if (hole)
        err = audio_resampler_flush(r, take, owner);
    else if (changed)
        err = finish(r, take, owner);
    if (!err && r->swr == NULL) err = open_swr(r, frame);
    if (err) return err;
    if (hole || !r->started)
        r->next_pts = av_rescale((int64_t)pts_us, r->sample_rate, (int64_t)US_PER_S);
    r->started = true;
    return 0;
}

int audio_resampler_add(struct audio_resampler *r, const AVFrame *frame, uint64_t pts_us,
                        audio_block_taker *take, void *owner) {
    if (frame->sample_rate <= 0 || frame->nb_samples <= 0 || frame->ch_layout.nb_channels <= 0)
        return ERR_UNSUPPORTED;
    int err = begin(r, frame, pts_us, take, owner);
    if (err) return err;
    /* libswresample's clock counts in 1 / (input rate x output rate) seconds. */
    int64_t scale = (int64_t)frame->sample_rate * r->sample_rate;
    swr_next_pts(r->swr, av_rescale((int64_t)pts_us, scale, (int64_t)US_PER_S));
    return convert(r, (const uint8_t **)(void *)frame->extended_data, frame->nb_samples, take,
                   owner);
}
