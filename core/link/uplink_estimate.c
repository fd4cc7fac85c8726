#include "core/link/uplink_estimate.h"

#define RATE_MIN_BPS 50000ull
#define AIM_US 4000.0  /* below what the links' own pacers aim at: they leave it to us */
#define EXCESS_US 6000 /* beyond it: more than a slower rate is due */
#define FULL_US 8000   /* a shared queue that begins an estimate, */
#define FULL_STEPS 2   /* standing so long */
#define UNUSED_STEPS 3 /* or so long, where nothing was held: bursts end sooner */
#define LOST_SHARE 4   /* a quarter of what is sent: a queue that overflows and that nobody sees, */
#define LOST_STEPS 3   /* of so many steps, */
#define LOST_LEAST 10000 /* and bytes each */
#define CUT_STEPS 2.0    /* in which a queue that is seen has come, at least */
#define AGAIN_STEPS 10   /* where it was cut less long ago, all that was carried counts */
#define PACKET_BITS (1228 * 8.0)
#define PACKET_MOST_US 15000 /* at 0.65 Mb/s */
#define DRAINS_US 3000       /* less than the step before */
#define REPORT_STEPS 2       /* links report so late */
#define DRAIN_STEPS 3        /* a queue drains in, and then it takes */
#define DRAIN_MOST 8         /* steps, of a long one */
#define SETTLE_STEPS 4       /* until that is seen */
#define DRAIN_LEAST 0.5      /* of the rate */
#define GENTLE 12.0          /* steps in which what is beyond the aim, or lacks, is corrected */
#define GAIN_NEAR 0.003      /* a step without a queue, while the rate holds cells up: near */
#define NEAR_BELOW 0.95      /* what it last carried, */
#define NEAR_ABOVE 1.05
#define GAIN_ABOVE 0.006 /* above that, and as much more after each */
#define ABOVE_STEPS 3
#define GAIN_FAR 0.04   /* at most, and below that */
#define QUIET_STEPS 100 /* without a queue: what it last carried is history */
#define USED_SHARE 0.80 /* of the rate: less is no reason to raise it */
#define HELD_SHARE 4    /* a quarter of a step: it is the uplink that limits */
#define CARRIED_MORE 2  /* times the rate, by messages, which do not wait: it is wrong */
#define FEW_MOST 1.12   /* of what was measured, with few links: jitter makes trains longer */

static void step_start(struct uplink_estimate *u, uint64_t now_us) {
    u->step_us = now_us;
    u->sent_bytes = u->lost_bytes = 0;
    u->held_us = 0;
    u->links = 0;
    for (unsigned i = 0; i < UPLINK_QUEUES; i++) u->seen[i] = 0;
}

void uplink_estimate_init(struct uplink_estimate *u, uint64_t now_us) {
    *u = (struct uplink_estimate){.calm_steps = UINT8_MAX};
    step_start(u, now_us);
}

void uplink_estimate_start(struct uplink_estimate *u, uint64_t bps) {
    u->start_bps = u64_max(u->start_bps, bps);
    if (u->full_bps == 0) u->rate_bps = u64_max(u->rate_bps, bps);
}

void uplink_estimate_sent(struct uplink_estimate *u, size_t bytes) { u->sent_bytes += bytes; }

void uplink_estimate_lost(struct uplink_estimate *u, size_t bytes) { u->lost_bytes += bytes; }

void uplink_estimate_held(struct uplink_estimate *u, uint64_t us) {
    u->held_us = (uint32_t)u64_min(u->held_us + us, UINT32_MAX);
}

bool uplink_estimate_is_due(const struct uplink_estimate *u, uint64_t now_us) {
    return now_us - u->step_us >= UPLINK_STEP_US;
}

static unsigned class_of(uint64_t queue_ms) {
    if (queue_ms < UPLINK_QUEUES_FINE) return (unsigned)queue_ms;
    uint64_t coarse = UPLINK_QUEUES_FINE + (queue_ms - UPLINK_QUEUES_FINE) / UPLINK_QUEUES_COARSE;
    return (unsigned)u64_min(coarse, UPLINK_QUEUES - 1);
}

static uint32_t queue_of(unsigned class) {
    unsigned ms = class < UPLINK_QUEUES_FINE
                      ? class
                      : UPLINK_QUEUES_FINE + (class - UPLINK_QUEUES_FINE) * UPLINK_QUEUES_COARSE;
    return (uint32_t)(ms * US_PER_MS);
}

void uplink_estimate_link(struct uplink_estimate *u, uint64_t queue_us) {
    if (u->links == UINT16_MAX) return;
    u->links++;
    u->seen[class_of(queue_us / US_PER_MS)]++;
}

/* Half of the links see it, or a longer one: to those that came while it stood, it is a longer
 * path.
 */
