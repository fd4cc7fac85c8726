#include "tests/lib/network_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/network_memory.h"

#define CHUNKS_FIRST 64u
#define SOON_FIRST 64u

void network_queue_init(struct network_queue *q) {
    q->chunks_len = 1;
    q->chunks_max = CHUNKS_FIRST;
    q->chunks = network_memory(CHUNKS_FIRST * sizeof *q->chunks);
    q->soon_max = SOON_FIRST;
    q->soon = network_memory(SOON_FIRST * sizeof *q->soon);
}

void network_queue_release(struct network_queue *q) {
    free(q->chunks);
    free(q->soon);
}

static uint32_t chunk_new(struct network_queue *q) {
    uint32_t at = q->free_chunk;
    if (at != 0) {
        q->free_chunk = q->chunks[at].next;
    } else {
        if (q->chunks_len == q->chunks_max) {
            assert(q->chunks_max <= UINT32_MAX / 2);
            size_t bytes = q->chunks_max * sizeof *q->chunks;
            q->chunks = network_memory_grow(q->chunks, bytes, 2 * bytes);
            q->chunks_max *= 2;
        }
        at = q->chunks_len++;
    }
    q->chunks[at].next = 0;
    q->chunks[at].taken = q->chunks[at].len = 0;
    return at;
}

static void chunk_free(struct network_queue *q, uint32_t at) {
    q->chunks[at].next = q->free_chunk;
    q->free_chunk = at;
}

static void wheel_mark(struct network_wheel *w, unsigned slot) {
    w->used[slot / 64] |= 1ull << slot % 64;
    w->used_words |= 1ull << slot / 64;
}

static void wheel_unmark(struct network_wheel *w, unsigned slot) {
    w->used[slot / 64] &= ~(1ull << slot % 64);
    if (w->used[slot / 64] == 0) w->used_words &= ~(1ull << slot / 64);
}

