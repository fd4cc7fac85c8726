/* Sealing that hides nothing: the text as it is, and a tag behind it. */
#include <assert.h>
#include <limits.h>

#include "core/base/err.h"
#include "tests/sim/tag_forms.h"
#include "tests/sim/tag_mix.h"

#define TAG_BYTES 16
#define WHOLE_BYTES 64 /* a text of up to this many is tagged whole: control messages */

static_assert(NOISE_TAG_BYTES == TAG_BYTES && READ_KEY_OVERHEAD == TAG_BYTES, "one tag for all");

/* What makes this sealing another than the next. */
struct sealing {
    const uint8_t *key; /* 32 bytes */
    uint64_t nonce;
    const void *aad;
    size_t aad_len;
};

/* The first 24 bytes, 16 in the middle, the last 24: headers stand in front, and whoever spoils a
 * datagram in a simulation spoils all of it. */
static uint64_t mix_content(const uint8_t *p, size_t len) {
    if (len <= WHOLE_BYTES) return mix_text(1, p, len);
    const uint8_t *middle = p + len / 2 - 8, *end = p + len - 24;
    return mix_lane(len, 1) + mix_lane(mix_load(p), 2) + mix_lane(mix_load(p + 8), 3) +
           mix_lane(mix_load(p + 16), 4) + mix_lane(mix_load(middle), 5) +
           mix_lane(mix_load(middle + 8), 6) + mix_lane(mix_load(end), 7) +
           mix_lane(mix_load(end + 8), 8) + mix_lane(mix_load(end + 16), 9);
}

static void make_tag(const struct sealing *s, const uint8_t *text, size_t len,
                     uint8_t ret[TAG_BYTES]) {
    uint64_t h = mix_key(s->key) + mix_lane(s->nonce, 5) + mix_text(2, s->aad, s->aad_len);
    mix_expand(mix_step(h, mix_content(text, len)), ret, TAG_BYTES);
}

static void put(const struct sealing *s, const void *plain, size_t len, uint8_t *ret) {
    if (len > 0 && ret != plain) memmove(ret, plain, len);
    make_tag(s, ret, len, ret + len);
}

/* `len` includes the tag. */
static int take(const struct sealing *s, const uint8_t *sealed, size_t len, uint8_t *ret) {
    if (len < TAG_BYTES) return ERR_TRUNCATED;
    len -= TAG_BYTES;
    uint8_t tag[TAG_BYTES];
    make_tag(s, sealed, len, tag);
    if (memcmp(tag, sealed + len, TAG_BYTES) != 0) return ERR_DECRYPT;
    if (len > 0 && ret != sealed) memmove(ret, sealed, len);
    return (int)len;
}

void tag_seal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
              const void *plain, size_t len, uint8_t *ret) {
    assert(counter != UINT64_MAX);
    put(&(struct sealing){key->key, counter, aad, aad_len}, plain, len, ret);
}

int tag_unseal(const struct seal_key *key, uint64_t counter, const void *aad, size_t aad_len,
               const uint8_t *sealed, size_t len, uint8_t *ret) {
    assert(len <= INT_MAX);
    return take(&(struct sealing){key->key, counter, aad, aad_len}, sealed, len, ret);
}

void tag_seal_rekey(struct seal_key *key) {
    mix_expand(mix_step(3, mix_key(key->key)), key->key, sizeof key->key);
}

void tag_cookie_seal(uint8_t ret[COOKIE_SEALED_BYTES], const uint8_t cookie[COOKIE_BYTES],
                     const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES],
                     const void *aad, size_t aad_len) {
    put(&(struct sealing){key, mix_text(4, nonce, COOKIE_NONCE_BYTES), aad, aad_len}, cookie,
        COOKIE_BYTES, ret);
}

int tag_cookie_unseal(uint8_t ret[COOKIE_BYTES], const uint8_t sealed[COOKIE_SEALED_BYTES],
                      const uint8_t key[32], const uint8_t nonce[COOKIE_NONCE_BYTES],
                      const void *aad, size_t aad_len) {
    int len = take(&(struct sealing){key, mix_text(4, nonce, COOKIE_NONCE_BYTES), aad, aad_len},
                   sealed, COOKIE_SEALED_BYTES, ret);
    return len < 0 ? len : 0;
}

static struct sealing payload_sealing(const struct read_key *key, uint64_t broadcast, uint8_t track,
                                      uint32_t number) {
    uint64_t place = (uint64_t)track << 32 | number;
    return (struct sealing){key->bytes, mix_step(mix_word(broadcast), place), NULL, 0};
}

void tag_read_key_seal(const struct read_key *key, uint64_t broadcast, uint8_t track,
                       uint32_t number, const void *plain, size_t len, uint8_t *ret) {
    struct sealing s = payload_sealing(key, broadcast, track, number);
    put(&s, plain, len, ret);
}

int tag_read_key_unseal(const struct read_key *key, uint64_t broadcast, uint8_t track,
                        uint32_t number, const uint8_t *sealed, size_t len, uint8_t *ret) {
    assert(len <= INT_MAX);
    struct sealing s = payload_sealing(key, broadcast, track, number);
    return take(&s, sealed, len, ret);
}
