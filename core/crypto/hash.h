/* hash.h - BLAKE2b (RFC 7693) of 16, 20, 32 or 64 bytes, and short keyed tags.
 *
 * Hashes that mean different things start with different contexts, so that none can stand for
 * another: the hashed text is the context, a zero byte, and the data. Cells are the exception, for
 * speed: their hash is over the payload alone. */
#ifndef HASH_H
#define HASH_H

#include <stdbool.h>

#include "core/base/base.h"

#define HASH_CELL_BYTES 16
#define RECORD_KEY_BYTES 20 /* of a DHT key, BLAKE2b-160 */

/* `len` from 16 to 64. */
void hash_context(uint8_t *ret, size_t len, const char *context, const void *data, size_t data_len);
/* BLAKE2b-128 of a cell's payload. */
void hash_cell(uint8_t ret[HASH_CELL_BYTES], const void *payload, size_t len);
/* Keyed BLAKE2b-128: mac1, mac2. `key` has 32 bytes. */
void hash_mac(uint8_t ret[16], const uint8_t key[32], const void *data, size_t len);
/* In time that does not depend on the contents. */
bool hash_equal(const void *a, const void *b, size_t len);
/* SipHash-2-4 with a secret key, for tables that a peer could otherwise fill with collisions. */
uint64_t hash_table_key(const uint8_t key[16], const void *data, size_t len);

#endif
