/* rate_meter.h - the bit rate over the last seconds of media, from sizes and their times. */
#ifndef RATE_METER_H
#define RATE_METER_H

#include "core/base/base.h"

#define RATE_METER_SLOTS 16u
#define RATE_METER_SLOT_US (250 * US_PER_MS)

struct rate_meter {
    uint64_t bytes[RATE_METER_SLOTS];
    uint64_t slot;  /* the newest: time / RATE_METER_SLOT_US */
    uint64_t first; /* where counting began, so that a young meter does not divide by too much */
    uint64_t seen;  /* 0 before the first */
};

void rate_meter_add(struct rate_meter *m, uint64_t time_us, size_t bytes);
/* Over the slots that are complete; 0 while there is none. */
uint32_t rate_meter_bps(const struct rate_meter *m);

#endif
