/* window.h - which recent chunks of one track we hold or are collecting.
 *
 * A ring over the newest WINDOW_CHUNKS numbers, cut at WINDOW_US before the newest capture. What
 * leaves it is gone: live video that is late is useless. What is known of a chunk besides stands in
 * a slot as long as it matters: until the chunk is whole, counted, and WINDOW_SETTLED_US old. So
 * nearly all of the window is 8 bytes a chunk, and what a tick goes through is small.
 * Invariant: newest - number < WINDOW_CHUNKS for every chunk and slot. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>

#include "core/swarm/chunk.h"

#define WINDOW_CHUNKS 512         /* 12 s at 40 chunks/s; bounds the memory of a track */
#define WINDOW_US (10 * US_PER_S) /* by capture time */
#define WINDOW_SETTLED_US (500 * US_PER_MS)
#define WINDOW_STRAGGLERS 8 /* slots that stay longer than the others */

/* A chunk that we know of, in one line of the cache: every tick looks at those that are not whole.
 * `chunk` is NULL until its head came. */
struct slot {
    uint32_t number;
    bool is_used;     /* or it is a free place */
    bool repaired;    /* at least one cell came by request */
    uint8_t requests; /* how often we have asked */
    struct chunk *chunk;
    uint64_t missing;                   /* the chunk's cells that are not here */
    uint64_t seen_us;                   /* when we first knew of it */
    uint64_t head_us;                   /* when its head was verified, */
    uint64_t capture_us;                /* and what it says */
    union {                             /* one after the other: */
        uint64_t head_request_until_us; /* when to ask for the head again, */
        uint64_t request_until_us;      /* for cells again, */
        uint64_t complete_us;           /* when the last cell was verified */
    };
    uint64_t requested; /* cells asked for one by one, and not yet here */
};

struct window {
    bool has_newest;
    uint32_t newest;
    uint32_t first;                      /* nothing has a lower number */
    uint32_t settled;                    /* chunks below are counted */
    size_t bytes;                        /* of the chunks held */
    uint64_t held[WINDOW_CHUNKS / 64];   /* bit number % WINDOW_CHUNKS: the chunk is in `chunks`, */
    uint64_t whole[WINDOW_CHUNKS / 64];  /* and complete */
    uint64_t access[WINDOW_CHUNKS / 64]; /* a random access point */
    uint32_t chunks_capacity;            /* a power of two, as far as the chunks reach */
    uint32_t slots_capacity;             /* a power of two, as far as what is collected does */
    uint32_t stragglers;                 /* slots behind those */
    struct chunk **chunks;               /* number % chunks_capacity */
    struct slot *slots; /* number % slots_capacity; then WINDOW_STRAGGLERS in no order */
};

void window_init(struct window *w);
void window_clear(struct window *w);
/* NULL: not held, or only known of. */
struct chunk *window_chunk(const struct window *w, uint32_t number);
/* NULL: unknown, or settled. A slot stands until another is made. */
struct slot *window_find(const struct window *w, uint32_t number);
/* Finds or makes the slot; a number beyond the newest moves the window. NULL: left the window,
 * settled, or no memory. */
struct slot *window_slot(struct window *w, uint32_t number, uint64_t now_us);
/* Keeps a reference to `chunk` in its slot (which must be without one), and drops what is older
 * than WINDOW_US before it. Returns 0 or ERR_MEMORY. */
MUST_CHECK int window_set_chunk(struct window *w, struct slot *s, struct chunk *chunk);
/* A cell of the chunk was verified: `slot->missing` is read anew. */
static inline void window_cell_came(struct slot *s) { s->missing = chunk_missing(s->chunk); }
/* The slot's last cell was verified. */
void window_set_whole(struct window *w, struct slot *s, uint64_t now_us);
static inline bool window_is_whole(const struct window *w, const struct slot *s) {
    return w->whole[s->number % WINDOW_CHUNKS / 64] >> s->number % 64 & 1;
}
/* The first number from `from` on that is not whole; newest + 1 where all are. Numbers that have
 * left the window count as not whole. */
uint32_t window_next_hole(const struct window *w, uint32_t from);
/* Which of the newest 64 are whole; bit i: newest - i. */
uint64_t window_recent(const struct window *w);
/* Drops the oldest chunk. False: there is none but the newest. */
bool window_drop_oldest(struct window *w);
/* The oldest number that the ring can hold. */
uint32_t window_oldest(const struct window *w);
/* The newest random access chunk that is complete, or NULL. */
struct chunk *window_newest_random_access(const struct window *w);
/* The first one at or after `from`, or NULL. */
struct chunk *window_next_random_access(const struct window *w, uint32_t from);

#endif
