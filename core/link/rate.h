/* rate.h - how often something may happen: `burst` times at once, then `per_s` times a second.
 *
 * The generic cell rate algorithm (ITU-T I.371): one time is all of the state. */
#ifndef RATE_H
#define RATE_H

#include <stdbool.h>

#include "core/base/base.h"

struct rate {
    uint64_t interval_us;
    uint64_t burst_us;
    uint64_t next_us; /* when the bucket would be full again */
};

/* `per_s` and `burst` at least 1. */
struct rate rate_init(unsigned per_s, unsigned burst);
/* True, and counted, where it may happen now. */
bool rate_take(struct rate *r, uint64_t now_us);

#endif
