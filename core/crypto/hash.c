#include "core/crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void hash_context(uint8_t *ret, size_t len, const char *context, const void *data,
                  size_t data_len) {
    assert(len >= crypto_generichash_BYTES_MIN && len <= crypto_generichash_BYTES_MAX);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, len);
    crypto_generichash_update(&state, (const uint8_t *)context, strlen(context) + 1);
    crypto_generichash_update(&state, data, data_len);
    crypto_generichash_final(&state, ret, len);
}

void hash_cell(uint8_t ret[HASH_CELL_BYTES], const void *payload, size_t len) {
    crypto_generichash(ret, HASH_CELL_BYTES, payload, len, NULL, 0);
}

void hash_mac(uint8_t ret[16], const uint8_t key[32], const void *data, size_t len) {
    crypto_generichash(ret, 16, data, len, key, 32);
}

bool hash_equal(const void *a, const void *b, size_t len) { return sodium_memcmp(a, b, len) == 0; }

uint64_t hash_table_key(const uint8_t key[16], const void *data, size_t len) {
    uint8_t tag[crypto_shorthash_siphash24_BYTES];
    crypto_shorthash_siphash24(tag, data, len, key);
    uint64_t v = 0;
    for (size_t i = sizeof tag; i > 0; i--) v = v << 8 | tag[i - 1];
    return v;
}
