/* sign.h - Ed25519 (RFC 8032) keys and signatures over a context and a message.
 *
 * A signature is always over the context, a zero byte and the message, so that a signature made
 * for one purpose is never valid for another. Contexts in use stand in core/PROTOCOL.md. */
#ifndef SIGN_H
#define SIGN_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/random.h"

#define PUBLIC_KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define SIGN_SEED_BYTES 32

/* An Ed25519 public key: a channel's address, a broadcast's key, a peer's id. */
struct public_key {
    uint8_t bytes[PUBLIC_KEY_BYTES];
};

struct sign_key {
    struct public_key public;
    uint8_t secret[64]; /* libsodium's form: the seed and the public key */
};

void sign_key_generate(struct sign_key *ret, struct random *random);
void sign_key_from_seed(struct sign_key *ret, const uint8_t seed[SIGN_SEED_BYTES]);
/* The 32 bytes from which the key can be made again: what a key file holds. */
void sign_key_seed(const struct sign_key *key, uint8_t ret[SIGN_SEED_BYTES]);
void sign_key_erase(struct sign_key *key);

/* Largest message that is signed: a manifest. */
#define SIGN_MESSAGE_MAX 8192

void sign_message(const struct sign_key *key, const char *context, const void *message, size_t len,
                  uint8_t ret[SIGNATURE_BYTES]);
/* Returns 0, ERR_SIGNATURE, or ERR_RANGE for a message over SIGN_MESSAGE_MAX. */
MUST_CHECK int sign_verify(const struct public_key *key, const char *context, const void *message,
                           size_t len, const uint8_t signature[SIGNATURE_BYTES]);

bool public_key_equal(const struct public_key *a, const struct public_key *b);
/* A total order that both ends agree on: negative, 0 or positive. */
int public_key_compare(const struct public_key *a, const struct public_key *b);
/* False for keys that libsodium will not convert to X25519 (small order, not on the curve). */
bool public_key_is_valid(const struct public_key *key);

#endif
