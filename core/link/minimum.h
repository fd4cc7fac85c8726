/* minimum.h - the smallest of the values of the last ten seconds, in ten buckets of a second.
 *
 * Coarse on purpose: base delays are asked for on every acknowledgement and may be a second older
 * than ten. Negate to keep a maximum. What does not fit 32 bits is cut to what does: microseconds
 * of half an hour, two gigabits. */
#ifndef MINIMUM_H
#define MINIMUM_H

#include <stdbool.h>

#include "core/base/base.h"

#define MINIMUM_SECONDS 10
#define MINIMUM_NONE INT64_MAX

struct minimum {
    int32_t buckets[MINIMUM_SECONDS];
    uint32_t second; /* of the newest bucket */
};

void minimum_init(struct minimum *m, uint64_t now_us);
void minimum_add(struct minimum *m, int64_t value, uint64_t now_us);
/* MINIMUM_NONE where nothing was added for ten seconds. */
int64_t minimum_get(const struct minimum *m, uint64_t now_us);

#endif
