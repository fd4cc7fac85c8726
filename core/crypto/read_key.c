#include "core/crypto/read_key.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define NONCE_BYTES crypto_aead_chacha20poly1305_IETF_NPUBBYTES

static_assert(READ_KEY_OVERHEAD == crypto_aead_chacha20poly1305_IETF_ABYTES, "the tag's length");

/* The broadcast's key: keyed BLAKE2b-256 of its id. A broadcast that starts again at chunk 0 has
 * another id and so another key. */
static void broadcast_key(const struct read_key *key, uint64_t broadcast,
                          uint8_t ret[READ_KEY_BYTES]) {
    static const char context[] = "shoal payload 1";
    uint8_t text[sizeof context + 8];
    struct writer w = writer_init(text, sizeof text);
    write_bytes(&w, context, sizeof context);
    write_u64(&w, broadcast);
    crypto_generichash(ret, READ_KEY_BYTES, text, sizeof text, key->bytes, sizeof key->bytes);
}

static void chunk_nonce(uint8_t track, uint32_t number, uint8_t ret[NONCE_BYTES]) {
    memset(ret, 0, NONCE_BYTES);
    ret[NONCE_BYTES - 5] = track;
    store_u32(ret + NONCE_BYTES - 4, number);
}

void read_key_generate(struct read_key *ret, struct random *random) {
    random_bytes(random, ret->bytes, sizeof ret->bytes);
}

void read_key_seal(const struct read_key *key, uint64_t broadcast, uint8_t track, uint32_t number,
                   const void *plain, size_t len, uint8_t *ret) {
    uint8_t derived[READ_KEY_BYTES], nonce[NONCE_BYTES];
    broadcast_key(key, broadcast, derived);
    chunk_nonce(track, number, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, plain, len, NULL, 0, NULL, nonce, derived);
    secret_erase(derived, sizeof derived);
}

int read_key_unseal(const struct read_key *key, uint64_t broadcast, uint8_t track, uint32_t number,
                    const uint8_t *sealed, size_t len, uint8_t *ret) {
    assert(len <= INT_MAX);
    if (len < READ_KEY_OVERHEAD) return ERR_TRUNCATED;
    uint8_t derived[READ_KEY_BYTES], nonce[NONCE_BYTES];
    broadcast_key(key, broadcast, derived);
    chunk_nonce(track, number, nonce);
    int err = crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed, len, NULL, 0,
                                                        nonce, derived);
    secret_erase(derived, sizeof derived);
    return err ? ERR_DECRYPT : (int)(len - READ_KEY_OVERHEAD);
}
