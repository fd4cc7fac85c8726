/* cookie.h - XChaCha20-Poly1305 sealing of the cookie reply (WireGuard, 5.4.7). */
#ifndef COOKIE_H
#define COOKIE_H

#include "core/base/base.h"

#define COOKIE_BYTES 16
#define COOKIE_NONCE_BYTES 24
#define COOKIE_SEALED_BYTES (COOKIE_BYTES + 16)

void cookie_seal(uint8_t ret[COOKIE_SEALED_BYTES], const uint8_t cookie[COOKIE_BYTES],
                 const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES], const void *aad,
                 size_t aad_len);
/* Returns 0 or ERR_DECRYPT. */
MUST_CHECK int cookie_unseal(uint8_t ret[COOKIE_BYTES], const uint8_t sealed[COOKIE_SEALED_BYTES],
                             const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES],
                             const void *aad, size_t aad_len);

#endif
