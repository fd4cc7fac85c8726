/* Signatures. A public key is made from its seed; a signature is mixed from the public key that the
 * signer's seed gives, not from the one that a caller claims, so nobody signs for another. What
 * makes them signatures is that the nodes have only these functions to make them with. */
#include <assert.h>

#include "core/base/err.h"
#include "tests/sim/tag_forms.h"
#include "tests/sim/tag_mix.h"

/* The last four bits of a key follow from the others. Of 32 random bytes libsodium takes as many
 * for a key: half of them are on the curve, an eighth of those in its main subgroup. */
#define CHECK_MASK 0x0f

static uint8_t check_bits(const uint8_t bytes[PUBLIC_KEY_BYTES]) {
    uint8_t open[PUBLIC_KEY_BYTES];
    memcpy(open, bytes, sizeof open);
    open[PUBLIC_KEY_BYTES - 1] &= (uint8_t)~CHECK_MASK;
    return mix_text(7, open, sizeof open) & CHECK_MASK;
}

bool tag_public_key_is_valid(const struct public_key *key) {
    return (key->bytes[PUBLIC_KEY_BYTES - 1] & CHECK_MASK) == check_bits(key->bytes);
}

static struct public_key public_of(const uint8_t seed[SIGN_SEED_BYTES]) {
    struct public_key key;
    mix_expand(mix_text(8, seed, SIGN_SEED_BYTES), key.bytes, sizeof key.bytes);
    uint8_t *last = &key.bytes[PUBLIC_KEY_BYTES - 1];
    *last = (uint8_t)((*last & ~CHECK_MASK) | check_bits(key.bytes));
    return key;
}

/* As libsodium's: the seed, then the public key. */
void tag_sign_key_from_seed(struct sign_key *ret, const uint8_t seed[SIGN_SEED_BYTES]) {
    memcpy(ret->secret, seed, SIGN_SEED_BYTES);
    ret->public = public_of(seed);
    memcpy(ret->secret + SIGN_SEED_BYTES, ret->public.bytes, PUBLIC_KEY_BYTES);
}

static void make_signature(const struct public_key *signer, const char *context,
                           const void *message, size_t len, uint8_t ret[SIGNATURE_BYTES]) {
    uint64_t h = mix_text(mix_key(signer->bytes), context, strlen(context));
    mix_expand(mix_text(h, message, len), ret, SIGNATURE_BYTES);
}

void tag_sign_message(const struct sign_key *key, const char *context, const void *message,
                      size_t len, uint8_t ret[SIGNATURE_BYTES]) {
    assert(len <= SIGN_MESSAGE_MAX);
    struct public_key signer = public_of(key->secret);
    make_signature(&signer, context, message, len, ret);
}

int tag_sign_verify(const struct public_key *key, const char *context, const void *message,
                    size_t len, const uint8_t signature[SIGNATURE_BYTES]) {
    if (len > SIGN_MESSAGE_MAX) return ERR_RANGE;
    uint8_t made[SIGNATURE_BYTES];
    make_signature(key, context, message, len, made);
    return memcmp(made, signature, sizeof made) == 0 ? 0 : ERR_SIGNATURE;
}
