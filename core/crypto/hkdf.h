/* hkdf.h - HMAC over BLAKE2b-512 (RFC 2104) and the key derivation that Noise makes of it.
 *
 * libsodium has BLAKE2b but no HMAC over it: BLAKE2b has a keyed mode of its own. Noise (4.3) asks
 * for HMAC with every hash. Only core/crypto uses this. */
#ifndef HKDF_H
#define HKDF_H

#include "core/base/base.h"

#define HKDF_BYTES 64 /* HASHLEN */

/* `key_len` at most 128, BLAKE2b's block. */
void hmac_blake2b(uint8_t ret[HKDF_BYTES], const void *key, size_t key_len, const void *data,
                  size_t data_len);
/* HKDF (Noise, 4.3) with two outputs. `ret_first` may be `chaining`. */
void hkdf_blake2b(uint8_t ret_first[HKDF_BYTES], uint8_t ret_second[HKDF_BYTES],
                  const uint8_t chaining[HKDF_BYTES], const void *material, size_t len);

#endif
