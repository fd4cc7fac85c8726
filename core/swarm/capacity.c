#include "core/swarm/capacity.h"

#define WINDOW_US (250 * US_PER_MS)
#define GROWTH_PERCENT 150 /* of what was sent, while the uplink was never full, */
#define GROWTH_BPS 200000  /* and so much more */
#define PROBED_LEAST_BPS 50000
#define RETRY_US (4 * US_PER_S) /* after so long without anybody held up, an eighth */
#define RETRY_USED_PERCENT 75   /* of the rate: below that it limits nobody */
#define RETRY_SHARE 8
#define RETRY_BPS 50000         /* and so much more is tried */
#define CALM_US (5 * US_PER_MS) /* a queue that holds growth up */

void capacity_init(struct capacity *c, uint64_t most_bps, uint64_t now_us) {
    *c = (struct capacity){.most_bps = most_bps, .guess_bps = CAPACITY_FIRST_BPS};
    if (most_bps != UINT64_MAX) c->guess_bps = most_bps;
    c->window_us = now_us;
    uplink_estimate_init(&c->estimate, now_us);
}

void capacity_hope(struct capacity *c, uint64_t bps) {
    c->guess_bps = u64_min(u64_max(c->guess_bps, bps), c->most_bps);
}

void capacity_probed(struct capacity *c, uint64_t bps) {
    uplink_estimate_start(&c->estimate, u64_max(bps, PROBED_LEAST_BPS));
}

void capacity_sent(struct capacity *c, size_t bytes) {
    c->window_bytes += bytes;
    uplink_estimate_sent(&c->estimate, bytes);
}

void capacity_lost(struct capacity *c, size_t bytes) {
    c->window_bytes = u64_sub(c->window_bytes, bytes); /* it carries no more for being sent more */
    uplink_estimate_lost(&c->estimate, bytes);
}

void capacity_held(struct capacity *c, bool is_held, uint64_t now_us) {
    if (c->held_us != 0) uplink_estimate_held(&c->estimate, now_us - c->held_us);
    c->held_us = is_held ? now_us : 0;
}

uint64_t capacity_bps(const struct capacity *c) {
    uint64_t bps = c->estimate.rate_bps != 0 ? c->estimate.rate_bps : c->guess_bps;
    return u64_min(bps, c->most_bps);
}

bool capacity_is_known(const struct capacity *c) {
    return c->most_bps != UINT64_MAX || c->estimate.rate_bps != 0;
}

uint64_t capacity_allowed_bps(const struct capacity *c) {
    return u64_min(uplink_estimate_bps(&c->estimate), c->most_bps);
}

bool capacity_is_due(const struct capacity *c, uint64_t now_us) {
    return uplink_estimate_is_due(&c->estimate, now_us);
}

void capacity_queue(struct capacity *c, uint64_t queue_us) {
    uplink_estimate_link(&c->estimate, queue_us);
}

/* Measured while something else filled the uplink, or a moment long: as long as it limits nobody,
 * nothing shows that it carries more, so a little more is tried now and then. */
static void retry(struct capacity *c, uint64_t now_us) {
    bool limits = c->held_us != 0 || c->estimate.queue_us >= CALM_US;
    uint64_t carried_bps = uplink_estimate_carried_bps(&c->estimate);
    bool is_used = carried_bps > c->estimate.rate_bps / 100 * RETRY_USED_PERCENT;
    if (c->estimate.rate_bps == 0 || limits || !is_used) c->calm_us = now_us;
    if (now_us - c->calm_us < RETRY_US) return;
    c->estimate.rate_bps += c->estimate.rate_bps / RETRY_SHARE + RETRY_BPS;
    c->calm_us = now_us;
}

void capacity_step(struct capacity *c, uint64_t now_us) {
    uplink_estimate_step(&c->estimate, now_us);
    retry(c, now_us);
    uint64_t elapsed_us = now_us - c->window_us;
    if (elapsed_us < WINDOW_US) return;
    uint64_t sent_bps = c->window_bytes * 8 * US_PER_S / elapsed_us;
    if (c->estimate.queue_us < CALM_US)
        c->guess_bps = u64_max(c->guess_bps, sent_bps * GROWTH_PERCENT / 100 + GROWTH_BPS);
    c->window_us = now_us;
    c->window_bytes = 0;
}
