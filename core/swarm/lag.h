/* lag.h - how late chunks were when they were whole: this second's, and the last one's in order. */
#ifndef LAG_H
#define LAG_H

#include "core/base/base.h"

#define LAG_SAMPLES_MAX 256 /* of a second; the others are not looked at */

struct lag_samples {
    uint64_t second; /* of the local clock, the one that is being filled */
    unsigned capacity, len, last_len;
    uint32_t *lag_us;
    uint32_t *last_us; /* of the second before, sorted */
};

/* count.c fills it. */
void lag_release(struct lag_samples *lag);

#endif
