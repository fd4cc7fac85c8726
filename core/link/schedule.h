/* schedule.h - what is due first: a binary heap of times. What is due knows its place in it, and
 * the times stand in the heap, so that sorting reads nothing else.
 *
 * Equal times are served in the order in which they were set, so what is taken out and set again
 * goes behind the others: turns are fair, and no address decides. Invariant: heap[place - 1] is of
 * the due whose place it is. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "core/base/base.h"

/* Zeros are one that is not set. */
struct due {
    uint32_t place; /* in the heap, from 1; 0: not in it */
};

struct schedule_entry {
    uint64_t at_us;
    struct due *due;
    uint32_t turn;
};

struct schedule {
    struct schedule_entry *heap;
    uint32_t len, capacity;
    uint32_t turns;
};

void schedule_release(struct schedule *s);
/* Room for so many. Returns 0 or ERR_MEMORY. */
MUST_CHECK int schedule_reserve(struct schedule *s, size_t dues);
/* Sets, moves or (TIME_NEVER) takes out. There must be room. A time that is the same keeps its
 * turn. */
void schedule_set(struct schedule *s, struct due *d, uint64_t at_us);
/* The first one, or NULL. */
struct due *schedule_first(const struct schedule *s);
/* Its time; TIME_NEVER where there is none. */
static inline uint64_t schedule_time(const struct schedule *s) {
    return s->len == 0 ? TIME_NEVER : s->heap[0].at_us;
}
/* When this one is due; TIME_NEVER where it is not set. */
static inline uint64_t schedule_time_of(const struct schedule *s, const struct due *d) {
    return d->place == 0 ? TIME_NEVER : s->heap[d->place - 1].at_us;
}

#endif
