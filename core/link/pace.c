#include "core/link/pace_internal.h"

#define QUEUE_LOW_US 3000
#define NOISE_US 6000      /* delays that go up and down by so much are jitter, */
#define NOISE_SAMPLES 8    /* and their minimum needs more samples, */
#define NOISE_FACTOR 3     /* and is added to the aim, */
#define NOISE_MAX_US 25000 /* up to a point */
#define NOISE_ROUNDS 4     /* but not for ever */
#define ROUND_MIN_US (30 * US_PER_MS)
#define ROUND_MAX_US (200 * US_PER_MS)
#define ROUND_SAMPLES_MIN 2
#define PERIOD_US (5 * US_PER_S) /* delays and rates are remembered for one to two of it */
#define YIELD_S 6 /* more than a period: links that compete with each other all end it */
#define IDLE_US (20 * US_PER_MS) /* without a datagram: what is sent next is a new train */
#define PAUSED_US (50 * US_PER_MS)
#define TRAIN_WAIT_US (800 * US_PER_MS) /* what a round may last for the sake of a train */
#define START_ROUNDS 20                 /* that a start lasts at most */
#define START_QUEUE_US 6000             /* a queue that ends the start, */
#define START_DATAGRAMS 4               /* after so many, */
#define START_CARRIED 0.87 /* where sending took less than this of the time of coming */
#define FILLED 0.7         /* of the time: the rate, not the sender, is the limit */
#define CHARGE_AHEAD_US (100 * US_PER_MS)

static void period_clear(struct pace_period *period) {
    *period = (struct pace_period){.delay_us = INT32_MAX};
}

