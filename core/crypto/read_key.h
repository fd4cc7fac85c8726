/* read_key.h - the payloads of a private channel (PROTOCOL 14).
 *
 * A chunk's payload is sealed at the source under a key derived from the read key and the
 * broadcast, with (track, number) as the nonce: each chunk is sealed once, so no nonce repeats.
 * Heads sign the sealed bytes, so a relay without the read key checks and forwards what it cannot
 * watch. */
#ifndef READ_KEY_H
#define READ_KEY_H

#include "core/base/base.h"
#include "core/crypto/random.h"

#define READ_KEY_BYTES 32
#define READ_KEY_OVERHEAD 16 /* the tag that sealing adds */

struct read_key {
    uint8_t bytes[READ_KEY_BYTES];
};

void read_key_generate(struct read_key *ret, struct random *random);
/* `ret` takes len + READ_KEY_OVERHEAD bytes and may be `plain`. */
void read_key_seal(const struct read_key *key, uint64_t broadcast, uint8_t track, uint32_t number,
                   const void *plain, size_t len, uint8_t *ret);
/* Returns the plain length, ERR_TRUNCATED or ERR_DECRYPT. `ret` may be `sealed`. */
MUST_CHECK int read_key_unseal(const struct read_key *key, uint64_t broadcast, uint8_t track,
                               uint32_t number, const uint8_t *sealed, size_t len, uint8_t *ret);

#endif
