/* neighbour_set.h - some of a channel's neighbours, as bits by their place in its table.
 *
 * What is done for each datagram asks such a set, not every neighbour. Invariant: no bit at or
 * above the channel's number of neighbours. */
#ifndef NEIGHBOUR_SET_H
#define NEIGHBOUR_SET_H

#include <stdbool.h>

#include "core/base/base.h"

#define NEIGHBOURS_MAX 144  /* 128 that are proven, and NEIGHBOURS_SPARE */
#define NEIGHBOURS_SPARE 16 /* dialling, or not yet proven: those have places of their own */
#define NEIGHBOUR_SET_WORDS ((NEIGHBOURS_MAX + 63) / 64)

struct neighbour_set {
    uint64_t words[NEIGHBOUR_SET_WORDS];
};

static inline void neighbour_set_add(struct neighbour_set *s, size_t at) {
    s->words[at / 64] |= 1ull << at % 64;
}

static inline void neighbour_set_remove(struct neighbour_set *s, size_t at) {
    s->words[at / 64] &= ~(1ull << at % 64);
}

static inline bool neighbour_set_has(const struct neighbour_set *s, size_t at) {
    return s->words[at / 64] >> at % 64 & 1;
}

static inline bool neighbour_set_is_empty(const struct neighbour_set *s) {
    uint64_t all = 0;
    for (size_t i = 0; i < NEIGHBOUR_SET_WORDS; i++) all |= s->words[i];
    return all == 0;
}

/* The first one at `from` or after it that is in `s` and not in `but`; NEIGHBOURS_MAX: none. */
static inline size_t neighbour_set_next_but(const struct neighbour_set *s,
                                            const struct neighbour_set *but, size_t from) {
    for (size_t i = from / 64; i < NEIGHBOUR_SET_WORDS; i++) {
        uint64_t word = s->words[i] & ~but->words[i];
        if (i == from / 64) word &= UINT64_MAX << from % 64;
        if (word != 0) return i * 64 + (size_t)__builtin_ctzll(word);
    }
    return NEIGHBOURS_MAX;
}

static inline size_t neighbour_set_next(const struct neighbour_set *s, size_t from) {
    return neighbour_set_next_but(s, &(struct neighbour_set){{0}}, from);
}

static inline void neighbour_set_join(struct neighbour_set *s, const struct neighbour_set *other) {
    for (size_t i = 0; i < NEIGHBOUR_SET_WORDS; i++) s->words[i] |= other->words[i];
}

static inline void neighbour_set_meet(struct neighbour_set *s, const struct neighbour_set *other) {
    for (size_t i = 0; i < NEIGHBOUR_SET_WORDS; i++) s->words[i] &= other->words[i];
}

/* The place `at` is no more: those above it move down by one. */
static inline void neighbour_set_close(struct neighbour_set *s, size_t at) {
    for (size_t i = at / 64; i < NEIGHBOUR_SET_WORDS; i++) {
        uint64_t kept = i == at / 64 ? (1ull << at % 64) - 1 : 0;
        uint64_t above = i + 1 < NEIGHBOUR_SET_WORDS ? s->words[i + 1] << 63 : 0;
        s->words[i] = (s->words[i] & kept) | ((s->words[i] >> 1 | above) & ~kept);
    }
}

#endif
