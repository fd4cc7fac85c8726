#include "core/crypto/random.h"

#include <sodium.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

/* The nonce may stay zero: no key is used for a second stream. */
static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

int random_start(void) { return sodium_init() < 0 ? ERR_SYSTEM : 0; }

struct random random_from_seed(const uint8_t seed[RANDOM_SEED_BYTES]) {
    struct random r;
    memcpy(r.key, seed, sizeof r.key);
    return r;
}

struct random random_from_system(void) {
    struct random r;
    randombytes_buf(r.key, sizeof r.key);
    return r;
}

void random_bytes(struct random *r, void *ret, size_t len) {
    uint8_t next[RANDOM_SEED_BYTES];
    /* Block 0 of the stream is the next key, the blocks from 1 on are what is handed out. */
    crypto_stream_chacha20(next, sizeof next, nonce, r->key);
    if (len > 0) {
        memset(ret, 0, len);
        crypto_stream_chacha20_xor_ic(ret, ret, len, nonce, 1, r->key);
    }
    memcpy(r->key, next, sizeof next);
    secret_erase(next, sizeof next);
}

/* From bytes in a fixed order, so that a simulation replays on every machine. */
uint32_t random_u32(struct random *r) {
    uint8_t bytes[4];
    random_bytes(r, bytes, sizeof bytes);
    return load_u32(bytes);
}

uint64_t random_u64(struct random *r) {
    uint8_t bytes[8];
    random_bytes(r, bytes, sizeof bytes);
    return (uint64_t)load_u32(bytes) << 32 | load_u32(bytes + 4);
}

void secret_erase(void *data, size_t len) { sodium_memzero(data, len); }
