/* noise.h - the Noise_IK_25519_ChaChaPoly_BLAKE2b handshake (Noise Protocol Framework, revision 34)
 * and the sealing of transport messages after it.
 *
 * Message 1: e, es, s, ss, payload. Message 2: e, ee, se, payload. The initiator knows the
 * responder's static key beforehand. Static keys are Ed25519 keys in their X25519 form, so that a
 * peer has one identity; the functions that take X25519 keys exist for the published vectors.
 * A failed read leaves the state as it was: a forged message does not end a handshake. */
#ifndef NOISE_H
#define NOISE_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/random.h"
#include "core/crypto/sign.h"

#define NOISE_DH_BYTES 32
#define NOISE_HASH_BYTES 64
#define NOISE_TAG_BYTES 16
#define NOISE_MESSAGE1_OVERHEAD (NOISE_DH_BYTES + NOISE_DH_BYTES + 2 * NOISE_TAG_BYTES) /* 96 */
#define NOISE_MESSAGE2_OVERHEAD (NOISE_DH_BYTES + NOISE_TAG_BYTES)                      /* 48 */

struct dh_key {
    uint8_t secret[NOISE_DH_BYTES];
    uint8_t public[NOISE_DH_BYTES];
};

void dh_key_from_secret(struct dh_key *ret, const uint8_t secret[NOISE_DH_BYTES]);
void dh_key_from_sign_key(struct dh_key *ret, const struct sign_key *key);
/* Returns 0, or ERR_RANGE for a key with no X25519 form. */
MUST_CHECK int dh_public_from_public_key(uint8_t ret[NOISE_DH_BYTES], const struct public_key *key);

/* One direction of an established session. */
struct seal_key {
    uint8_t key[32];
};

/* ChaCha20-Poly1305 (RFC 8439) with the nonce 4 zero bytes and the counter, little-endian
 * (Noise, 12.3). `ret` takes len + NOISE_TAG_BYTES and may be `plain`. */
void seal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
          const void *plain, size_t len, uint8_t *ret);
/* `len` includes the tag; `ret` takes len - NOISE_TAG_BYTES and may be `sealed`. Returns the plain
 * length, or ERR_DECRYPT (ERR_TRUNCATED where len is below the tag's). */
MUST_CHECK int unseal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
                      const uint8_t *sealed, size_t len, uint8_t *ret);
/* The key for the next period: Noise, 4.2 REKEY. */
void seal_rekey(struct seal_key *key);

struct noise {
    uint8_t hash[NOISE_HASH_BYTES];
    uint8_t chaining[NOISE_HASH_BYTES];
    struct seal_key key;
    uint64_t counter;
    bool has_key;
    bool initiator;
    struct dh_key local;
    struct dh_key ephemeral;
    uint8_t remote[NOISE_DH_BYTES];
    uint8_t remote_ephemeral[NOISE_DH_BYTES];
};

/* `remote` is the responder's static key for an initiator, NULL for a responder. */
void noise_init(struct noise *n, bool initiator, const struct dh_key *local,
                const uint8_t remote[NOISE_DH_BYTES], const void *prologue, size_t prologue_len);
/* Erases the secrets. */
void noise_release(struct noise *n);

/* Writes message 1 (initiator) or 2 (responder) with its payload: `len` + the overhead bytes at
 * `ret`. The ephemeral key is taken from `ephemeral`, made by the caller. Returns the length, or
 * ERR_RANGE where a Diffie-Hellman result is all zeros (a key of small order). */
MUST_CHECK int noise_write(struct noise *n, const struct dh_key *ephemeral, const void *payload,
                           size_t len, uint8_t *ret);
/* Reads the other side's message; its payload goes to `ret` (len minus the overhead). Returns the
 * payload's length, ERR_TRUNCATED, ERR_RANGE or ERR_DECRYPT, and then changes nothing in `n`. */
MUST_CHECK int noise_read(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret);
/* After message 2 on either side: the keys to send and to receive with. */
void noise_split(const struct noise *n, struct seal_key *ret_send, struct seal_key *ret_receive);

#endif
