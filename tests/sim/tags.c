/* tags.c - where the linker leads the calls of core/crypto: to the real thing or to a tag, at its
 * cost. __wrap_f is called in place of f, and __real_f is f (ld, --wrap). Calls within one object
 * file are not led here: hence sign_key_generate, random_u32 and random_u64 are wrapped too. */
#include "tests/sim/tags.h"

#include "core/base/bytes.h"
#include "tests/sim/tag_forms.h"

#define WRAPPED(f) extern __typeof__(f) __real_##f, __wrap_##f

WRAPPED(cookie_seal);
WRAPPED(cookie_unseal);
WRAPPED(dh_key_from_secret);
WRAPPED(dh_key_from_sign_key);
WRAPPED(dh_public_from_public_key);
WRAPPED(hash_cell);
WRAPPED(hash_context);
WRAPPED(hash_mac);
WRAPPED(noise_init);
WRAPPED(noise_read);
WRAPPED(noise_split);
WRAPPED(noise_write);
WRAPPED(random_bytes);
WRAPPED(random_u32);
WRAPPED(random_u64);
WRAPPED(read_key_seal);
WRAPPED(read_key_unseal);
WRAPPED(seal);
WRAPPED(seal_rekey);
WRAPPED(sign_key_from_seed);
WRAPPED(sign_key_generate);
WRAPPED(sign_message);
WRAPPED(sign_verify);
WRAPPED(unseal);

struct cost {
    uint32_t ns;
    uint32_t ps_per_byte;
};

/* What the real functions take here, as bench_tags measures it (libsodium 1.0.18). */
static const struct cost aead = {330, 650};
static const struct cost cookie_aead = {415, 0};
static const struct cost payload_aead = {500, 600};
static const struct cost hash = {160, 1160};
static const struct cost stream = {250, 500};
static const struct cost key_pair = {10800, 0};
static const struct cost sign = {11200, 2480};
static const struct cost verify = {33100, 1240};
static const struct cost dh_base = {24000, 0};
static const struct cost dh_convert = {29700, 0};
static const struct cost handshake_start = {300, 1160};
static const struct cost handshake_message = {58000, 1810}; /* two Diffie-Hellman results */
static const struct cost handshake_end = {2000, 0};

#define HASH_BLOCK 128 /* a key takes one */

static bool is_real = true;
static uint64_t cost_ns;

void tags_use(bool real) {
    is_real = real;
    cost_ns = 0;
}

uint64_t tags_take_cost_ns(void) {
    uint64_t taken = cost_ns;
    cost_ns = 0;
    return taken;
}

static void charge(struct cost c, size_t len) {
    cost_ns += c.ns + (uint64_t)len * c.ps_per_byte / 1000;
}

void __wrap_seal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
                 const void *plain, size_t len, uint8_t *ret) {
    if (is_real) {
        __real_seal(key, counter, aad, aad_len, plain, len, ret);
        return;
    }
    charge(aead, len);
    tag_seal(key, counter, aad, aad_len, plain, len, ret);
}

int __wrap_unseal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
                  const uint8_t *sealed, size_t len, uint8_t *ret) {
    if (is_real) return __real_unseal(key, counter, aad, aad_len, sealed, len, ret);
    charge(aead, len);
    return tag_unseal(key, counter, aad, aad_len, sealed, len, ret);
}

void __wrap_seal_rekey(struct seal_key *key) {
    if (is_real) {
        __real_seal_rekey(key);
        return;
    }
    charge(aead, sizeof key->key);
    tag_seal_rekey(key);
}

void __wrap_cookie_seal(uint8_t ret[COOKIE_SEALED_BYTES], const uint8_t cookie[COOKIE_BYTES],
                        const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES],
                        const void *aad, size_t aad_len) {
    if (is_real) {
        __real_cookie_seal(ret, cookie, key, nonce, aad, aad_len);
        return;
    }
    charge(cookie_aead, 0);
    tag_cookie_seal(ret, cookie, key, nonce, aad, aad_len);
}

int __wrap_cookie_unseal(uint8_t ret[COOKIE_BYTES], const uint8_t sealed[COOKIE_SEALED_BYTES],
                         const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES],
                         const void *aad, size_t aad_len) {
    if (is_real) return __real_cookie_unseal(ret, sealed, key, nonce, aad, aad_len);
    charge(cookie_aead, 0);
    return tag_cookie_unseal(ret, sealed, key, nonce, aad, aad_len);
}

void __wrap_read_key_seal(const struct read_key *key, uint64_t broadcast, uint8_t track,
                          uint32_t number, const void *plain, size_t len, uint8_t *ret) {
    if (is_real) {
        __real_read_key_seal(key, broadcast, track, number, plain, len, ret);
        return;
    }
    charge(payload_aead, len);
    tag_read_key_seal(key, broadcast, track, number, plain, len, ret);
}

int __wrap_read_key_unseal(const struct read_key *key, uint64_t broadcast, uint8_t track,
                           uint32_t number, const uint8_t *sealed, size_t len, uint8_t *ret) {
    if (is_real) return __real_read_key_unseal(key, broadcast, track, number, sealed, len, ret);
    charge(payload_aead, len);
    return tag_read_key_unseal(key, broadcast, track, number, sealed, len, ret);
}

