#include "core/link/pace.h"

#define QUEUE_AIM_US 8000 /* where growth and draining meet: half of what may stand */
#define QUEUE_LOW_US 3000
#define NOISE_US 6000      /* delays that go up and down by so much are jitter, */
#define NOISE_SAMPLES 8    /* and their minimum needs more samples, */
#define NOISE_FACTOR 2     /* and is added to the aim, */
#define NOISE_MAX_US 25000 /* up to a point */
#define NOISE_ROUNDS 4     /* but not for ever */
#define ROUND_MIN_US (30 * US_PER_MS)
#define ROUND_MAX_US (200 * US_PER_MS)
#define ROUND_SAMPLES_MIN 2
#define SETTLE_ROUNDS 3     /* feedback is a round old: correct over three */
#define GAIN_STARTING 1.0   /* doubles a round until a queue is seen */
#define GAIN_QUIET_MAX 0.25 /* after several rounds without one */
#define NEAR_BELOW 0.85     /* of the rate that last made a queue */
#define NEAR_ABOVE 1.3
#define LOW_US (5 * US_PER_S) /* a base delay is refreshed this often, by a short drain */
#define STUCK_US US_PER_S     /* a queue that stands this long at half the rate is not ours */
#define LOSS_SAMPLE_MIN 50    /* datagrams: at 2 % loss five or more lost are rare (0.3 %) */
#define CHARGE_AHEAD_US (100 * US_PER_MS)

static uint64_t rate_clamp(double bps) {
    if (bps < (double)PACE_RATE_MIN) return PACE_RATE_MIN;
    if (bps > (double)PACE_RATE_MAX) return PACE_RATE_MAX;
    return (uint64_t)bps;
}

void pace_init(struct pace *p, uint64_t now_us) {
    *p = (struct pace){.rate_bps = PACE_RATE_INITIAL,
                       .round_delay_us = INT64_MAX,
                       .low_us = now_us,
                       .is_starting = true};
    minimum_init(&p->delay_us, now_us);
    minimum_init(&p->delivered_bps, now_us);
}

static uint64_t rate_now(const struct pace *p) {
    return p->is_draining ? u64_max(p->rate_bps / 2, PACE_RATE_MIN) : p->rate_bps;
}

static uint64_t bytes_us(const struct pace *p, uint64_t bytes) {
    return bytes * 8 * US_PER_S / rate_now(p);
}

/* How far ahead of the rate a burst may run: the datagrams after its first. */
static uint64_t burst_us(const struct pace *p) {
    uint64_t most_us = bytes_us(p, (PACE_BURST_DATAGRAMS - 1) * PACE_DATAGRAM);
    return u64_min(most_us, u64_sub(PACE_BURST_US, bytes_us(p, PACE_DATAGRAM)));
}

uint64_t pace_time(const struct pace *p) { return u64_sub(p->next_us, burst_us(p)); }

void pace_charge(struct pace *p, size_t bytes, uint64_t now_us) {
    uint64_t cost_us = bytes_us(p, bytes);
    p->round_sent++;
    /* Held back: the bucket had not filled up again, or had for less than a quarter datagram. */
    if (now_us < p->next_us + cost_us / 4) p->round_held++;
    p->next_us = u64_min(u64_max(p->next_us, now_us) + cost_us, now_us + CHARGE_AHEAD_US);
}

uint64_t pace_window(const struct pace *p, uint64_t rtt_least_us) {
    if (!p->is_measured) return PACE_WINDOW_MIN;
    /* A round trip, the wait for an acknowledgement, and as much again for what is uneven. */
    uint64_t bytes = p->rate_bps / 8 * (rtt_least_us + 100 * US_PER_MS) / US_PER_S;
    return u64_min(u64_max(bytes, PACE_WINDOW_MIN), PACE_WINDOW_MAX);
}

static uint64_t delivered_most(const struct pace *p, uint64_t now_us) {
    int64_t least = minimum_get(&p->delivered_bps, now_us);
    return least == MINIMUM_NONE ? 0 : (uint64_t)-least;
}

/* Judges loss once enough datagrams are settled; 0 until then. */
static double loss_judge(struct pace *p) {
    unsigned settled = p->acked + p->lost;
    if (settled < LOSS_SAMPLE_MIN) return 0;
    double loss = (double)p->lost / settled;
    p->acked = p->lost = 0;
    return loss;
}

