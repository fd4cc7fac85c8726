/* The names in comments, MixHash and so on, are those of the Noise specification, 5.2 and 5.3. */
#include "core/crypto/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/hkdf.h"

static const char protocol_name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2b";

void dh_key_from_secret(struct dh_key *ret, const uint8_t secret[NOISE_DH_BYTES]) {
    memmove(ret->secret, secret, NOISE_DH_BYTES);
    crypto_scalarmult_base(ret->public, ret->secret);
}

void dh_key_from_sign_key(struct dh_key *ret, const struct sign_key *key) {
    crypto_sign_ed25519_sk_to_curve25519(ret->secret, key->secret);
    crypto_scalarmult_base(ret->public, ret->secret);
}

int dh_public_from_public_key(uint8_t ret[NOISE_DH_BYTES], const struct public_key *key) {
    uint8_t public[NOISE_DH_BYTES];
    if (crypto_sign_ed25519_pk_to_curve25519(public, key->bytes) != 0) return ERR_RANGE;
    memcpy(ret, public, sizeof public);
    return 0;
}

/* MixHash */
static void mix_hash(struct noise *n, const void *data, size_t len) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, NOISE_HASH_BYTES);
    crypto_generichash_update(&state, n->hash, NOISE_HASH_BYTES);
    crypto_generichash_update(&state, data, len);
    crypto_generichash_final(&state, n->hash, NOISE_HASH_BYTES);
}

/* MixKey */
static void mix_key(struct noise *n, const uint8_t material[NOISE_DH_BYTES]) {
    uint8_t key[HKDF_BYTES];
    hkdf_blake2b(n->chaining, key, n->chaining, material, NOISE_DH_BYTES);
    memcpy(n->key.key, key, sizeof n->key.key);
    n->counter = 0;
    n->has_key = true;
    secret_erase(key, sizeof key);
}

/* MixKey(DH(secret, public)), for the tokens ee, es, se and ss. */
static int mix_dh(struct noise *n, const struct dh_key *local,
                  const uint8_t remote[NOISE_DH_BYTES]) {
    uint8_t shared[NOISE_DH_BYTES];
    /* libsodium refuses the all-zero result, that is, keys of small order. */
    if (crypto_scalarmult(shared, local->secret, remote) != 0) return ERR_RANGE;
    mix_key(n, shared);
    secret_erase(shared, sizeof shared);
    return 0;
}

/* EncryptAndHash. Returns what was written. */
static size_t encrypt_and_hash(struct noise *n, const void *plain, size_t len, uint8_t *ret) {
    assert(n->has_key);
    seal(&n->key, n->counter++, n->hash, NOISE_HASH_BYTES, plain, len, ret);
    mix_hash(n, ret, len + NOISE_TAG_BYTES);
    return len + NOISE_TAG_BYTES;
}

/* DecryptAndHash. `ret` must not be `sealed`. */
static int decrypt_and_hash(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *ret) {
    assert(n->has_key);
    int plain_len = unseal(&n->key, n->counter, n->hash, NOISE_HASH_BYTES, sealed, len, ret);
    if (plain_len < 0) return plain_len;
    n->counter++;
    mix_hash(n, sealed, len);
    return plain_len;
}

void noise_init(struct noise *n, bool initiator, const struct dh_key *local,
                const uint8_t remote[NOISE_DH_BYTES], const void *prologue, size_t prologue_len) {
    assert(initiator == (remote != NULL));
    *n = (struct noise){.initiator = initiator, .local = *local};
    /* A name shorter than a hash stands for its own hash, filled up with zeros (5.2). */
    static_assert(sizeof protocol_name - 1 <= NOISE_HASH_BYTES, "the name would be hashed");
    memcpy(n->hash, protocol_name, sizeof protocol_name - 1);
    memcpy(n->chaining, n->hash, sizeof n->chaining);
    mix_hash(n, prologue, prologue_len);
    if (initiator) memcpy(n->remote, remote, sizeof n->remote);
    mix_hash(n, initiator ? n->remote : n->local.public, NOISE_DH_BYTES); /* pre-message: <- s */
}

void noise_release(struct noise *n) {
    if (n != NULL) secret_erase(n, sizeof *n);
}

