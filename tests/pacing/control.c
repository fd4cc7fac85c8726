#include "tests/pacing/control.h"

#include <assert.h>

#define BURST_US 5000

static struct control controls[CONTROLS_MAX];
static unsigned controls_next;

struct control *control_of(const struct pace *p) {
    for (unsigned i = 0; i < CONTROLS_MAX; i++)
        if (controls[i].key == p) return &controls[i];
    struct control *c = &controls[controls_next++ % CONTROLS_MAX];
    *c = (struct control){.key = p};
    return c;
}

void delays_init(struct delays *d) {
    *d = (struct delays){0};
    for (unsigned i = 0; i < DELAY_BUCKETS; i++) d->buckets[i] = INT64_MAX;
    for (unsigned i = 0; i < ARRAY_LEN(d->recent); i++) d->recent[i].delay_us = INT64_MAX;
}

uint64_t delays_add(struct delays *d, const struct pace_ack *ack, uint64_t now_us) {
    uint32_t raw = ack->received_us - (uint32_t)ack->sent_us;
    if (!d->has_origin) d->origin = raw;
    d->has_origin = true;
    int64_t delay_us = (int32_t)(raw - (uint32_t)d->origin);
    uint64_t bucket = now_us / DELAY_BUCKET_US;
    for (; d->bucket < bucket; d->bucket++) d->buckets[(d->bucket + 1) % DELAY_BUCKETS] = INT64_MAX;
    int64_t *newest = &d->buckets[bucket % DELAY_BUCKETS];
    if (delay_us < *newest) *newest = delay_us;
    unsigned at = d->recent_next++ % ARRAY_LEN(d->recent);
    d->recent[at].delay_us = delay_us;
    d->recent[at].at_us = now_us;
    int64_t base_us = INT64_MAX, standing_us = delay_us;
    for (unsigned i = 0; i < DELAY_BUCKETS; i++)
        if (d->buckets[i] < base_us) base_us = d->buckets[i];
    for (unsigned i = 0; i < ARRAY_LEN(d->recent); i++)
        if (d->recent[i].at_us + ack->rtt_least_us / 2 >= now_us &&
            d->recent[i].delay_us < standing_us)
            standing_us = d->recent[i].delay_us;
    return (uint64_t)(standing_us - base_us);
}

void control_set_rate(struct pace *p, struct control *c, double factor, uint64_t rtt_us) {
    double bps = factor * c->window * 8 * US_PER_S / (double)u64_max(rtt_us, 1000);
    if (bps < (double)PACE_RATE_MIN) bps = (double)PACE_RATE_MIN;
    if (bps > (double)PACE_RATE_MAX) bps = (double)PACE_RATE_MAX;
    p->rate_bps = (uint64_t)bps;
    c->rtt_us = rtt_us;
    p->is_limited = 2 * c->held > c->sent;
    if (c->sent > 16) c->sent = c->held = 0;
}

uint64_t pace_time(const struct pace *p) {
    uint64_t burst_us = u64_min(7 * PACE_DATAGRAM * 8 * US_PER_S / p->rate_bps, BURST_US);
    return u64_sub(control_of(p)->next_us, burst_us);
}

void pace_charge(struct pace *p, size_t bytes, uint64_t now_us) {
    struct control *c = control_of(p);
    uint64_t cost_us = bytes * 8 * US_PER_S / p->rate_bps;
    c->sent++;
    if (now_us < c->next_us + cost_us / 4) c->held++;
    c->next_us = u64_max(c->next_us, now_us) + cost_us;
    c->next_us = u64_min(c->next_us, now_us + 100 * US_PER_MS);
}

/* Beside the controller's own window there is what waits for an acknowledgement. */
uint64_t pace_window(const struct pace *p, uint64_t rtt_least_us) {
    (void)rtt_least_us;
    double bytes = control_of(p)->window + (double)p->rate_bps / 8 * 0.1;
    return u64_min(u64_max((uint64_t)bytes, 4 * PACE_DATAGRAM), 960 * PACE_DATAGRAM);
}

void pace_on_lost(struct pace *p) { control_of(p)->is_lost = true; }
