#include "core/swarm/window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 16

static_assert(sizeof(struct slot) == 64, "one line of the cache");

void window_init(struct window *w) { memset(w, 0, sizeof *w); }

static void bit_set(uint64_t bits[WINDOW_CHUNKS / 64], uint32_t number) {
    bits[number % WINDOW_CHUNKS / 64] |= 1ull << number % 64;
}

static void bit_clear(uint64_t bits[WINDOW_CHUNKS / 64], uint32_t number) {
    bits[number % WINDOW_CHUNKS / 64] &= ~(1ull << number % 64);
}

static void drop(struct window *w, struct slot *s) {
    if (!s->is_used) return;
    if (s->chunk != NULL) w->bytes -= chunk_size(s->chunk);
    chunk_unref(s->chunk);
    bit_clear(w->whole, s->number);
    bit_clear(w->access, s->number);
    *s = (struct slot){0};
}

static void drop_all(struct window *w) {
    for (size_t i = 0; i < w->capacity; i++) drop(w, &w->slots[i]);
}

void window_clear(struct window *w) {
    drop_all(w);
    free(w->slots);
    window_init(w);
}

uint32_t window_oldest(const struct window *w) {
    return w->newest >= WINDOW_CHUNKS ? w->newest - WINDOW_CHUNKS + 1 : 0;
}

static struct slot *at(const struct window *w, uint32_t number) {
    return &w->slots[number & (w->capacity - 1)];
}

struct slot *window_find(const struct window *w, uint32_t number) {
    if (!w->has_newest || number > w->newest || number < window_oldest(w)) return NULL;
    struct slot *s = at(w, number);
    return s->is_used && s->number == number ? s : NULL;
}

/* Twice as wide: what shared a place has one of its own. */
static bool grow(struct window *w) {
    struct window wide = *w;
    wide.capacity = w->capacity == 0 ? CAPACITY_FIRST : w->capacity * 2;
    size_t bytes = wide.capacity * sizeof *w->slots;
    wide.slots = aligned_alloc(sizeof *w->slots, bytes);
    if (wide.slots == NULL) return false;
    memset(wide.slots, 0, bytes);
    for (size_t i = 0; i < w->capacity; i++)
        if (w->slots[i].is_used) *at(&wide, w->slots[i].number) = w->slots[i];
    free(w->slots);
    *w = wide;
    return true;
}

/* Makes `number` the newest: what the ring passes over is dropped. */
static void advance(struct window *w, uint32_t number) {
    bool passes_all = !w->has_newest || number - w->newest >= WINDOW_CHUNKS;
    uint32_t oldest = window_oldest(w);
    w->newest = number;
    if (passes_all) drop_all(w);
    for (; !passes_all && w->capacity > 0 && oldest < window_oldest(w); oldest++)
        if (at(w, oldest)->number == oldest) drop(w, at(w, oldest));
    w->has_newest = true;
}

struct slot *window_slot(struct window *w, uint32_t number, uint64_t now_us) {
    struct slot *s = window_find(w, number);
    if (s != NULL) return s;
    if (!w->has_newest || number > w->newest)
        advance(w, number);
    else if (number < window_oldest(w))
        return NULL;
    while (w->capacity == 0 || at(w, number)->is_used)
        if (!grow(w)) return NULL;
    s = at(w, number);
    *s = (struct slot){.number = number, .is_used = true, .seen_us = now_us};
    if (number < w->first) w->first = number;
    return s;
}

/* The oldest number that has a slot, or the newest. */
static uint32_t first_slot(struct window *w) {
    uint32_t oldest = window_oldest(w);
    if (w->first < oldest) w->first = oldest;
    while (w->first < w->newest && window_find(w, w->first) == NULL) w->first++;
    return w->first;
}

void window_set_chunk(struct window *w, struct slot *s, struct chunk *chunk) {
    assert(s->chunk == NULL && s->number == chunk->head->number);
    s->chunk = chunk_ref(chunk);
    window_cell_came(s);
    if (chunk->head->flags & HEAD_RANDOM_ACCESS) bit_set(w->access, s->number);
    w->bytes += chunk_size(chunk);
    if (chunk->head->capture_us < WINDOW_US) return;
    uint64_t keep_from_us = chunk->head->capture_us - WINDOW_US;
    for (uint32_t i = first_slot(w); i < chunk->head->number; i++) {
        const struct slot *old = window_find(w, i);
        if (old == NULL || old->chunk == NULL) continue;
        if (old->chunk->head->capture_us >= keep_from_us) break;
        drop(w, at(w, i));
    }
}

void window_set_whole(struct window *w, struct slot *s, uint64_t now_us) {
    s->complete_us = now_us;
    s->missing = 0;
    bit_set(w->whole, s->number);
}

uint32_t window_next_hole(const struct window *w, uint32_t from) {
    uint32_t i = from;
    if (!w->has_newest || from < window_oldest(w) || from > w->newest) return from;
    while (i <= w->newest) {
        uint64_t holes = ~w->whole[i % WINDOW_CHUNKS / 64] >> i % 64;
        if (holes != 0)
            return (uint32_t)u64_min(i + (uint32_t)__builtin_ctzll(holes), w->newest + 1);
        i = (i | 63) + 1;
    }
    return w->newest + 1;
}

static uint64_t reversed(uint64_t bits) {
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits);
}

uint64_t window_recent(const struct window *w) {
    unsigned at = w->newest % 64;
    uint64_t high = w->whole[w->newest % WINDOW_CHUNKS / 64];
    uint64_t low = w->newest < 64 ? 0 : w->whole[(w->newest - 64) % WINDOW_CHUNKS / 64];
    return w->has_newest ? reversed(at == 63 ? high : high << (63 - at) | low >> (at + 1)) : 0;
}

bool window_drop_oldest(struct window *w) {
    if (!w->has_newest) return false;
    for (uint32_t i = first_slot(w); i < w->newest; i++) {
        const struct slot *old = window_find(w, i);
        if (old == NULL || old->chunk == NULL) continue;
        drop(w, at(w, i));
        return true;
    }
    return false;
}

/* Of the 64 numbers that stand in a word with this one, the random access points that are whole. */
static uint64_t access_in_word(const struct window *w, uint32_t number) {
    size_t word = number % WINDOW_CHUNKS / 64;
    return w->access[word] & w->whole[word];
}

struct slot *window_newest_random_access(const struct window *w) {
    if (!w->has_newest) return NULL;
    uint32_t oldest = window_oldest(w);
    for (uint32_t i = w->newest;; i = (i & ~63u) - 1) {
        uint64_t found = access_in_word(w, i) << (63 - i % 64); /* from bit 63 down: i and below */
        uint32_t back = found == 0 ? 64 : (uint32_t)__builtin_clzll(found);
        if (found != 0) return back <= i - oldest ? window_find(w, i - back) : NULL;
        if (i - oldest <= i % 64) return NULL;
    }
}

struct slot *window_next_random_access(const struct window *w, uint32_t from) {
    if (!w->has_newest) return NULL;
    for (uint32_t i = from > window_oldest(w) ? from : window_oldest(w); i <= w->newest;
         i = (i | 63) + 1) {
        uint64_t found = access_in_word(w, i) >> i % 64;
        uint32_t ahead = found == 0 ? 64 : (uint32_t)__builtin_ctzll(found);
        if (found != 0) return ahead <= w->newest - i ? window_find(w, i + ahead) : NULL;
        if (w->newest - i <= 63 - i % 64) return NULL;
    }
    return NULL;
}
