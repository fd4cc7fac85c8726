/* tag_mix.h - what tags are made of: mixing of 64-bit words, as good as a hash table needs.
 *
 * The steps are Stafford's variant of MurmurHash3's finaliser, as in splitmix64. Each is a
 * bijection of the word that it takes in, so one changed word always changes the result. Words are
 * read little-endian, so a run is the same on every machine. Only the tag_ files use it. */
#ifndef TAG_MIX_H
#define TAG_MIX_H

#include <string.h>

#include "core/base/base.h"

#define MIX_GOLDEN 0x9e3779b97f4a7c15ull
#define MIX_FIRST 0xbf58476d1ce4e5b9ull
#define MIX_SECOND 0x94d049bb133111ebull

static inline uint64_t mix_load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void mix_store(uint8_t *p, uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof v);
}

static inline uint64_t mix_word(uint64_t v) {
    v = (v ^ v >> 30) * MIX_FIRST;
    v = (v ^ v >> 27) * MIX_SECOND;
    return v ^ v >> 31;
}

/* A word at place `lane`: to be added to others, so that the processor works on all at once. */
static inline uint64_t mix_lane(uint64_t v, uint64_t lane) {
    v = (v ^ lane * MIX_GOLDEN) * MIX_FIRST;
    v = (v ^ v >> 32) * MIX_SECOND;
    return v ^ v >> 29;
}

static inline uint64_t mix_step(uint64_t h, uint64_t v) {
    h = (h ^ v) * MIX_FIRST;
    return h ^ h >> 32;
}

/* Every byte, and the length. */
static inline uint64_t mix_text(uint64_t seed, const void *text, size_t len) {
    const uint8_t *p = text;
    uint64_t h = mix_step(seed, len);
    if (len >= 32) {
        uint64_t lanes[4] = {h, seed + 1, seed + 2, seed + 3};
        for (; len >= 32; p += 32, len -= 32)
            for (size_t i = 0; i < 4; i++) lanes[i] = mix_step(lanes[i], mix_load(p + 8 * i));
        h = lanes[0];
        for (size_t i = 1; i < 4; i++) h = mix_step(h, lanes[i]);
    }
    for (; len >= 8; p += 8, len -= 8) h = mix_step(h, mix_load(p));
    uint8_t rest[8] = {0};
    if (len > 0) memcpy(rest, p, len);
    return mix_word(mix_step(h, mix_load(rest)));
}

/* Four words, of a key. */
static inline uint64_t mix_key(const uint8_t key[32]) {
    return mix_lane(mix_load(key), 1) + mix_lane(mix_load(key + 8), 2) +
           mix_lane(mix_load(key + 16), 3) + mix_lane(mix_load(key + 24), 4);
}

/* Any number of bytes from one word. */
static inline void mix_expand(uint64_t h, uint8_t *ret, size_t len) {
    for (; len >= 8; ret += 8, len -= 8) mix_store(ret, mix_word(h += MIX_GOLDEN));
    if (len == 0) return;
    uint8_t rest[8];
    mix_store(rest, mix_word(h + MIX_GOLDEN));
    memcpy(ret, rest, len);
}

#endif
