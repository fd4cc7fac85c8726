/* How fast a path may be sent to, by what a round has measured. */
#include "core/link/pace_internal.h"

#define QUEUE_AIM_LEAST_US 4000 /* where growth and draining meet: this, and */
#define QUEUE_AIM_SLOPE 6000    /* this over the root of the rate in Mb/s (Swift, SIGCOMM 2020), */
#define QUEUE_AIM_MOST_US 11000 /* up to a point */
#define PAUSE_MAX_US (300 * US_PER_MS)
#define SETTLE_ROUNDS 3     /* feedback is a round old: correct over three */
#define GAIN_STARTING 1.0   /* doubles a round until a queue is seen */
#define GAIN_QUIET_MAX 0.25 /* after several rounds without one */
#define GAIN_QUIET_US 20000 /* what a round of such growth adds to the queue before it is seen */
#define NEAR_BELOW 0.85     /* of the rate that last made a queue */
#define NEAR_ABOVE 1.3
#define NEAR_GAIN 0.04        /* at least, */
#define NEAR_ROUNDS 6         /* after so many without a queue: that rate is history */
#define LOW_US (5 * US_PER_S) /* a base delay is refreshed this often, by a short drain */
#define CUT_FACTOR 1.5        /* times the aim: a queue that must get less */
#define STUCK_US US_PER_S     /* a queue that stands so long although we pause is not ours */
#define ROUTE_STEP_US 1500
#define COMPETE_BETA 0.7  /* RFC 9438, 4.6, and with it a growth as fair as Reno's (4.3): */
#define COMPETE_ALPHA 3.0 /* datagrams a round trip */
#define COMPETE_MOST_US (400 * US_PER_MS) /* of queue: what we sent would be late anyway */
#define LOSS_SAMPLE_MIN 50   /* datagrams: at 2 % loss five or more lost are rare (0.3 %) */
#define LOSS_NOISE_US 1500   /* jitter that reorders makes losses that were none: */
#define LOSS_HEAVY_NOISY 0.5 /* what counts then */

uint64_t pace_clamp(double bps) {
    if (bps < (double)PACE_RATE_MIN) return PACE_RATE_MIN;
    if (bps > (double)PACE_RATE_MAX) return PACE_RATE_MAX;
    return (uint64_t)bps;
}

/* Judges loss once enough datagrams are settled; 0 until then. */
static double loss_judge(struct pace *p) {
    unsigned settled = (unsigned)p->acked + p->lost;
    if (settled < LOSS_SAMPLE_MIN) return 0;
    double loss = (double)p->lost / settled;
    p->acked = p->lost = 0;
    return loss;
}

/* By Newton's method: core has no libm. */
static double root(double x) {
    double y = x > 1 ? x : 1;
    for (int i = 0; i < 8; i++) y = (y + x / y) / 2;
    return y;
}

/* What jitter alone makes of the minimum of a few samples is not a queue. */
static double aim_us(const struct pace *p) {
    double aim = QUEUE_AIM_LEAST_US + QUEUE_AIM_SLOPE / root((double)p->rate_bps / 1e6);
    if (aim > QUEUE_AIM_MOST_US) aim = QUEUE_AIM_MOST_US;
    double packet_us = 0.9 * PACE_DATAGRAM * 8 * US_PER_S / (double)p->rate_bps;
    return (aim > packet_us ? aim : packet_us) + p->noise_us;
}

/* Close to the rate that last made a queue, growth is slow; far from it, the longer no queue is
 * seen the faster. */
