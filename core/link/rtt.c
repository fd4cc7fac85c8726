#include "core/link/rtt.h"

#include "core/link/received.h"

void rtt_init(struct rtt *r, uint64_t now_us) {
    *r = (struct rtt){0};
    minimum_init(&r->least, now_us);
}

void rtt_add(struct rtt *r, uint64_t sample_us, uint64_t delay_us, uint64_t now_us) {
    minimum_add(&r->least, (int64_t)sample_us, now_us);
    uint64_t least_us = rtt_least(r, now_us);
    if (sample_us >= least_us + delay_us) sample_us -= delay_us;
    uint64_t latest = u64_min(u64_max(sample_us, 1), UINT32_MAX), smoothed = r->smoothed_us;
    r->latest_us = (uint32_t)latest;
    if (smoothed == 0) {
        r->smoothed_us = (uint32_t)latest;
        r->variation_us = (uint32_t)latest / 2;
        return;
    }
    uint64_t off_us = smoothed > latest ? smoothed - latest : latest - smoothed;
    r->variation_us = (uint32_t)((3ull * r->variation_us + off_us) / 4);
    r->smoothed_us = (uint32_t)u64_max((7 * smoothed + latest) / 8, 1);
}

uint64_t rtt_least(const struct rtt *r, uint64_t now_us) {
    int64_t least = minimum_get(&r->least, now_us);
    if (least != MINIMUM_NONE) return (uint64_t)least;
    return r->smoothed_us ? r->smoothed_us : RTT_INITIAL_US;
}

uint64_t rtt_loss_delay(const struct rtt *r) {
    uint64_t rtt_us = u64_max(r->smoothed_us, r->latest_us);
    if (rtt_us == 0) rtt_us = RTT_INITIAL_US;
    return rtt_us + u64_max(rtt_us / 8, RECEIVED_LATE_US + 4ull * r->variation_us);
}

uint64_t rtt_probe_delay(const struct rtt *r, bool is_prompt, unsigned count) {
    uint64_t smoothed = r->smoothed_us ? r->smoothed_us : RTT_INITIAL_US;
    uint64_t variation = r->smoothed_us ? r->variation_us : RTT_INITIAL_US / 2;
    uint64_t delay_us = is_prompt ? RECEIVED_PROMPT_US : RECEIVED_DELAY_US;
    uint64_t once = smoothed + u64_max(4 * variation, RTT_GRANULARITY_US) + delay_us;
    uint64_t backed_off = once << (count < 8 ? count : 8);
    return u64_min(backed_off, u64_max(once, RTT_PROBE_MAX_US));
}
