/* Hashes and random bytes. */
#include "tests/sim/tag_forms.h"
#include "tests/sim/tag_mix.h"

#define CELL_WORDS 9

/* Nine words, the first, the last, the middle and evenly between: a cell that a simulated peer
 * spoils is spoilt in every byte or in the middle one, or stands in the place of another. */
void tag_hash_cell(uint8_t ret[HASH_CELL_BYTES], const void *payload, size_t len) {
    uint64_t h = mix_lane(len, CELL_WORDS + 1);
    if (len < 8 * CELL_WORDS) {
        h += mix_text(5, payload, len);
    } else {
        const uint8_t *p = payload;
        for (size_t i = 0; i < CELL_WORDS; i++)
            h += mix_lane(mix_load(p + i * (len - 8) / (CELL_WORDS - 1)), i + 1);
    }
    mix_expand(mix_word(h), ret, HASH_CELL_BYTES);
}

void tag_hash_context(uint8_t *ret, size_t len, const char *context, const void *data,
                      size_t data_len) {
    mix_expand(mix_text(mix_text(6, context, strlen(context)), data, data_len), ret, len);
}

void tag_hash_mac(uint8_t ret[16], const uint8_t key[32], const void *data, size_t len) {
    mix_expand(mix_text(mix_key(key), data, len), ret, 16);
}

/* A counter in the first word; the words from all four. A seed with a single bit set is as good as
 * any, which a xorshift would need many steps for. */
void tag_random_bytes(struct random *r, void *ret, size_t len) {
    mix_store(r->key, mix_load(r->key) + MIX_GOLDEN);
    mix_expand(mix_word(mix_key(r->key)), ret, len);
}