static double gain_of(struct pace *p, uint64_t round_us) {
    if (p->is_starting) return GAIN_STARTING;
    double queue_us = p->queue_us, full = (double)p->full_kbps * PACE_KBPS,
           rate = (double)p->rate_bps;
    double gain = (aim_us(p) - queue_us) / (double)(SETTLE_ROUNDS * round_us);
    bool is_quiet = queue_us < aim_us(p) / 2;
    p->quiet_rounds = is_quiet ? (uint8_t)u64_min(p->quiet_rounds + 1u, UINT8_MAX) : 0;
    bool is_near = rate > NEAR_BELOW * full && rate < NEAR_ABOVE * full;
    if (is_near && p->quiet_rounds < NEAR_ROUNDS) return gain / 2;
    if (is_near) return gain > NEAR_GAIN ? gain : NEAR_GAIN;
    double most = (double)GAIN_QUIET_US / (double)round_us;
    if (most > GAIN_QUIET_MAX) most = GAIN_QUIET_MAX;
    for (unsigned i = 0; i < p->quiet_rounds && gain < most; i++) gain *= 2;
    return gain < most ? gain : most;
}

static void grow(struct pace *p, uint64_t round_us) {
    double next = (double)p->rate_bps * (1 + gain_of(p, round_us));
    uint64_t most_bps = u64_max(2 * pace_delivered(p), p->rate_bps);
    p->rate_bps = u64_min(pace_clamp(next), most_bps);
}

void pace_note_cut(struct pace *p, uint64_t resume_kbps, uint64_t now_us) {
    p->cut_us = now_us;
    p->resume_kbps = (uint32_t)resume_kbps;
    p->cut_most_us = 0;
    p->cut_least_us = UINT32_MAX;
}

/* A queue that stays although we paused for it: the route or somebody else made it. */
static bool is_stuck(struct pace *p, uint64_t now_us) {
    if (p->queue_us <= CUT_FACTOR * aim_us(p)) return false;
    if (p->cut_us == 0) {
        uint64_t rate_kbps = p->rate_bps / PACE_KBPS;
        pace_note_cut(p, p->is_limited ? rate_kbps / 2 : rate_kbps, now_us);
        return false;
    }
    p->cut_most_us = (uint32_t)u64_max(p->queue_us, p->cut_most_us);
    p->cut_least_us = (uint32_t)u64_min(p->queue_us, p->cut_least_us);
    if (now_us / US_PER_S < p->yield_s) return false;
    return p->is_limited && now_us - p->cut_us >= STUCK_US && 2 * p->queue_us > p->cut_most_us;
}

/* A queue that moves with our pauses and losses is shared; one that never moves is a longer way. */
static void stuck_resolve(struct pace *p, uint64_t now_us) {
    p->is_competing = p->cut_most_us - p->cut_least_us > ROUTE_STEP_US + 2 * p->noise_us;
    p->rate_bps = pace_clamp((double)p->resume_kbps * PACE_KBPS);
    p->cut_us = p->is_competing ? now_us : 0;
    if (p->is_competing) return;
    p->period[0].delay_us = p->round_delay_us;
    p->period[1].delay_us = INT32_MAX;
    p->queue_us = 0;
}

static void compete(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    double rtt_us = (double)(ack->rtt_least_us + p->queue_us);
    double rounds = (double)(now_us - p->round_us) / rtt_us;
    p->cut_most_us = (uint32_t)u64_max(p->queue_us, p->cut_most_us);
    bool is_full = 2 * p->queue_us > p->cut_most_us;
    if ((p->round_lost > 0 && is_full) || p->queue_us > COMPETE_MOST_US) {
        if ((double)(now_us - p->cut_us) < rtt_us) return;
        p->rate_bps = pace_clamp((double)p->rate_bps * COMPETE_BETA);
        p->cut_us = now_us;
    } else if (p->is_limited) {
        double step_bps = COMPETE_ALPHA * PACE_DATAGRAM * 8 * US_PER_S / rtt_us;
        p->rate_bps = pace_clamp((double)p->rate_bps + step_bps * rounds);
    }
    if ((double)p->queue_us > aim_us(p)) return;
    p->is_competing = false;
    p->cut_us = 0;
}

