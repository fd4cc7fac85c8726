#include "core/swarm/window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define CAPACITY_FIRST 16

static_assert(sizeof(struct slot) == 64, "one line of the cache");

void window_init(struct window *w) { memset(w, 0, sizeof *w); }

static void bit_set(uint64_t bits[WINDOW_CHUNKS / 64], uint32_t number) {
    bits[number % WINDOW_CHUNKS / 64] |= 1ull << number % 64;
}

static bool bit_is_set(const uint64_t bits[WINDOW_CHUNKS / 64], uint32_t number) {
    return bits[number % WINDOW_CHUNKS / 64] >> number % 64 & 1;
}

static void bit_clear(uint64_t bits[WINDOW_CHUNKS / 64], uint32_t number) {
    bits[number % WINDOW_CHUNKS / 64] &= ~(1ull << number % 64);
}

uint32_t window_oldest(const struct window *w) {
    return w->newest >= WINDOW_CHUNKS ? w->newest - WINDOW_CHUNKS + 1 : 0;
}

static bool is_within(const struct window *w, uint32_t number) {
    return w->has_newest && number <= w->newest && number >= window_oldest(w);
}

static struct chunk **chunk_at(const struct window *w, uint32_t number) {
    return &w->chunks[number & (w->chunks_capacity - 1)];
}

static struct slot *slot_at(const struct window *w, uint32_t number) {
    return &w->slots[number & (w->slots_capacity - 1)];
}

struct chunk *window_chunk(const struct window *w, uint32_t number) {
    return is_within(w, number) && bit_is_set(w->held, number) ? *chunk_at(w, number) : NULL;
}

static struct slot *find(const struct window *w, uint32_t number) {
    if (w->slots_capacity == 0) return NULL;
    struct slot *s = slot_at(w, number);
    if (s->is_used && s->number == number) return s;
    for (size_t i = 0; w->stragglers > 0 && i < WINDOW_STRAGGLERS; i++) {
        s = &w->slots[w->slots_capacity + i];
        if (s->is_used && s->number == number) return s;
    }
    return NULL;
}

struct slot *window_find(const struct window *w, uint32_t number) {
    return is_within(w, number) ? find(w, number) : NULL;
}

static void slot_free(struct window *w, struct slot *s) {
    if (s == NULL) return;
    if (s >= w->slots + w->slots_capacity) w->stragglers--;
    *s = (struct slot){0};
}

/* The chunk and its slot; the number may have left the window. */
static void drop(struct window *w, uint32_t number) {
    slot_free(w, find(w, number));
    if (!bit_is_set(w->held, number)) return;
    struct chunk **at = chunk_at(w, number);
    w->bytes -= chunk_size(*at);
    bit_clear(w->held, number);
    bit_clear(w->whole, number);
    bit_clear(w->access, number);
    chunk_unref(*at);
    *at = NULL;
}

static void drop_all(struct window *w) {
    for (size_t i = 0; i < w->chunks_capacity; i++) chunk_unref(w->chunks[i]);
    if (w->chunks != NULL) memset(w->chunks, 0, w->chunks_capacity * sizeof w->chunks[0]);
    size_t slots = w->slots == NULL ? 0 : w->slots_capacity + WINDOW_STRAGGLERS;
    if (slots > 0) memset(w->slots, 0, slots * sizeof w->slots[0]);
    memset(w->held, 0, sizeof w->held);
    memset(w->whole, 0, sizeof w->whole);
    memset(w->access, 0, sizeof w->access);
    w->bytes = w->stragglers = 0;
}

void window_clear(struct window *w) {
    drop_all(w);
    free(w->chunks);
    free(w->slots);
    window_init(w);
}

/* Twice as wide: what shared a place has one of its own. */
static bool chunks_grow(struct window *w) {
    struct window wide = *w;
    wide.chunks_capacity = w->chunks_capacity == 0 ? CAPACITY_FIRST : 2 * w->chunks_capacity;
    wide.chunks = calloc(wide.chunks_capacity, sizeof(struct chunk *));
    if (wide.chunks == NULL) return false;
    for (size_t i = 0; i < w->chunks_capacity; i++)
        if (w->chunks[i] != NULL) *chunk_at(&wide, w->chunks[i]->head->number) = w->chunks[i];
    free(w->chunks);
    *w = wide;
    return true;
}

/* A free place for the number's slot, or NULL. */
static struct slot *free_place(struct window *w, uint32_t number) {
    if (w->slots_capacity == 0) return NULL;
    struct slot *s = slot_at(w, number);
    if (!s->is_used) return s;
    for (size_t i = 0; i < WINDOW_STRAGGLERS; i++) {
        s = &w->slots[w->slots_capacity + i];
        if (s->is_used) continue;
        w->stragglers++;
        return s;
    }
    return NULL;
}

/* What is in the ring finds a place in a wider one, and all others among the stragglers. */
static bool slots_grow(struct window *w) {
    struct window wide = *w;
    wide.slots_capacity = w->slots_capacity == 0 ? CAPACITY_FIRST : 2 * w->slots_capacity;
    size_t bytes = (wide.slots_capacity + WINDOW_STRAGGLERS) * sizeof(struct slot);
    wide.slots = aligned_alloc(sizeof(struct slot), bytes);
    if (wide.slots == NULL) return false;
    memset(wide.slots, 0, bytes);
    wide.stragglers = 0;
    size_t used = w->slots == NULL ? 0 : w->slots_capacity + WINDOW_STRAGGLERS;
    for (size_t i = 0; i < used; i++)
        if (w->slots[i].is_used) *free_place(&wide, w->slots[i].number) = w->slots[i];
    free(w->slots);
    *w = wide;
    return true;
}