void pace_init(struct pace *p, uint64_t now_us) {
    *p = (struct pace){.rate_bps = PACE_RATE_INITIAL,
                       .round_delay_us = INT32_MAX,
                       .period_us = now_us,
                       .low_us = now_us,
                       .is_starting = true};
    period_clear(&p->period[0]);
    period_clear(&p->period[1]);
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

void pace_note_held(struct pace *p) { p->is_held = true; }

void pace_charge(struct pace *p, size_t bytes, uint64_t now_us) {
    uint64_t cost_us = bytes_us(p, bytes);
    bool is_large = bytes >= PACE_DATAGRAM / 4; /* others may be acknowledgements alone */
    if (is_large && now_us > p->next_us + IDLE_US) {
        p->train_us = now_us;
        p->idle_us = p->charged_us;
    }
    if (is_large) p->charged_us = (uint32_t)now_us;
    if (p->round_sent < UINT16_MAX) p->round_sent++;
    p->round_busy_us = (uint32_t)u64_min(p->round_busy_us + cost_us, UINT32_MAX);
    /* Held back: the bucket had not filled up again, or had for less than a quarter datagram. */
    bool is_held = p->is_held || now_us < p->next_us + cost_us / 4;
    if (is_held && p->round_held < UINT16_MAX) p->round_held++;
    if (is_large) p->is_held = false;
    uint64_t most_us = u64_max(p->next_us, now_us + CHARGE_AHEAD_US);
    p->next_us = u64_min(u64_max(p->next_us, now_us) + cost_us, most_us);
}

/* Of times that lie less than half an hour apart, by their low bits. */
static bool is_before(uint32_t a_us, uint64_t b_us) { return (int32_t)(a_us - (uint32_t)b_us) < 0; }

uint64_t pace_window(const struct pace *p, uint64_t rtt_least_us) {
    bool is_untried = p->is_starting && (p->train_us == 0 || is_before(p->acked_us, p->train_us));
    uint64_t bps = p->is_starting ? u64_min(p->rate_bps, 2 * pace_delivered(p)) : p->rate_bps;
    uint64_t least = PACE_WINDOW_INITIAL;
    if (p->is_starting && !is_untried) least = PACE_WINDOW_STARTING;
    /* A round trip, the wait for an acknowledgement, and as much again for what is uneven. */
    uint64_t bytes = bps / 8 * (rtt_least_us + 100 * US_PER_MS) / US_PER_S;
    return u64_min(u64_max(bytes, least), PACE_WINDOW_MAX);
}

static void period_step(struct pace *p, uint64_t now_us) {
    if (now_us - p->period_us < PERIOD_US) return;
    p->period_us = now_us;
    struct pace_period before = p->period[0];
    /* Beside a TCP the queue may not be empty for long: what it was then is still the base. */
    int32_t base_us = p->is_competing ? pace_base(p) : INT32_MAX;
    /* What fills a buffer loses datagrams, and so do we: without any we fill it ourselves. */
    if (p->is_competing && !p->has_lost) {
        p->is_competing = false;
        p->cut_us = 0;
        p->yield_s = (uint32_t)(now_us / US_PER_S) + YIELD_S;
    }
    p->has_lost = false;
    period_clear(&p->period[0]);
    p->period[0].delay_us = base_us;
    p->period[1] = before;
}

/* When the train's first datagram came, had it not waited; on the receiver's clock. */
static uint32_t train_arrival_us(const struct pace *p) {
    return (uint32_t)p->train_us + p->origin_us + (uint32_t)pace_base(p);
}

/* What the path delivered in this round; 0 where that says nothing. Losses count: they took their
 * share of the time. */
static uint32_t delivered(const struct pace *p) {
    uint32_t span_us = p->received_us - p->round_received_us;
    if (span_us == 0 || span_us > INT32_MAX || p->round_acked == 0) return 0;
    double settled = (double)(p->round_acked + p->round_lost) / p->round_acked;
    double kbps = p->round_bytes * 8.0 * PACE_KBPS / span_us * (settled < 1.5 ? settled : 1.5);
    return kbps < 4e9 ? (uint32_t)kbps : 0;
}

static void round_measure(struct pace *p, uint32_t shared_us, uint64_t now_us) {
    p->whole_us = (uint32_t)(p->round_delay_us - pace_base(p));
    p->queue_us = (uint32_t)u64_sub(p->whole_us, shared_us);
    uint64_t noise_us =
        NOISE_FACTOR * u64_min(p->round_rise_us, p->round_fall_us) / p->round_samples;
    p->noise_us = (uint32_t)((7 * p->noise_us + u64_min(noise_us, NOISE_MAX_US)) / 8);
    if (p->queue_us < QUEUE_LOW_US + p->noise_us) p->low_us = now_us;
    p->is_limited = 2 * p->round_held > p->round_sent;
    /* Of a frame's cells all but the first are held back for a moment, and then nothing is sent:
     * what is delivered is then what was asked for. */
    p->is_filled =
        p->is_limited && (double)p->round_busy_us > FILLED * (double)(now_us - p->round_us);
    uint32_t kbps = delivered(p);
    if (kbps == 0) return;
    p->delivered_kbps = kbps;
    p->period[0].delivered_kbps = (uint32_t)u64_max(kbps, p->period[0].delivered_kbps);
}

static void round_start(struct pace *p, uint64_t now_us) {
    p->round_us = now_us;
    p->round_received_us = p->received_us;
    p->round_since_delay_us = p->last_delay_us;
    p->round_delay_us = INT32_MAX;
    p->round_rise_us = p->round_fall_us = p->round_bytes = p->round_busy_us = 0;
    p->round_samples = p->round_sent = p->round_held = p->round_acked = p->round_lost = 0;
}

/* A queue that grows or drains moves the delay one way, jitter both. */
static bool round_is_over(const struct pace *p, uint64_t round_us, uint64_t now_us) {
    uint64_t age_us = now_us - p->round_us;
    if (age_us < round_us || p->round_samples < ROUND_SAMPLES_MIN) return false;
    if (p->is_starting && p->round_acked < START_DATAGRAMS && age_us < US_PER_S) return false;
    bool is_noisy = u64_min(p->round_rise_us, p->round_fall_us) > NOISE_US;
    return !is_noisy || p->round_samples >= NOISE_SAMPLES || age_us >= NOISE_ROUNDS * round_us;
}

/* A train that came slower than it left, and later: that is what the path carries. What has been
 * sent since drains before more is. Returns whether the start is over. */
static bool start_judge(struct pace *p, const struct pace_ack *ack, int32_t delay_us,
                        uint64_t now_us) {
    uint64_t queue_us = u64_sub((uint64_t)(delay_us - pace_base(p)), ack->shared_us);
    if (!p->is_starting || queue_us < START_QUEUE_US + p->noise_us) return false;
    int32_t before_us = (int32_t)(train_arrival_us(p) - p->round_received_us);
    bool is_whole = is_before(p->acked_us, p->train_us) || before_us <= 0;
    bool is_held = 2 * p->round_held > p->round_sent || queue_us > PACE_QUEUE_US + p->noise_us;
    if (p->round_acked < START_DATAGRAMS || !is_whole || !is_held) return false;
    double carried = (double)delivered(p) * PACE_KBPS, known = (double)pace_delivered(p) / 2;
    double received_us = (double)(p->received_us - p->round_received_us);
    double sent_us = received_us - (delay_us - p->round_since_delay_us);
    if (carried == 0 || sent_us > START_CARRIED * received_us) return false;
    /* While nothing was sent nothing was carried. */
    double idle_us = sent_us - (double)bytes_us(p, p->round_bytes);
    if (idle_us > 0) carried *= received_us / (received_us - idle_us);
    if (carried < known) carried = known;
    pace_note_cut(p, pace_delivered(p) / PACE_KBPS, now_us);
    p->is_starting = false;
    p->is_measured = true;
    p->delivered_kbps = p->period[0].delivered_kbps = (uint32_t)(carried / PACE_KBPS);
    pace_drain(p, ack, (double)queue_us, now_us);
    /* The window held back more than the rate: nothing but what is in flight can stand. */
    p->next_us = u64_min(p->next_us, now_us + bytes_us(p, ack->in_flight));
    return true;
}

/* The first acknowledgement of a train that follows on a pause, all before it being settled: what
 * is measured begins with the train. */
static void train_notice(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    bool is_first = is_before(p->acked_us, p->train_us) && ack->sent_us >= p->train_us;
    bool is_alone =
        !is_before(p->acked_us, p->idle_us) && (uint32_t)p->train_us - p->idle_us > PAUSED_US;
    p->acked_us = (uint32_t)ack->sent_us;
    uint64_t since_us = p->round_us;
    if (!is_first || !is_alone || now_us - since_us > TRAIN_WAIT_US) return;
    uint16_t sent = p->round_sent, held = p->round_held;
    round_start(p, now_us);
    p->round_us = since_us;
    p->round_received_us = train_arrival_us(p);
    p->round_since_delay_us = pace_base(p);
    p->round_sent = sent;
    p->round_held = held;
}

/* Returns the delay, in relation to the first. */
static int32_t sample(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    uint32_t raw = ack->received_us - (uint32_t)ack->sent_us;
    if (!p->has_origin) p->origin_us = raw;
    p->has_origin = true;
    int32_t delay_us = (int32_t)(raw - p->origin_us);
    period_step(p, now_us);
    if (delay_us < p->period[0].delay_us) p->period[0].delay_us = delay_us;
    p->received_us = ack->received_us;
    return delay_us;
}

static void round_add(struct pace *p, const struct pace_ack *ack, int32_t delay_us) {
    p->acked = (uint16_t)u64_min(p->acked + ack->datagrams, UINT16_MAX);
    p->round_acked = (uint16_t)u64_min(p->round_acked + ack->datagrams, UINT16_MAX);
    p->round_bytes += (uint32_t)ack->bytes;
    if (p->round_samples < UINT16_MAX) p->round_samples++;
    if (delay_us < p->round_delay_us) p->round_delay_us = delay_us;
    if (delay_us > p->last_delay_us)
        p->round_rise_us += (uint32_t)(delay_us - p->last_delay_us);
    else
        p->round_fall_us += (uint32_t)(p->last_delay_us - delay_us);
    p->last_delay_us = delay_us;
}

void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    uint64_t round_us = u64_min(u64_max(ack->rtt_least_us, ROUND_MIN_US), ROUND_MAX_US);
    int32_t delay_us = sample(p, ack, now_us);
    if (p->is_out || p->round_us == 0) {
        p->is_out = false;
        round_start(p, now_us);
        return;
    }
    if (p->is_settling) {
        /* The first that was sent after the pause begins a round: the pause is none of it. */
        p->is_settling = ack->sent_us < p->settled_us;
        p->acked_us = (uint32_t)ack->sent_us;
        round_start(p, now_us);
        return;
    }
    train_notice(p, ack, now_us);
    round_add(p, ack, delay_us);
    if (start_judge(p, ack, delay_us, now_us)) {
        round_start(p, now_us);
        return;
    }
    if (!round_is_over(p, round_us, now_us)) return;
    round_measure(p, ack->shared_us, now_us);
    if (p->is_measured) pace_judge(p, ack, round_us, now_us);
    if (p->is_starting && ++p->start_rounds == START_ROUNDS) p->is_starting = false;
    p->is_measured = true;
    round_start(p, now_us);
}

void pace_on_lost(struct pace *p) {
    if (p->is_out) return;
    if (p->lost < UINT16_MAX) p->lost++;
    if (p->round_lost < UINT16_MAX) p->round_lost++;
    p->has_lost = true;
}

void pace_on_outage(struct pace *p, uint64_t now_us) {
    if (p->is_out) return;
    p->is_out = true;
    p->is_draining = p->is_competing = false;
    p->acked = p->lost = 0;
    p->cut_us = 0;
    p->low_us = now_us;
    /* What was delivered may be what was asked for: from a quarter of the rate, quickly back. */
    uint64_t delivered = u64_max(pace_delivered(p), p->rate_bps / 4);
    p->rate_bps = pace_clamp((double)u64_min(p->rate_bps, delivered));
    p->is_starting = true;
    p->start_rounds = 0;
}
