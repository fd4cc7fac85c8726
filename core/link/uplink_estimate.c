#include "core/link/uplink_estimate.h"

#define RATE_MIN_BPS 100000ull
#define AIM_US 4000.0   /* below what the links' own pacers aim at: they leave it to us */
#define EXCESS_US 4000  /* beyond it: more than a slower rate is due */
#define FULL_US 8000    /* a shared queue that begins an estimate, */
#define FULL_STEPS 2    /* standing so long */
#define REPORT_STEPS 2  /* links report so late */
#define DRAIN_STEPS 2   /* a queue drains in, and then it takes */
#define SETTLE_STEPS 3  /* until that is seen */
#define DRAIN_LEAST 0.5 /* of the rate */
#define GENTLE 12.0     /* steps in which what is beyond the aim, or lacks, is corrected */
#define GAIN_NEAR 0.003 /* a step without a queue, while the rate holds cells up: near */
#define NEAR_BELOW 0.95 /* what it last carried, */
#define NEAR_ABOVE 1.05
#define GAIN_FAR 0.04   /* and elsewhere */
#define QUIET_STEPS 100 /* without a queue: what it last carried is history */
#define HELD_SHARE 4    /* a quarter of a step: it is the uplink that limits */

static void step_start(struct uplink_estimate *u, uint64_t now_us) {
    u->step_us = now_us;
    u->sent_bytes = 0;
    u->held_us = 0;
    u->links = 0;
    for (unsigned i = 0; i < UPLINK_QUEUES; i++) u->seen[i] = 0;
}

void uplink_estimate_init(struct uplink_estimate *u, uint64_t now_us) {
    *u = (struct uplink_estimate){0};
    step_start(u, now_us);
}

void uplink_estimate_sent(struct uplink_estimate *u, size_t bytes) { u->sent_bytes += bytes; }

void uplink_estimate_held(struct uplink_estimate *u, uint64_t us) {
    u->held_us = (uint32_t)u64_min(u->held_us + us, UINT32_MAX);
}

bool uplink_estimate_is_due(const struct uplink_estimate *u, uint64_t now_us) {
    return now_us - u->step_us >= UPLINK_STEP_US;
}

void uplink_estimate_link(struct uplink_estimate *u, uint64_t queue_us) {
    if (u->links == UINT16_MAX) return;
    u->links++;
    u->seen[u64_min(queue_us / US_PER_MS, UPLINK_QUEUES - 1)]++;
}

/* Half of the links see it, or a longer one: to those that came while it stood, it is a longer
 * path.
 */
static uint32_t queue_shared(const struct uplink_estimate *u) {
    unsigned below = u->seen[0], at = 0;
    while (at + 1 < UPLINK_QUEUES && below * 2 <= u->links) below += u->seen[++at];
    return (uint32_t)(at * US_PER_MS);
}

/* What went out, less what stayed in the queue, by the time that it took. */
static double carried(const struct uplink_estimate *u, double elapsed_us, double growth_us) {
    double span_us = elapsed_us + growth_us;
    if (span_us < elapsed_us / 2) span_us = elapsed_us / 2;
    return (double)u->sent_bytes * 8 * US_PER_S / span_us;
}

/* Over the last steps, as reports come late. */
static uint64_t carried_mean(const struct uplink_estimate *u) {
    uint64_t sum = 0, n = 0;
    for (unsigned i = 0; i < UPLINK_CARRIED; i++) {
        sum += u->carried_bps[i];
        n += u->carried_bps[i] > 0;
    }
    return n == 0 ? 0 : sum / n;
}

/* The rate becomes what is carried, after the queue has gone: with what came since its report. */
static void drain(struct uplink_estimate *u, double elapsed_us) {
    uint64_t bps = u64_max(carried_mean(u), RATE_MIN_BPS);
    double rate = u->rate_bps > bps ? (double)u->rate_bps : (double)bps;
    double late_us = (rate / (double)bps - 1) * REPORT_STEPS * elapsed_us;
    double factor = 1 - (u->queue_us - AIM_US / 2 + late_us) / (DRAIN_STEPS * elapsed_us);
    if (factor < DRAIN_LEAST) factor = DRAIN_LEAST;
    u->rate_bps = u->full_bps = bps;
    u->drain_bps = (uint64_t)(factor * (double)bps);
    u->drain_steps = DRAIN_STEPS;
    u->settle_steps = SETTLE_STEPS;
    u->quiet_steps = 0;
}

static double gain_of(struct uplink_estimate *u, double elapsed_us) {
    double lack = (AIM_US - u->queue_us) / (GENTLE * elapsed_us);
    if (lack < 0) return lack;
    if (u->held_us * HELD_SHARE < elapsed_us) return 0;
    double rate = (double)u->rate_bps, full = (double)u->full_bps;
    if (u->quiet_steps < QUIET_STEPS) u->quiet_steps++;
    bool is_near = rate > NEAR_BELOW * full && rate < NEAR_ABOVE * full;
    if (!is_near || u->quiet_steps == QUIET_STEPS) return GAIN_FAR;
    return lack < GAIN_NEAR ? lack : GAIN_NEAR;
}

static void adjust(struct uplink_estimate *u, double elapsed_us) {
    if (u->drain_steps > 0) {
        u->drain_steps--;
    } else if (u->settle_steps > 0) {
        u->settle_steps--;
    } else if (u->rate_bps == 0) {
        u->full_steps = u->queue_us >= FULL_US ? u->full_steps + 1 : 0;
        if (u->full_steps >= FULL_STEPS) drain(u, elapsed_us);
    } else if (u->queue_us > AIM_US + EXCESS_US) {
        drain(u, elapsed_us);
    } else {
        double next = (double)u->rate_bps * (1 + gain_of(u, elapsed_us));
        u->rate_bps = u64_max((uint64_t)next, RATE_MIN_BPS);
    }
}

void uplink_estimate_step(struct uplink_estimate *u, uint64_t now_us) {
    double elapsed_us = (double)u64_max(now_us - u->step_us, 1);
    uint32_t before_us = u->queue_us;
    u->queue_us = u->links < UPLINK_LINKS_MIN ? 0 : queue_shared(u);
    double bps = carried(u, elapsed_us, (double)u->queue_us - before_us);
    u->carried_bps[u->carried_next++ % UPLINK_CARRIED] = (uint64_t)bps;
    if (u->links >= UPLINK_LINKS_MIN) adjust(u, elapsed_us);
    step_start(u, now_us);
}

uint64_t uplink_estimate_bps(const struct uplink_estimate *u) {
    if (u->rate_bps == 0) return UINT64_MAX;
    return u->drain_steps > 0 ? u->drain_bps : u->rate_bps;
}
