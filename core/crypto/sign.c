#include "core/crypto/sign.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/noise.h"

#define CONTEXT_MAX 32 /* with its zero */

/* What is signed. Ed25519 reads its message twice, so it has to stand in one piece; libsodium's
 * form in parts is Ed25519ph, another algorithm. */
struct signed_text {
    uint8_t bytes[CONTEXT_MAX + SIGN_MESSAGE_MAX];
    size_t len;
};

static void join_text(struct signed_text *text, const char *context, const void *message,
                      size_t len) {
    size_t context_len = strlen(context) + 1;
    assert(context_len <= CONTEXT_MAX && len <= SIGN_MESSAGE_MAX);
    memcpy(text->bytes, context, context_len);
    if (len > 0) memcpy(text->bytes + context_len, message, len);
    text->len = context_len + len;
}

void sign_key_generate(struct sign_key *ret, struct random *random) {
    uint8_t seed[SIGN_SEED_BYTES];
    random_bytes(random, seed, sizeof seed);
    sign_key_from_seed(ret, seed);
    secret_erase(seed, sizeof seed);
}

void sign_key_from_seed(struct sign_key *ret, const uint8_t seed[SIGN_SEED_BYTES]) {
    crypto_sign_seed_keypair(ret->public.bytes, ret->secret, seed);
}

void sign_key_seed(const struct sign_key *key, uint8_t ret[SIGN_SEED_BYTES]) {
    crypto_sign_ed25519_sk_to_seed(ret, key->secret);
}

void sign_key_erase(struct sign_key *key) { secret_erase(key, sizeof *key); }

void sign_message(const struct sign_key *key, const char *context, const void *message, size_t len,
                  uint8_t ret[SIGNATURE_BYTES]) {
    struct signed_text text;
    join_text(&text, context, message, len);
    crypto_sign_detached(ret, NULL, text.bytes, text.len, key->secret);
}

int sign_verify(const struct public_key *key, const char *context, const void *message, size_t len,
                const uint8_t signature[SIGNATURE_BYTES]) {
    if (len > SIGN_MESSAGE_MAX) return ERR_RANGE;
    struct signed_text text;
    join_text(&text, context, message, len);
    if (crypto_sign_verify_detached(signature, text.bytes, text.len, key->bytes) != 0)
        return ERR_SIGNATURE;
    return 0;
}

bool public_key_equal(const struct public_key *a, const struct public_key *b) {
    return public_key_compare(a, b) == 0;
}

int public_key_compare(const struct public_key *a, const struct public_key *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool public_key_is_valid(const struct public_key *key) {
    uint8_t public[NOISE_DH_BYTES];
    return dh_public_from_public_key(public, key) == 0;
}
