/* manifest.h - what a channel is now, signed by the channel key; any peer serves it. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/sign.h"
#include "core/proto/limits.h"

#define MANIFEST_CONTEXT "shoal manifest 1"
#define TITLE_MAX 128
#define CODEC_MAX 40
#define INIT_SIZE_MAX 1500 /* a CMAF initialisation segment is 600 to 900 bytes */

enum track_kind {
    TRACK_VIDEO = 1,
    TRACK_AUDIO = 2,
};

struct track {
    uint8_t kind;           /* enum track_kind */
    char codec[CODEC_MAX];  /* RFC 6381, as in "avc1.64001f" or "mp4a.40.2" */
    uint32_t bitrate_bps;   /* of the media, as set at the encoder */
    uint16_t width, height; /* video */
    uint16_t fps_num, fps_den;
    uint32_t sample_rate; /* audio */
    uint8_t channels;
    uint16_t init_len;
    uint8_t init[INIT_SIZE_MAX]; /* the CMAF initialisation segment */
};

enum manifest_flag {
    MANIFEST_PRIVATE = 1 << 0, /* payloads are sealed under the read key */
    MANIFEST_FLAGS_ALL = (1 << 1) - 1,
};

struct manifest {
    uint64_t broadcast; /* UTC ms of its start, above any before it */
    uint32_t version;   /* from 1, within the broadcast */
    struct public_key broadcast_key;
    uint64_t expires_s;    /* UTC seconds */
    uint8_t flags;         /* enum manifest_flag */
    char title[TITLE_MAX]; /* UTF-8, zero-terminated, without control characters */
    uint8_t tracks_len;
    struct track tracks[TRACKS_MAX];
    /* How the broadcast key proves itself where the manifest is not at hand: the channel key's
     * signature over delegation_bytes(). */
    uint8_t delegation[SIGNATURE_BYTES];
};

/* Encodes and signs, the delegation included. Returns the length, or ERR_FULL / ERR_RANGE. */
MUST_CHECK int manifest_sign(struct manifest *m, const struct sign_key *channel_key, uint8_t *ret,
                             size_t capacity);
/* Returns 0, ERR_VERSION, ERR_TRUNCATED, ERR_TRAILING, ERR_RANGE or ERR_SIGNATURE: decoded and
 * both signatures checked. Expiry is the caller's: it knows the time. */
MUST_CHECK int manifest_open(const void *data, size_t len, const struct public_key *channel,
                             struct manifest *ret);
/* Positive where `a` is the later manifest: by broadcast, then by version. */
int manifest_compare(const struct manifest *a, const struct manifest *b);

/* The channel key's word that `broadcast_key` speaks for `broadcast` until `expires_s`. */
#define DELEGATION_CONTEXT "shoal delegation 1"
void delegation_sign(const struct sign_key *channel_key, uint64_t broadcast,
                     const struct public_key *broadcast_key, uint64_t expires_s,
                     uint8_t ret[SIGNATURE_BYTES]);
MUST_CHECK int delegation_verify(const struct public_key *channel, uint64_t broadcast,
                                 const struct public_key *broadcast_key, uint64_t expires_s,
                                 const uint8_t signature[SIGNATURE_BYTES]);

#endif