static uint32_t queue_shared(const struct uplink_estimate *u) {
    unsigned below = u->seen[0], at = 0;
    while (at + 1 < UPLINK_QUEUES && below * 2 <= u->links) below += u->seen[++at];
    return queue_of(at);
}

/* What went out, less what stayed in the queue or was lost, by the time that it took. A queue that
 * drains says nothing: how much of that was seen in time is not known. */
static void carry(struct uplink_estimate *u, double elapsed_us, double growth_us) {
    u->growth_us = growth_us > 0 ? (uint32_t)growth_us : 0;
    if (growth_us < -DRAINS_US) return;
    double bits = (double)u64_sub(u->sent_bytes, u->lost_bytes) * 8;
    double bps = bits * US_PER_S / (elapsed_us + (growth_us > 0 ? growth_us : 0));
    u->carried_bps[u->carried_next++ % UPLINK_CARRIED] = (uint64_t)bps;
}

/* Over the last steps, as reports come late. */
uint64_t uplink_estimate_carried_bps(const struct uplink_estimate *u) {
    uint64_t sum = 0, n = 0;
    for (unsigned i = 0; i < UPLINK_CARRIED; i++) {
        sum += u->carried_bps[i];
        n += u->carried_bps[i] > 0;
    }
    return n == 0 ? 0 : sum / n;
}

/* Of one datagram: what stands behind another waits so long. */
static double packet_us(const struct uplink_estimate *u) {
    uint64_t bps = u->rate_bps ? u->rate_bps : uplink_estimate_carried_bps(u);
    double us = PACKET_BITS * US_PER_S / (double)u64_max(bps, RATE_MIN_BPS);
    return us < PACKET_MOST_US ? us : PACKET_MOST_US;
}

static double aim_us(const struct uplink_estimate *u) {
    double packet = 0.9 * packet_us(u);
    return packet > AIM_US ? packet : AIM_US;
}

/* Media come in bursts, and each waits a little: an uplink that is not in use has not shown that it
 * carries more. */
static bool is_used(const struct uplink_estimate *u) {
    uint64_t bps = uplink_estimate_carried_bps(u);
    return (double)bps >= USED_SHARE * (double)u->rate_bps;
}

static bool is_held(const struct uplink_estimate *u, double elapsed_us) {
    return u->held_us * HELD_SHARE >= elapsed_us;
}

/* A queue while the uplink is used is ours; another one may be a burst, of messages or on the way.
 */
static bool is_full(struct uplink_estimate *u, double elapsed_us) {
    double most_us = u->rate_bps ? aim_us(u) + EXCESS_US : FULL_US + packet_us(u);
    u->full_steps = u->queue_us > most_us ? (uint8_t)u64_min(u->full_steps + 1u, UINT8_MAX) : 0;
    if (u->rate_bps == 0) return u->full_steps >= FULL_STEPS;
    return u->full_steps >= (is_held(u, elapsed_us) ? 1 : UNUSED_STEPS);
}

/* Before anything was measured, all links may have come while the queue stood, and take it for
 * their paths': that it overflows is seen by what is lost. */
static bool is_overflowing(struct uplink_estimate *u) {
    bool is_lossy = u->rate_bps == 0 && u->links >= UPLINK_LINKS_MIN &&
                    u->lost_bytes >= LOST_LEAST && u->lost_bytes * LOST_SHARE >= u->sent_bytes;
    u->lossy_steps = is_lossy ? u->lossy_steps + 1 : 0;
    return u->lossy_steps >= LOST_STEPS;
}

/* The rate becomes what is carried, after the queue has gone: with what came since its report. */
static void drain(struct uplink_estimate *u, double elapsed_us) {
    uint64_t newest_bps = u->carried_bps[(uint8_t)(u->carried_next - 1) % UPLINK_CARRIED];
    uint64_t bps = u64_min(uplink_estimate_carried_bps(u), newest_bps);
    bps = u64_max(bps, RATE_MIN_BPS);
    /* It may not have been in use all the time: then what was carried is less than it carries, and
     * how fast the queue has come says how much too high the rate is. */
    double cut = 1 - u->queue_us / (CUT_STEPS * elapsed_us);
    if (u->calm_steps < AGAIN_STEPS || cut < 0) cut = 0; /* it was not enough */
    bps = u64_max(bps, (uint64_t)(cut * (double)u->rate_bps));
    double late_us = u->growth_us * REPORT_STEPS;
    double idle_steps = (u->queue_us - aim_us(u) / 2 + late_us) / elapsed_us;
    double factor = 1 - idle_steps / DRAIN_STEPS, steps = DRAIN_STEPS;
    if (factor < DRAIN_LEAST) {
        factor = DRAIN_LEAST;
        steps = idle_steps / (1 - DRAIN_LEAST);
    }
    u->rate_bps = u->full_bps = bps;
    u->drain_bps = (uint64_t)(factor * (double)bps);
    u->drain_steps = steps < DRAIN_MOST ? (uint8_t)steps : DRAIN_MOST;
    u->settle_steps = SETTLE_STEPS;
    u->quiet_steps = u->full_steps = u->calm_steps = 0;
}

