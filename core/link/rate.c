#include "core/link/rate.h"

#include <assert.h>

struct rate rate_init(unsigned per_s, unsigned burst) {
    assert(per_s > 0 && burst > 0);
    uint64_t interval_us = u64_max(US_PER_S / per_s, 1);
    return (struct rate){.interval_us = interval_us, .burst_us = (burst - 1) * interval_us};
}

bool rate_take(struct rate *r, uint64_t now_us) {
    uint64_t next_us = u64_max(r->next_us, now_us);
    if (next_us - now_us > r->burst_us) return false;
    r->next_us = next_us + r->interval_us;
    return true;
}
