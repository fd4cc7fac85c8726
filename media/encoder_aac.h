/* encoder_aac.h - AAC-LC by libavcodec's own encoder, block by block.
 *
 * The encoder is one block late: what it gives for the first block decodes to the silence before
 * it. That packet lies before the track's start and is left out when the start is 0; the others
 * carry the time of the sound that they decode to, so sound and picture are in step. */
#ifndef ENCODER_AAC_H
#define ENCODER_AAC_H

#include <libavcodec/codec_par.h>

#include "media/audio_resampler.h"

struct encoder_aac;

struct encoded_sound {
    const uint8_t *data; /* a raw AAC frame; valid during the call that hands it out */
    size_t len;
    int64_t pts; /* in samples, not negative */
};

typedef int encoded_sound_taker(void *owner, const struct encoded_sound *sound);

/* Returns 0, ERR_MEMORY or ERR_UNSUPPORTED (libavcodec refuses the rate or the channels). */
MUST_CHECK int encoder_aac_open(struct encoder_aac **ret, unsigned sample_rate, unsigned channels,
                                uint32_t bitrate_bps);
void encoder_aac_free(struct encoder_aac *e);

/* With the decoder's configuration as extradata; the encoder's, for the caller to free. NULL when
 * out of memory. */
AVCodecParameters *encoder_aac_parameters(const struct encoder_aac *e);
/* Encodes a block, or with NULL what is left inside, and hands out what gets done. Returns 0,
 * ERR_MEMORY, ERR_SYSTEM or the taker's error. */
MUST_CHECK int encoder_aac_encode(struct encoder_aac *e, const struct audio_block *block,
                                  encoded_sound_taker *take, void *owner);

#endif