/* What jitter alone makes of the minimum of a few samples is not a queue. */
static double aim_us(const struct pace *p) { return QUEUE_AIM_US + (double)p->noise_us; }

/* Close to the rate that last made a queue, growth is slow; far from it, the longer no queue is
 * seen the faster. */
static double gain_of(struct pace *p, uint64_t round_us) {
    if (p->is_starting) return GAIN_STARTING;
    double queue_us = (double)p->queue_us, full = (double)p->full_bps, rate = (double)p->rate_bps;
    double gain = (aim_us(p) - queue_us) / (double)(SETTLE_ROUNDS * round_us);
    p->quiet_rounds = queue_us < aim_us(p) / 2 ? p->quiet_rounds + 1 : 0;
    if (rate > NEAR_BELOW * full && rate < NEAR_ABOVE * full) return gain / 2;
    for (unsigned i = 0; i < p->quiet_rounds && gain < GAIN_QUIET_MAX; i++) gain *= 2;
    return gain < GAIN_QUIET_MAX ? gain : GAIN_QUIET_MAX;
}

static void grow(struct pace *p, uint64_t round_us, uint64_t now_us) {
    double next = (double)p->rate_bps * (1 + gain_of(p, round_us));
    uint64_t most_bps = u64_max(2 * delivered_most(p, now_us), p->rate_bps);
    p->rate_bps = u64_min(rate_clamp(next), most_bps);
}

/* A queue that stays although less than half is sent: the route or somebody else changed it. */
static bool is_stuck(struct pace *p, uint64_t now_us) {
    if (p->cut_since_us == 0) {
        p->cut_since_us = now_us;
        p->cut_rate_bps = p->rate_bps;
        p->cut_queue_us = 0;
    }
    p->cut_queue_us = u64_max(p->cut_queue_us, p->queue_us);
    return now_us - p->cut_since_us >= STUCK_US && 2 * p->rate_bps <= p->cut_rate_bps &&
           4 * p->queue_us > 3 * p->cut_queue_us;
}

static void shrink(struct pace *p, uint64_t round_us, uint64_t now_us) {
    p->is_starting = false;
    p->quiet_rounds = 0;
    if (is_stuck(p, now_us)) {
        minimum_init(&p->delay_us, now_us);
        minimum_add(&p->delay_us, p->round_delay_us, now_us);
        p->rate_bps = rate_clamp((double)p->cut_rate_bps / 2);
        p->cut_since_us = 0;
        return;
    }
    double excess_us = (double)p->queue_us - aim_us(p);
    double factor = 1 - excess_us / (double)(SETTLE_ROUNDS * round_us);
    double rate = (double)p->rate_bps, delivered = (double)p->last_delivered_bps;
    if (p->is_limited) {
        /* With a queue standing, what was delivered is what the path carries. */
        p->full_bps = p->last_delivered_bps;
        double next = delivered * (factor < 0.5 ? 0.5 : factor);
        p->rate_bps = rate_clamp(next > rate / 2 ? next : rate / 2);
    } else if (p->queue_us > PACE_QUEUE_US + p->noise_us) {
        /* What was delivered is what was asked for: no reason to go below it. */
        double next = rate * 0.8 > delivered ? rate * 0.8 : delivered;
        p->rate_bps = rate_clamp(next < rate ? next : rate);
    }
}

/* Growth stays within twice of what the path has shown it carries, or of the start. */
static void rate_bound(struct pace *p, uint64_t now_us) {
    uint64_t most_bps = u64_max(2 * delivered_most(p, now_us), PACE_RATE_INITIAL);
    p->rate_bps = u64_min(p->rate_bps, most_bps);
}

static void round_measure(struct pace *p, uint64_t now_us) {
    int64_t base_us = minimum_get(&p->delay_us, now_us);
    p->queue_us = (uint64_t)(p->round_delay_us - base_us);
    uint64_t noise_us =
        NOISE_FACTOR * u64_min(p->round_rise_us, p->round_fall_us) / p->round_samples;
    p->noise_us = (7 * p->noise_us + u64_min(noise_us, NOISE_MAX_US)) / 8;
    if (p->queue_us < QUEUE_LOW_US + p->noise_us) p->low_us = now_us;
    p->is_limited = 2 * p->round_held > p->round_sent;
    uint32_t span_us = p->received_us - p->round_received_us;
    if (p->is_measured && span_us > 0 && span_us < INT32_MAX) {
        p->last_delivered_bps = p->round_bytes * 8 * US_PER_S / span_us;
        minimum_add(&p->delivered_bps, -(int64_t)p->last_delivered_bps, now_us);
    }
}

