/* encoder_x264.h - H.264 by x264, called directly: one picture in, one out, no delay.
 *
 * Tuned for zero latency: no B-frames, no lookahead, no frame threads. The first picture and one
 * each keyint are IDR pictures and nothing else is, so random access points come regularly.
 */
#ifndef ENCODER_X264_H
#define ENCODER_X264_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/proto/manifest.h"

#define AVCC_MAX 256 /* decoder configuration: parameter sets of some 40 bytes */

struct encoder_x264_config {
    unsigned width, height;
    unsigned fps_num, fps_den;
    uint32_t bitrate_bps;
    const char *preset;
    uint64_t keyint_us;
    /* ITU-T H.273 numbers; 2 is unspecified */
    int colour_primaries, colour_transfer, colour_matrix;
};

struct encoded_picture {
    const uint8_t *data; /* NAL units behind their lengths; the encoder's, until the next call */
    size_t len;
    bool random_access;
};

struct encoder_x264;

/* Returns 0, ERR_ARGUMENT (an unknown preset) or ERR_UNSUPPORTED (x264 refuses). */
MUST_CHECK int encoder_x264_open(struct encoder_x264 **ret,
                                 const struct encoder_x264_config *config);
void encoder_x264_free(struct encoder_x264 *e);
/* The names of the presets, for a message. */
const char *encoder_x264_presets(void);

/* AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), valid as long as the encoder. */
const uint8_t *encoder_x264_avcc(const struct encoder_x264 *e, size_t *ret_len);
/* RFC 6381: "avc1." and profile, constraints and level in hexadecimal. */
void encoder_x264_codec(const struct encoder_x264 *e, char ret[CODEC_MAX]);

/* Encodes one 4:2:0 picture; `tick` grows, in frames. Returns 0 or ERR_SYSTEM. */
MUST_CHECK int encoder_x264_encode(struct encoder_x264 *e, const uint8_t *const planes[3],
                                   const int strides[3], int64_t tick, struct encoded_picture *ret);

#endif
