/* holder.h - what stands in the DHT: holder records by epoch, and the entry record of a channel.
 *
 * Records come from strangers: they are decoded, checked (sizes, signature, times) and only then
 * dialled. A holder's signature covers the DHT key under which it was found, so a record cannot be
 * moved to another channel or epoch. */
#ifndef HOLDER_H
#define HOLDER_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/crypto/hash.h"
#include "core/crypto/sign.h"
#include "core/proto/limits.h"

#define EPOCH_S 30
#define HOLDER_CONTEXT "shoal holder 1"
#define ENTRY_CONTEXT "shoal entry 1"
#define HOLDER_SIZE_MAX 512
#define ENTRY_SIZE_MAX 1400
#define HOLDER_SPARE_CLASS_MAX 31 /* so that 1 << class is a number */

struct record_key {
    uint8_t bytes[RECORD_KEY_BYTES];
};

static inline uint64_t epoch_at(uint64_t utc_us) { return utc_us / (EPOCH_S * US_PER_S); }

/* BLAKE2b-160 of (channel key, epoch) and of (channel key, "entry"). */
struct record_key holder_record_key(const struct public_key *channel, uint64_t epoch);
struct record_key entry_record_key(const struct public_key *channel);

enum peer_role {
    ROLE_SOURCE = 1,
    ROLE_VIEWER = 2,
    ROLE_RELAY = 3,
};

enum peer_flag {
    PEER_REACHABLE = 1 << 0, /* strangers have dialled it with success */
    PEER_UPLOADS = 1 << 1,   /* serves others at all */
    PEER_FLAGS_ALL = (1 << 2) - 1,
};

/* A peer that holds chunks of a broadcast. */
struct holder {
    struct public_key peer;
    uint64_t issued_s; /* UTC seconds: of two records of one peer the later counts */
    uint64_t broadcast;
    uint8_t role;        /* enum peer_role */
    uint8_t flags;       /* enum peer_flag */
    uint8_t spare_class; /* log2 of its spare upload in units of 64 kb/s, 0 = none or unknown */
    uint8_t tracks_len;
    struct {
        uint8_t track;
        uint32_t from; /* the first chunk number held */
    } tracks[TRACKS_MAX];
    uint8_t endpoints_len;
    struct endpoint endpoints[HOLDER_ENDPOINTS_MAX];
};

/* Signed by `h->peer`. Returns the length, ERR_FULL, or ERR_RANGE for what holder_open refuses. */
MUST_CHECK int holder_sign(const struct holder *h, const struct record_key *key,
                           const struct sign_key *peer_key, uint8_t *ret, size_t capacity);
/* Returns 0 or ERR_VERSION, ERR_TRUNCATED, ERR_TRAILING, ERR_RANGE, ERR_SIGNATURE. Endpoints that
 * are not usable are refused with ERR_RANGE. */
MUST_CHECK int holder_open(const void *data, size_t len, const struct record_key *key,
                           struct holder *ret);

/* Names the broadcast and up to 16 good holders; found without knowing the time. */
struct entry {
    uint64_t broadcast;
    struct public_key broadcast_key;
    uint64_t expires_s;                  /* of the delegation */
    uint8_t delegation[SIGNATURE_BYTES]; /* as in the manifest */
    uint64_t issued_s;
    uint8_t holders_len;
    struct {
        struct public_key peer;
        struct endpoint endpoint;
    } holders[ENTRY_HOLDERS_MAX];
};

/* Signed by `e->broadcast_key`. Returns the length, or ERR_FULL or ERR_RANGE as holder_sign. */
MUST_CHECK int entry_sign(const struct entry *e, const struct public_key *channel,
                          const struct sign_key *broadcast_key, uint8_t *ret, size_t capacity);
/* Checks the delegation against the channel, and the signature. Errors as holder_open. */
MUST_CHECK int entry_open(const void *data, size_t len, const struct public_key *channel,
                          struct entry *ret);

#endif