void __wrap_hash_cell(uint8_t ret[HASH_CELL_BYTES], const void *payload, size_t len) {
    if (is_real) {
        __real_hash_cell(ret, payload, len);
        return;
    }
    charge(hash, len);
    tag_hash_cell(ret, payload, len);
}

void __wrap_hash_context(uint8_t *ret, size_t len, const char *context, const void *data,
                         size_t data_len) {
    if (is_real) {
        __real_hash_context(ret, len, context, data, data_len);
        return;
    }
    charge(hash, data_len);
    tag_hash_context(ret, len, context, data, data_len);
}

void __wrap_hash_mac(uint8_t ret[16], const uint8_t key[32], const void *data, size_t len) {
    if (is_real) {
        __real_hash_mac(ret, key, data, len);
        return;
    }
    charge(hash, HASH_BLOCK + len);
    tag_hash_mac(ret, key, data, len);
}

void __wrap_random_bytes(struct random *r, void *ret, size_t len) {
    if (is_real) {
        __real_random_bytes(r, ret, len);
        return;
    }
    charge(stream, len);
    tag_random_bytes(r, ret, len);
}

uint32_t __wrap_random_u32(struct random *r) {
    if (is_real) return __real_random_u32(r);
    uint8_t bytes[4];
    __wrap_random_bytes(r, bytes, sizeof bytes);
    return load_u32(bytes);
}

uint64_t __wrap_random_u64(struct random *r) {
    if (is_real) return __real_random_u64(r);
    uint8_t bytes[8];
    __wrap_random_bytes(r, bytes, sizeof bytes);
    return (uint64_t)load_u32(bytes) << 32 | load_u32(bytes + 4);
}

void __wrap_sign_key_from_seed(struct sign_key *ret, const uint8_t seed[SIGN_SEED_BYTES]) {
    if (is_real) {
        __real_sign_key_from_seed(ret, seed);
        return;
    }
    charge(key_pair, 0);
    tag_sign_key_from_seed(ret, seed);
}

void __wrap_sign_key_generate(struct sign_key *ret, struct random *random) {
    if (is_real) {
        __real_sign_key_generate(ret, random);
        return;
    }
    uint8_t seed[SIGN_SEED_BYTES];
    __wrap_random_bytes(random, seed, sizeof seed);
    __wrap_sign_key_from_seed(ret, seed);
}

void __wrap_sign_message(const struct sign_key *key, const char *context, const void *message,
                         size_t len, uint8_t ret[SIGNATURE_BYTES]) {
    if (is_real) {
        __real_sign_message(key, context, message, len, ret);
        return;
    }
    charge(sign, len);
    tag_sign_message(key, context, message, len, ret);
}

int __wrap_sign_verify(const struct public_key *key, const char *context, const void *message,
                       size_t len, const uint8_t signature[SIGNATURE_BYTES]) {
    if (is_real) return __real_sign_verify(key, context, message, len, signature);
    charge(verify, len);
    return tag_sign_verify(key, context, message, len, signature);
}

void __wrap_dh_key_from_secret(struct dh_key *ret, const uint8_t secret[NOISE_DH_BYTES]) {
    if (is_real) {
        __real_dh_key_from_secret(ret, secret);
        return;
    }
    charge(dh_base, 0);
    tag_dh_key_from_secret(ret, secret);
}

void __wrap_dh_key_from_sign_key(struct dh_key *ret, const struct sign_key *key) {
    if (is_real) {
        __real_dh_key_from_sign_key(ret, key);
        return;
    }
    charge(dh_base, 0);
    tag_dh_key_from_sign_key(ret, key);
}

int __wrap_dh_public_from_public_key(uint8_t ret[NOISE_DH_BYTES], const struct public_key *key) {
    if (is_real) return __real_dh_public_from_public_key(ret, key);
    charge(dh_convert, 0);
    return tag_dh_public_from_public_key(ret, key);
}

void __wrap_noise_init(struct noise *n, bool initiator, const struct dh_key *local,
                       const uint8_t remote[NOISE_DH_BYTES], const void *prologue,
                       size_t prologue_len) {
    if (is_real) {
        __real_noise_init(n, initiator, local, remote, prologue, prologue_len);
        return;
    }
    charge(handshake_start, prologue_len);
    tag_noise_init(n, initiator, local, remote, prologue, prologue_len);
}

int __wrap_noise_write(struct noise *n, const struct dh_key *ephemeral, const void *payload,
                       size_t len, uint8_t *ret) {
    if (is_real) return __real_noise_write(n, ephemeral, payload, len, ret);
    charge(handshake_message, len);
    return tag_noise_write(n, ephemeral, payload, len, ret);
}

int __wrap_noise_read(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    if (is_real) return __real_noise_read(n, message, len, ret);
    charge(handshake_message, len);
    return tag_noise_read(n, message, len, ret);
}

void __wrap_noise_split(const struct noise *n, struct seal_key *ret_send,
                        struct seal_key *ret_receive) {
    if (is_real) {
        __real_noise_split(n, ret_send, ret_receive);
        return;
    }
    charge(handshake_end, 0);
    tag_noise_split(n, ret_send, ret_receive);
}
