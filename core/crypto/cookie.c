#include "core/crypto/cookie.h"

#include <sodium.h>

#include "core/base/err.h"

void cookie_seal(uint8_t ret[COOKIE_SEALED_BYTES], const uint8_t cookie[COOKIE_BYTES],
                 const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES], const void *aad,
                 size_t aad_len) {
    crypto_aead_xchacha20poly1305_ietf_encrypt(ret, NULL, cookie, COOKIE_BYTES, aad, aad_len, NULL,
                                               nonce, key);
}

int cookie_unseal(uint8_t ret[COOKIE_BYTES], const uint8_t sealed[COOKIE_SEALED_BYTES],
                  const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES], const void *aad,
                  size_t aad_len) {
    int err = crypto_aead_xchacha20poly1305_ietf_decrypt(
        ret, NULL, NULL, sealed, COOKIE_SEALED_BYTES, aad, aad_len, nonce, key);
    return err ? ERR_DECRYPT : 0;
}