/* -> e, es, s, ss, payload */
static int write_message1(struct noise *n, const void *payload, size_t len, uint8_t *ret) {
    memcpy(ret, n->ephemeral.public, NOISE_DH_BYTES);
    mix_hash(n, ret, NOISE_DH_BYTES);
    size_t at = NOISE_DH_BYTES;
    int err = mix_dh(n, &n->ephemeral, n->remote);
    if (err) return err;
    at += encrypt_and_hash(n, n->local.public, NOISE_DH_BYTES, ret + at);
    err = mix_dh(n, &n->local, n->remote);
    if (err) return err;
    at += encrypt_and_hash(n, payload, len, ret + at);
    return (int)at;
}

/* <- e, ee, se, payload */
static int write_message2(struct noise *n, const void *payload, size_t len, uint8_t *ret) {
    memcpy(ret, n->ephemeral.public, NOISE_DH_BYTES);
    mix_hash(n, ret, NOISE_DH_BYTES);
    int err = mix_dh(n, &n->ephemeral, n->remote_ephemeral);
    if (err) return err;
    err = mix_dh(n, &n->ephemeral, n->remote);
    if (err) return err;
    return (int)(NOISE_DH_BYTES + encrypt_and_hash(n, payload, len, ret + NOISE_DH_BYTES));
}

int noise_write(struct noise *n, const struct dh_key *ephemeral, const void *payload, size_t len,
                uint8_t *ret) {
    assert(n->initiator != n->has_key); /* message 1 goes first */
    struct noise next = *n;
    next.ephemeral = *ephemeral;
    int written = next.initiator ? write_message1(&next, payload, len, ret)
                                 : write_message2(&next, payload, len, ret);
    if (written >= 0) *n = next;
    noise_release(&next);
    return written;
}

static int read_message1(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    if (len < NOISE_MESSAGE1_OVERHEAD) return ERR_TRUNCATED;
    memcpy(n->remote_ephemeral, message, NOISE_DH_BYTES);
    mix_hash(n, message, NOISE_DH_BYTES);
    size_t at = NOISE_DH_BYTES;
    int err = mix_dh(n, &n->local, n->remote_ephemeral);
    if (err) return err;
    err = decrypt_and_hash(n, message + at, NOISE_DH_BYTES + NOISE_TAG_BYTES, n->remote);
    if (err < 0) return err;
    at += NOISE_DH_BYTES + NOISE_TAG_BYTES;
    err = mix_dh(n, &n->local, n->remote);
    if (err) return err;
    return decrypt_and_hash(n, message + at, len - at, ret);
}

static int read_message2(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    if (len < NOISE_MESSAGE2_OVERHEAD) return ERR_TRUNCATED;
    memcpy(n->remote_ephemeral, message, NOISE_DH_BYTES);
    mix_hash(n, message, NOISE_DH_BYTES);
    int err = mix_dh(n, &n->ephemeral, n->remote_ephemeral);
    if (err) return err;
    err = mix_dh(n, &n->local, n->remote_ephemeral);
    if (err) return err;
    return decrypt_and_hash(n, message + NOISE_DH_BYTES, len - NOISE_DH_BYTES, ret);
}

int noise_read(struct noise *n, const uint8_t *message, size_t len, uint8_t *ret) {
    assert(n->initiator == n->has_key); /* an initiator has written message 1 by now */
    struct noise next = *n;
    int payload_len = next.initiator ? read_message2(&next, message, len, ret)
                                     : read_message1(&next, message, len, ret);
    if (payload_len >= 0) *n = next;
    noise_release(&next);
    return payload_len;
}

void noise_split(const struct noise *n, struct seal_key *ret_send, struct seal_key *ret_receive) {
    assert(n->has_key);
    uint8_t first[HKDF_BYTES], second[HKDF_BYTES];
    hkdf_blake2b(first, second, n->chaining, NULL, 0);
    const uint8_t *send = n->initiator ? first : second;
    const uint8_t *receive = n->initiator ? second : first;
    memcpy(ret_send->key, send, sizeof ret_send->key);
    memcpy(ret_receive->key, receive, sizeof ret_receive->key);
    secret_erase(first, sizeof first);
    secret_erase(second, sizeof second);
}
