/* schedule.h - what is due first: a binary heap of times, each inside of what it is a time of.
 *
 * Equal times are served in the order in which they were set, so what is taken out and set again
 * goes behind the others: turns are fair, and no address decides. Invariant: every entry of the
 * heap knows its place in it. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "core/base/base.h"

/* Zeros are one that is not set. */
struct due {
    uint64_t at_us;
    uint32_t turn;
    uint32_t place; /* in the heap, from 1; 0: not in it */
};

struct schedule {
    struct due **heap;
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
uint64_t schedule_time(const struct schedule *s);

#endif