void pace_drain(struct pace *p, const struct pace_ack *ack, double queue_us, uint64_t now_us) {
    double rate = (double)p->rate_bps, carried = (double)p->delivered_kbps * PACE_KBPS;
    double since_us = (double)(now_us - u64_max(ack->sent_us, p->train_us));
    double pause_us = queue_us + since_us * (rate / carried - 1);
    if (pause_us < 0) pause_us = 0;
    if (pause_us > PAUSE_MAX_US) pause_us = PAUSE_MAX_US;
    p->next_us = u64_max(p->next_us, now_us + (uint64_t)pause_us);
    p->settled_us = now_us;
    p->is_settling = true;
    p->full_kbps = p->delivered_kbps;
    p->rate_bps = pace_clamp(carried);
}

static void shrink(struct pace *p, const struct pace_ack *ack, uint64_t round_us, uint64_t now_us) {
    p->is_starting = false;
    p->quiet_rounds = 0;
    if (is_stuck(p, now_us)) {
        stuck_resolve(p, now_us);
        return;
    }
    double excess_us = p->queue_us - aim_us(p);
    if (p->is_filled && excess_us > PACE_QUEUE_US && p->delivered_kbps > 0) {
        pace_drain(p, ack, excess_us, now_us);
        return;
    }
    double factor = 1 - excess_us / (double)(SETTLE_ROUNDS * round_us);
    double rate = (double)p->rate_bps, delivered = (double)p->delivered_kbps * PACE_KBPS;
    if (p->is_filled) {
        /* With a queue standing, what was delivered is what the path carries. */
        p->full_kbps = p->delivered_kbps;
        double next = delivered * (factor < 0.5 ? 0.5 : factor);
        p->rate_bps = pace_clamp(next > rate / 2 ? next : rate / 2);
    } else if (p->queue_us > PACE_QUEUE_US + p->noise_us) {
        /* What was delivered is what was asked for: no reason to go below it. */
        double next = rate * 0.8 > delivered ? rate * 0.8 : delivered;
        p->rate_bps = pace_clamp(next < rate ? next : rate);
    }
}

/* Growth stays within twice of what the path has shown it carries, or of the start. */
static void rate_bound(struct pace *p) {
    uint64_t most_bps = u64_max(2 * pace_delivered(p), PACE_RATE_INITIAL);
    p->rate_bps = u64_min(p->rate_bps, most_bps);
}

void pace_judge(struct pace *p, const struct pace_ack *ack, uint64_t round_us, uint64_t now_us) {
    double loss = loss_judge(p), heavy = PACE_LOSS_HEAVY;
    if (p->noise_us > LOSS_NOISE_US) heavy = LOSS_HEAVY_NOISY;
    if (p->is_draining) {
        p->is_draining = false; /* what was delivered meanwhile says nothing */
        return;
    }
    if (p->is_competing) {
        compete(p, ack, now_us);
        return;
    }
    if (p->queue_us <= CUT_FACTOR * aim_us(p)) p->cut_us = 0;
    if (loss > 0) p->heavy_judged = loss > heavy ? (uint8_t)u64_min(p->heavy_judged + 1u, 2) : 0;
    if (loss > heavy && p->heavy_judged > 1) {
        p->is_starting = false;
        uint64_t carried_bps = (uint64_t)p->delivered_kbps * PACE_KBPS;
        if (!p->is_limited) carried_bps = u64_max(carried_bps, p->rate_bps / 2);
        carried_bps = (uint64_t)((double)carried_bps * (1 - loss));
        p->rate_bps = pace_clamp((double)u64_min(p->rate_bps, carried_bps));
    } else if (p->queue_us > aim_us(p)) {
        shrink(p, ack, round_us, now_us);
    } else if (p->is_limited && (loss <= PACE_LOSS_QUIET || heavy > PACE_LOSS_HEAVY)) {
        grow(p, round_us);
    }
    rate_bound(p);
    if (p->is_limited && now_us - p->low_us > LOW_US) {
        p->is_draining = true;
        p->low_us = now_us;
    }
}