static void round_start(struct pace *p, uint64_t now_us) {
    p->round_since_us = now_us;
    p->round_received_us = p->received_us;
    p->round_delay_us = INT64_MAX;
    p->round_rise_us = p->round_fall_us = 0;
    p->round_samples = p->round_sent = p->round_held = 0;
    p->round_bytes = 0;
}

static void round_judge(struct pace *p, uint64_t round_us, uint64_t now_us) {
    double loss = loss_judge(p);
    if (p->is_draining) {
        p->is_draining = false; /* what was delivered meanwhile says nothing */
        return;
    }
    if ((double)p->queue_us <= aim_us(p)) p->cut_since_us = 0;
    if (loss > PACE_LOSS_HEAVY) {
        p->is_starting = false;
        uint64_t carried_bps = p->last_delivered_bps;
        if (!p->is_limited) carried_bps = u64_max(carried_bps, p->rate_bps / 2);
        p->rate_bps = rate_clamp((double)u64_min(p->rate_bps, carried_bps));
    } else if ((double)p->queue_us > aim_us(p)) {
        shrink(p, round_us, now_us);
    } else if (p->is_limited && loss <= PACE_LOSS_QUIET) {
        grow(p, round_us, now_us);
    }
    rate_bound(p, now_us);
    if (p->is_limited && now_us - p->low_us > LOW_US) {
        p->is_draining = true;
        p->low_us = now_us;
    }
}

/* A queue that grows or drains moves the delay one way, jitter both. */
static bool round_is_over(const struct pace *p, uint64_t round_us, uint64_t now_us) {
    uint64_t age_us = now_us - p->round_since_us;
    if (age_us < round_us || p->round_samples < ROUND_SAMPLES_MIN) return false;
    bool is_noisy = u64_min(p->round_rise_us, p->round_fall_us) > NOISE_US;
    return !is_noisy || p->round_samples >= NOISE_SAMPLES || age_us >= NOISE_ROUNDS * round_us;
}

void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    uint64_t round_us = u64_min(u64_max(ack->rtt_least_us, ROUND_MIN_US), ROUND_MAX_US);
    uint32_t raw = ack->received_us - (uint32_t)ack->sent_us;
    if (!p->has_origin) p->delay_origin = raw;
    p->has_origin = true;
    int64_t delay_us = (int32_t)(raw - (uint32_t)p->delay_origin);
    minimum_add(&p->delay_us, delay_us, now_us);
    p->received_us = ack->received_us;
    if (p->is_out || p->round_since_us == 0) {
        p->is_out = false;
        round_start(p, now_us);
        return;
    }
    p->acked += ack->datagrams;
    p->round_bytes += ack->bytes;
    p->round_samples++;
    if (delay_us < p->round_delay_us) p->round_delay_us = delay_us;
    if (delay_us > p->last_delay_us)
        p->round_rise_us += (uint64_t)(delay_us - p->last_delay_us);
    else
        p->round_fall_us += (uint64_t)(p->last_delay_us - delay_us);
    p->last_delay_us = delay_us;
    if (!round_is_over(p, round_us, now_us)) return;
    round_measure(p, now_us);
    if (p->is_measured) round_judge(p, round_us, now_us);
    p->is_measured = true;
    round_start(p, now_us);
}

void pace_on_lost(struct pace *p) {
    if (!p->is_out) p->lost++;
}

void pace_on_outage(struct pace *p, uint64_t now_us) {
    if (p->is_out) return;
    p->is_out = true;
    p->is_draining = false;
    p->acked = p->lost = 0;
    /* What was delivered may be what was asked for: from a quarter of the rate, quickly back. */
    uint64_t delivered = u64_max(delivered_most(p, now_us), p->rate_bps / 4);
    p->rate_bps = rate_clamp((double)u64_min(p->rate_bps, delivered));
    p->is_starting = true;
}
