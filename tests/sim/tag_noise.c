/* The handshake of core/crypto/noise.c, token for token, on tags. A Diffie-Hellman result is mixed
 * from the two public keys, the same on both ends, and a public key from its secret. */
#include <assert.h>

#include "core/base/err.h"
#include "tests/sim/tag_forms.h"
#include "tests/sim/tag_mix.h"

static void public_of(const uint8_t secret[NOISE_DH_BYTES], uint8_t ret[NOISE_DH_BYTES]) {
    mix_expand(mix_text(9, secret, NOISE_DH_BYTES), ret, NOISE_DH_BYTES);
}

void tag_dh_key_from_secret(struct dh_key *ret, const uint8_t secret[NOISE_DH_BYTES]) {
    memmove(ret->secret, secret, NOISE_DH_BYTES);
    public_of(ret->secret, ret->public);
}

/* The Ed25519 public key stands for the X25519 secret, so that others can compute the public one.
 */
void tag_dh_key_from_sign_key(struct dh_key *ret, const struct sign_key *key) {
    tag_dh_key_from_secret(ret, key->public.bytes);
}

int tag_dh_public_from_public_key(uint8_t ret[NOISE_DH_BYTES], const struct public_key *key) {
    if (!tag_public_key_is_valid(key)) return ERR_RANGE;
    public_of(key->bytes, ret);
    return 0;
}

/* The state's first word stands for all of the hash and of the chaining key. */
static void mix_hash(struct noise *n, const void *data, size_t len) {
    mix_store(n->hash, mix_text(mix_load(n->hash), data, len));
}

static int mix_dh(struct noise *n, const struct dh_key *local,
                  const uint8_t remote[NOISE_DH_BYTES]) {
    static const uint8_t small_order[NOISE_DH_BYTES];
    if (memcmp(remote, small_order, sizeof small_order) == 0) return ERR_RANGE;
    uint64_t shared = mix_word(mix_key(local->public)) + mix_word(mix_key(remote));
    uint64_t chaining = mix_word(mix_step(mix_load(n->chaining), shared));
    mix_store(n->chaining, chaining);
    mix_expand(chaining, n->key.key, sizeof n->key.key);
    n->counter = 0;
    n->has_key = true;
    return 0;
}

static size_t put(struct noise *n, const void *plain, size_t len, uint8_t *ret) {
    tag_seal(&n->key, n->counter++, n->hash, NOISE_HASH_BYTES, plain, len, ret);
    mix_hash(n, ret, len + NOISE_TAG_BYTES);
    return len + NOISE_TAG_BYTES;
}

static int take(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *ret) {
    int plain_len = tag_unseal(&n->key, n->counter, n->hash, NOISE_HASH_BYTES, sealed, len, ret);
    if (plain_len < 0) return plain_len;
    n->counter++;
    mix_hash(n, sealed, len);
    return plain_len;
}

void tag_noise_init(struct noise *n, bool initiator, const struct dh_key *local,
                    const uint8_t remote[NOISE_DH_BYTES], const void *prologue,
                    size_t prologue_len) {
    assert(initiator == (remote != NULL));
    *n = (struct noise){.initiator = initiator, .local = *local};
    mix_hash(n, prologue, prologue_len);
    if (initiator) memcpy(n->remote, remote, sizeof n->remote);
    mix_hash(n, initiator ? n->remote : n->local.public, NOISE_DH_BYTES);
}

/* e, es, s, ss, payload */
static int write_message1(struct noise *n, const void *payload, size_t len, uint8_t *ret) {
    int err = mix_dh(n, &n->ephemeral, n->remote);
    if (err) return err;
    size_t at = put(n, n->local.public, NOISE_DH_BYTES, ret);
    err = mix_dh(n, &n->local, n->remote);
    return err ? err : (int)(at + put(n, payload, len, ret + at));
}

/* e, ee, se, payload */
static int write_message2(struct noise *n, const void *payload, size_t len, uint8_t *ret) {
    int err = mix_dh(n, &n->ephemeral, n->remote_ephemeral);
    if (!err) err = mix_dh(n, &n->ephemeral, n->remote);
    return err ? err : (int)put(n, payload, len, ret);
}

int tag_noise_write(struct noise *n, const struct dh_key *ephemeral, const void *payload,
                    size_t len, uint8_t *ret) {
    assert(n->initiator != n->has_key);
    struct noise next = *n;
    next.ephemeral = *ephemeral;
    memcpy(ret, ephemeral->public, NOISE_DH_BYTES);
    mix_hash(&next, ret, NOISE_DH_BYTES);
    int written = next.initiator ? write_message1(&next, payload, len, ret + NOISE_DH_BYTES)
                                 : write_message2(&next, payload, len, ret + NOISE_DH_BYTES);
    if (written < 0) return written;
    *n = next;
    return NOISE_DH_BYTES + written;
}

static int read_message1(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    size_t remote_len = NOISE_DH_BYTES + NOISE_TAG_BYTES;
    int err = mix_dh(n, &n->local, n->remote_ephemeral);
    if (err) return err;
    err = take(n, message, remote_len, n->remote);
    if (err < 0) return err;
    err = mix_dh(n, &n->local, n->remote);
    return err ? err : take(n, message + remote_len, len - remote_len, ret);
}

static int read_message2(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    int err = mix_dh(n, &n->ephemeral, n->remote_ephemeral);
    if (!err) err = mix_dh(n, &n->local, n->remote_ephemeral);
    return err ? err : take(n, message, len, ret);
}

int tag_noise_read(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    assert(n->initiator == n->has_key);
    if (len < (n->initiator ? NOISE_MESSAGE2_OVERHEAD : NOISE_MESSAGE1_OVERHEAD))
        return ERR_TRUNCATED;
    struct noise next = *n;
    memcpy(next.remote_ephemeral, message, NOISE_DH_BYTES);
    mix_hash(&next, message, NOISE_DH_BYTES);
    message += NOISE_DH_BYTES;
    len -= NOISE_DH_BYTES;
    int payload_len = next.initiator ? read_message2(&next, message, len, ret)
                                     : read_message1(&next, message, len, ret);
    if (payload_len >= 0) *n = next;
    return payload_len;
}

void tag_noise_split(const struct noise *n, struct seal_key *ret_send,
                     struct seal_key *ret_receive) {
    assert(n->has_key);
    uint64_t chaining = mix_load(n->chaining);
    struct seal_key *first = n->initiator ? ret_send : ret_receive;
    struct seal_key *second = n->initiator ? ret_receive : ret_send;
    mix_expand(mix_word(chaining + 1), first->key, sizeof first->key);
    mix_expand(mix_word(chaining + 2), second->key, sizeof second->key);
}
