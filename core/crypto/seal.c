/* The sealing half of noise.h: what a session's keys do after the handshake. */
#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/noise.h"

/* The highest counter never seals a message: Noise, 5.1, keeps it for rekeying. */
#define COUNTER_REKEY UINT64_MAX

static void counter_nonce(uint64_t counter,
                          uint8_t ret[crypto_aead_chacha20poly1305_IETF_NPUBBYTES]) {
    memset(ret, 0, 4);
    for (size_t i = 0; i < 8; i++) ret[4 + i] = (uint8_t)(counter >> 8 * i);
}

static void encrypt(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
                    const void *plain, size_t len, uint8_t *ret) {
    uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];
    counter_nonce(counter, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, plain, len, aad, aad_len, NULL, nonce,
                                              key->key);
}

void seal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
          const void *plain, size_t len, uint8_t *ret) {
    assert(counter != COUNTER_REKEY);
    encrypt(key, counter, aad, aad_len, plain, len, ret);
}

int unseal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
           const uint8_t *sealed, size_t len, uint8_t *ret) {
    assert(len <= INT_MAX);
    if (len < NOISE_TAG_BYTES) return ERR_TRUNCATED;
    if (counter == COUNTER_REKEY) return ERR_DECRYPT;
    uint8_t nonce[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];
    counter_nonce(counter, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed, len, aad, aad_len, nonce,
                                                  key->key) != 0)
        return ERR_DECRYPT;
    return (int)(len - NOISE_TAG_BYTES);
}

void seal_rekey(struct seal_key *key) {
    static const uint8_t zeros[sizeof key->key];
    uint8_t sealed[sizeof key->key + NOISE_TAG_BYTES];
    encrypt(key, COUNTER_REKEY, NULL, 0, zeros, sizeof zeros, sealed);
    memcpy(key->key, sealed, sizeof key->key);
    secret_erase(sealed, sizeof sealed);
}