/* Nobody asks any more when it came. */
static void settle(struct window *w, struct slot *s, uint64_t now_us) {
    bool is_settled = s->is_used && s->number < w->settled && window_is_whole(w, s) &&
                      now_us - s->head_us >= WINDOW_SETTLED_US;
    if (is_settled) slot_free(w, s);
}

static struct slot *make_place(struct window *w, uint32_t number, uint64_t now_us) {
    struct slot *place;
    if (w->slots_capacity > 0) settle(w, slot_at(w, number), now_us);
    if ((place = free_place(w, number)) != NULL) return place;
    for (size_t i = 0; w->slots_capacity > 0 && i < WINDOW_STRAGGLERS; i++)
        settle(w, &w->slots[w->slots_capacity + i], now_us);
    while ((place = free_place(w, number)) == NULL)
        if (!slots_grow(w)) return NULL;
    return place;
}

/* Makes `number` the newest: what the ring passes over is dropped. */
static void advance(struct window *w, uint32_t number) {
    bool passes_all = !w->has_newest || number - w->newest >= WINDOW_CHUNKS;
    uint32_t oldest = window_oldest(w);
    w->newest = number;
    if (passes_all) drop_all(w);
    for (; !passes_all && oldest < window_oldest(w); oldest++) drop(w, oldest);
    w->has_newest = true;
}

struct slot *window_slot(struct window *w, uint32_t number, uint64_t now_us) {
    struct slot *s = window_find(w, number);
    if (s != NULL) return s;
    if (!w->has_newest || number > w->newest)
        advance(w, number);
    else if (number < window_oldest(w) || window_chunk(w, number) != NULL)
        return NULL;
    s = make_place(w, number, now_us);
    if (s == NULL) return NULL;
    *s = (struct slot){.number = number, .is_used = true, .seen_us = now_us};
    if (number < w->first) w->first = number;
    return s;
}

/* The oldest number of which anything is known, or the newest. */
static uint32_t first_known(struct window *w) {
    uint32_t oldest = window_oldest(w);
    if (w->first < oldest) w->first = oldest;
    while (w->first < w->newest && window_chunk(w, w->first) == NULL && find(w, w->first) == NULL)
        w->first++;
    return w->first;
}

int window_set_chunk(struct window *w, struct slot *s, struct chunk *chunk) {
    assert(s->chunk == NULL && s->number == chunk->head->number);
    while (w->chunks_capacity == 0 || *chunk_at(w, s->number) != NULL)
        if (!chunks_grow(w)) return ERR_MEMORY;
    s->chunk = *chunk_at(w, s->number) = chunk_ref(chunk);
    window_cell_came(s);
    s->capture_us = chunk->head->capture_us;
    s->request_until_us = 0;
    bit_set(w->held, s->number);
    if (chunk->head->flags & HEAD_RANDOM_ACCESS) bit_set(w->access, s->number);
    w->bytes += chunk_size(chunk);
    if (chunk->head->capture_us < WINDOW_US) return 0;
    uint64_t keep_from_us = chunk->head->capture_us - WINDOW_US;
    for (uint32_t i = first_known(w); i < chunk->head->number; i++) {
        const struct chunk *old = window_chunk(w, i);
        if (old == NULL) continue;
        if (old->head->capture_us >= keep_from_us) break;
        drop(w, i);
    }
    return 0;
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
    for (uint32_t i = first_known(w); i < w->newest; i++) {
        if (window_chunk(w, i) == NULL) continue;
        drop(w, i);
        return true;
    }
    return false;
}

/* Of the 64 numbers that stand in a word with this one, the random access points that are whole. */
static uint64_t access_in_word(const struct window *w, uint32_t number) {
    size_t word = number % WINDOW_CHUNKS / 64;
    return w->access[word] & w->whole[word];
}

struct chunk *window_newest_random_access(const struct window *w) {
    if (!w->has_newest) return NULL;
    uint32_t oldest = window_oldest(w);
    for (uint32_t i = w->newest;; i = (i & ~63u) - 1) {
        uint64_t found = access_in_word(w, i) << (63 - i % 64); /* from bit 63 down: i and below */
        uint32_t back = found == 0 ? 64 : (uint32_t)__builtin_clzll(found);
        if (found != 0) return back <= i - oldest ? window_chunk(w, i - back) : NULL;
        if (i - oldest <= i % 64) return NULL;
    }
}

struct chunk *window_next_random_access(const struct window *w, uint32_t from) {
    if (!w->has_newest) return NULL;
    for (uint32_t i = from > window_oldest(w) ? from : window_oldest(w); i <= w->newest;
         i = (i | 63) + 1) {
        uint64_t found = access_in_word(w, i) >> i % 64;
        uint32_t ahead = found == 0 ? 64 : (uint32_t)__builtin_ctzll(found);
        if (found != 0) return ahead <= w->newest - i ? window_chunk(w, i + ahead) : NULL;
        if (w->newest - i <= 63 - i % 64) return NULL;
    }
    return NULL;
}