/* How long the queue is nobody knows: longer than what any drain is for. */
static void drain_all(struct uplink_estimate *u, double elapsed_us) {
    drain(u, elapsed_us);
    u->drain_bps = (uint64_t)(DRAIN_LEAST * (double)u->rate_bps);
    u->drain_steps = DRAIN_MOST;
    u->lossy_steps = 0;
}

static double gain_of(struct uplink_estimate *u, double elapsed_us) {
    double lack = (aim_us(u) - u->queue_us) / (GENTLE * elapsed_us);
    if (lack < 0) return lack;
    if (!is_held(u, elapsed_us) || !is_used(u)) return 0;
    double rate = (double)u->rate_bps, full = (double)u->full_bps;
    if (u->quiet_steps < QUIET_STEPS) u->quiet_steps++;
    /* Above what it last carried it is felt for: a queue is seen some steps late. */
    if (rate >= NEAR_ABOVE * full && full > 0) {
        if (u->above_steps < UINT8_MAX) u->above_steps++;
        double gain = GAIN_ABOVE * (1 + u->above_steps / ABOVE_STEPS);
        return gain < GAIN_FAR ? gain : GAIN_FAR;
    }
    u->above_steps = 0;
    bool is_near = rate > NEAR_BELOW * full && full > 0;
    if (!is_near) return GAIN_FAR;
    if (u->quiet_steps == QUIET_STEPS) return GAIN_FAR;
    return lack < GAIN_NEAR ? lack : GAIN_NEAR;
}

/* A queue that few links see may be their paths', and theirs to see to; that none of them sees any
 * is no proof either, as thin links tell late. Of what was measured the most counts: a cut may have
 * been too deep, and nothing but this undoes it here. */
static void grow_few(struct uplink_estimate *u, double elapsed_us) {
    unsigned below = 0;
    for (unsigned at = 0; at < UPLINK_QUEUES && queue_of(at) < aim_us(u); at++)
        below += u->seen[at];
    if (u->links == 0 || below < u->links || !is_held(u, elapsed_us) || !is_used(u)) return;
    double measured = (double)u64_max(u->full_bps, u->start_bps);
    bool is_far = (double)u->rate_bps < NEAR_BELOW * measured;
    double next = (double)u->rate_bps * (1 + (is_far ? GAIN_FAR : GAIN_NEAR));
    if (next <= FEW_MOST * measured) u->rate_bps = (uint64_t)next;
}

static void adjust(struct uplink_estimate *u, double elapsed_us) {
    bool is_over = is_full(u, elapsed_us), is_overflown = is_overflowing(u);
    uint64_t carried_bps = uplink_estimate_carried_bps(u);
    if (u->calm_steps < UINT8_MAX) u->calm_steps++;
    if (u->drain_steps > 0) {
        u->drain_steps--;
    } else if (u->settle_steps > 0) {
        u->settle_steps--;
    } else if (is_over) {
        drain(u, elapsed_us);
    } else if (is_overflown) {
        drain_all(u, elapsed_us);
    } else if (u->rate_bps > 0 && carried_bps > CARRIED_MORE * u->rate_bps) {
        u->rate_bps = carried_bps;
    } else if (u->rate_bps > 0 && u->links < UPLINK_LINKS_MIN) {
        grow_few(u, elapsed_us);
    } else if (u->rate_bps > 0) {
        double next = (double)u->rate_bps * (1 + gain_of(u, elapsed_us));
        u->rate_bps = u64_max((uint64_t)next, RATE_MIN_BPS);
    }
}

void uplink_estimate_step(struct uplink_estimate *u, uint64_t now_us) {
    double elapsed_us = (double)u64_max(now_us - u->step_us, 1);
    uint32_t before_us = u->queue_us;
    u->queue_first_us = u->queue_before_us;
    u->queue_before_us = u->queue_us;
    u->queue_us = u->links < UPLINK_LINKS_MIN ? 0 : queue_shared(u);
    carry(u, elapsed_us, (double)u->queue_us - before_us);
    adjust(u, elapsed_us);
    step_start(u, now_us);
}

uint64_t uplink_estimate_shared_us(const struct uplink_estimate *u) {
    if (u->rate_bps == 0) return 0;
    return u64_max(u->queue_us, u64_max(u->queue_before_us, u->queue_first_us));
}

uint64_t uplink_estimate_bps(const struct uplink_estimate *u) {
    if (u->rate_bps == 0) return UINT64_MAX;
    return u->drain_steps > 0 ? u->drain_bps : u->rate_bps;
}
