#include "core/crypto/hkdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "core/crypto/random.h"

#define BLOCK_BYTES 128 /* RFC 7693, 2.1 */

/* H((key xor `pad`) || data): one of HMAC's two passes. */
static void hash_padded(uint8_t ret[HKDF_BYTES], const uint8_t key[BLOCK_BYTES], uint8_t pad,
                        const void *data, size_t len) {
    uint8_t block[BLOCK_BYTES];
    for (size_t i = 0; i < sizeof block; i++) block[i] = key[i] ^ pad;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HKDF_BYTES);
    crypto_generichash_update(&state, block, sizeof block);
    crypto_generichash_update(&state, data, len);
    crypto_generichash_final(&state, ret, HKDF_BYTES);
    secret_erase(block, sizeof block);
    secret_erase(&state, sizeof state);
}

void hmac_blake2b(uint8_t ret[HKDF_BYTES], const void *key, size_t key_len, const void *data,
                  size_t data_len) {
    assert(key_len <= BLOCK_BYTES);
    uint8_t padded[BLOCK_BYTES] = {0};
    if (key_len > 0) memcpy(padded, key, key_len);
    uint8_t inner[HKDF_BYTES];
    hash_padded(inner, padded, 0x36, data, data_len);
    hash_padded(ret, padded, 0x5c, inner, sizeof inner);
    secret_erase(padded, sizeof padded);
    secret_erase(inner, sizeof inner);
}

void hkdf_blake2b(uint8_t ret_first[HKDF_BYTES], uint8_t ret_second[HKDF_BYTES],
                  const uint8_t chaining[HKDF_BYTES], const void *material, size_t len) {
    uint8_t temp[HKDF_BYTES];
    hmac_blake2b(temp, chaining, HKDF_BYTES, material, len);
    uint8_t text[HKDF_BYTES + 1] = {1};
    hmac_blake2b(ret_first, temp, sizeof temp, text, 1);
    memcpy(text, ret_first, HKDF_BYTES);
    text[HKDF_BYTES] = 2;
    hmac_blake2b(ret_second, temp, sizeof temp, text, sizeof text);
    secret_erase(temp, sizeof temp);
    secret_erase(text, sizeof text);
}
