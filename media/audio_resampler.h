/* audio_resampler.h - decoded sound of any kind to blocks for the encoder, on the timeline.
 *
 * Small differences between timestamps and the count of samples (two clocks at the source, rounded
 * timestamps) are resampled away, larger ones filled with silence or cut, and a hole of a second
 * or more is left as a hole. The input may change its rate and channels at any time. */
#ifndef AUDIO_RESAMPLER_H
#define AUDIO_RESAMPLER_H

#include <libavutil/frame.h>
#include <stdbool.h>

#include "core/base/base.h"

#define AUDIO_BLOCK 1024u /* samples of an AAC frame */
#define AUDIO_CHANNELS_MAX 2u
#define AUDIO_HOLE_US ((int64_t)US_PER_S)

struct SwrContext;

struct audio_block {
    float samples[AUDIO_CHANNELS_MAX][AUDIO_BLOCK];
    int64_t pts; /* of the first sample, in samples */
};

struct audio_resampler {
    unsigned sample_rate, channels; /* of the output */
    struct SwrContext *swr;         /* NULL until the first frame and after a hole */
    int in_rate, in_format, in_channels;
    struct audio_block block;
    unsigned filled;
    float *scratch; /* a converted frame, channel by channel */
    int scratch_samples;
    bool started;
    int64_t next_pts; /* of the next sample to be made */
};

void audio_resampler_init(struct audio_resampler *r, unsigned sample_rate, unsigned channels);
void audio_resampler_release(struct audio_resampler *r);

/* What a full block goes to: 0, or an error that ends the call. */
typedef int audio_block_taker(void *owner, const struct audio_block *block);

/* Takes a frame that belongs at `pts_us`. Returns 0, ERR_UNSUPPORTED (a layout or format that
 * cannot be converted: the frame is left out), ERR_MEMORY or the taker's error. */
MUST_CHECK int audio_resampler_add(struct audio_resampler *r, const AVFrame *frame, uint64_t pts_us,
                                   audio_block_taker *take, void *owner);
/* The rest, filled up with silence. */
MUST_CHECK int audio_resampler_flush(struct audio_resampler *r, audio_block_taker *take,
                                     void *owner);

#endif