/* The first slot from `from` on that is not empty, or NETWORK_QUEUE_SLOTS. */
static unsigned wheel_next(const struct network_wheel *w, unsigned from) {
    if (from >= NETWORK_QUEUE_SLOTS) return NETWORK_QUEUE_SLOTS;
    unsigned word = from / 64;
    uint64_t bits = w->used[word] & ~0ull << from % 64;
    if (bits == 0) {
        uint64_t words = w->used_words & ~1ull << word;
        if (words == 0) return NETWORK_QUEUE_SLOTS;
        word = (unsigned)__builtin_ctzll(words);
        bits = w->used[word];
    }
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

static unsigned slot_of(uint64_t at_us, unsigned level) {
    return (unsigned)(at_us >> NETWORK_QUEUE_BITS * level) & (NETWORK_QUEUE_SLOTS - 1);
}

/* The finest wheel whose turn now holds the time: two times of one slot of a wheel are then added
 * to the same wheel as long as that slot is not opened, which keeps their order. */
static unsigned level_of(const struct network_queue *q, uint64_t at_us) {
    uint64_t differ = at_us ^ q->at_us;
    return differ == 0 ? 0 : (63 - (unsigned)__builtin_clzll(differ)) / NETWORK_QUEUE_BITS;
}

static void wheel_add(struct network_queue *q, struct network_event e) {
    unsigned level = level_of(q, e.at_us), number = slot_of(e.at_us, level);
    struct network_wheel *w = &q->wheels[level];
    struct network_slot *s = &w->slots[number];
    if (s->tail == 0) {
        s->head = s->tail = chunk_new(q);
        wheel_mark(w, number);
    } else if (q->chunks[s->tail].len == NETWORK_CHUNK_EVENTS) {
        uint32_t added = chunk_new(q);
        q->chunks[s->tail].next = added;
        s->tail = added;
    }
    struct network_chunk *c = &q->chunks[s->tail];
    c->events[c->len++] = e;
}

static void chunk_prefetch(const struct network_queue *q, uint32_t at) {
    __builtin_prefetch(&q->chunks[at]);
    __builtin_prefetch(&q->chunks[at].next);
}

/* Deals out a slot whose time has come to the finer wheels. */
static void slot_open(struct network_queue *q, unsigned level, unsigned number) {
    struct network_wheel *w = &q->wheels[level];
    uint32_t at = w->slots[number].head;
    w->slots[number] = (struct network_slot){0};
    wheel_unmark(w, number);
    while (at != 0) {
        struct network_chunk c = q->chunks[at];
        chunk_prefetch(q, c.next);
        chunk_free(q, at);
        for (unsigned i = 0; i < c.len; i++) wheel_add(q, c.events[i]);
        at = c.next;
    }
}

/* Opens the soonest slot of the coarse wheels; false when none starts until then. */
static bool coarse_open(struct network_queue *q, uint64_t until_us) {
    for (unsigned level = 1; level < NETWORK_QUEUE_LEVELS; level++) {
        unsigned number = wheel_next(&q->wheels[level], slot_of(q->at_us, level) + 1);
        if (number == NETWORK_QUEUE_SLOTS) continue;
        unsigned shift = NETWORK_QUEUE_BITS * level, turn = shift + NETWORK_QUEUE_BITS;
        uint64_t turn_us = turn < 64 ? q->at_us >> turn << turn : 0;
        uint64_t start_us = turn_us | (uint64_t)number << shift;
        if (start_us > until_us) return false;
        q->at_us = start_us;
        slot_open(q, level, number);
        return true;
    }
    return false;
}

/* The chunk that comes after one of slot `number`, while that is being worked through. */
static void next_prefetch(const struct network_queue *q, unsigned number, uint32_t next) {
    if (next == 0) {
        number = wheel_next(&q->wheels[0], number + 1);
        if (number == NETWORK_QUEUE_SLOTS) return;
        next = q->wheels[0].slots[number].head;
    }
    chunk_prefetch(q, next);
}

/* Takes the first event of slot `number` of the finest wheel. */
static struct network_event slot_take(struct network_queue *q, unsigned number) {
    struct network_wheel *w = &q->wheels[0];
    struct network_slot *s = &w->slots[number];
    struct network_chunk *c = &q->chunks[s->head];
    if (c->taken == 0) next_prefetch(q, number, c->next);
    struct network_event e = c->events[c->taken++];
    if (c->taken == c->len) {
        uint32_t next = c->next;
        chunk_free(q, s->head);
        s->head = next;
        if (next == 0) {
            s->tail = 0;
            wheel_unmark(w, number);
        }
    }
    q->at_us = e.at_us;
    return e;
}

/* Makes room for one more. */
static void soon_reserve(struct network_queue *q) {
    if (q->soon_end < q->soon_max) return;
    uint32_t len = q->soon_end - q->soon_first;
    if (2 * len > q->soon_max) {
        size_t bytes = q->soon_max * sizeof *q->soon;
        q->soon = network_memory_grow(q->soon, bytes, 2 * bytes);
        q->soon_max *= 2;
    }
    memmove(q->soon, q->soon + q->soon_first, len * sizeof *q->soon);
    q->soon_first = 0;
    q->soon_end = len;
}

/* Behind those of the same time. */
static void soon_add(struct network_queue *q, struct network_event e) {
    soon_reserve(q);
    uint32_t at = q->soon_end++;
    for (; at > q->soon_first && q->soon[at - 1].at_us > e.at_us; at--)
        q->soon[at] = q->soon[at - 1];
    q->soon[at] = e;
}

void network_queue_add(struct network_queue *q, struct network_event e) {
    if (e.at_us < q->at_us)
        soon_add(q, e);
    else
        wheel_add(q, e);
}

static void soon_fill(struct network_queue *q, unsigned number) {
    while (number != NETWORK_QUEUE_SLOTS && q->soon_end - q->soon_first < NETWORK_QUEUE_SOON) {
        soon_reserve(q);
        q->soon[q->soon_end++] = slot_take(q, number);
        number = wheel_next(&q->wheels[0], number);
    }
}

bool network_queue_take(struct network_queue *q, uint64_t until_us, struct network_event *ret) {
    unsigned number = wheel_next(&q->wheels[0], slot_of(q->at_us, 0));
    while (q->soon_first == q->soon_end && number == NETWORK_QUEUE_SLOTS) {
        if (!coarse_open(q, until_us)) return false;
        number = wheel_next(&q->wheels[0], slot_of(q->at_us, 0));
    }
    soon_fill(q, number);
    if (q->soon[q->soon_first].at_us > until_us) return false;
    *ret = q->soon[q->soon_first++];
    return true;
}
