/* pace.h - how fast one path may be sent to, by delay: what is sent should leave at most
 * PACE_QUEUE_US of it standing in front of the bottleneck.
 *
 * Each round (about a round trip) the smallest one-way delay of at least two samples is compared
 * with the smallest of the last ten seconds; only the minimum counts, so single late datagrams (a
 * busy machine) mean nothing. A standing queue lowers the rate to what was delivered, less what
 * drains it; its absence, while the pacer is what holds the sender back, raises it. Random loss is
 * no signal; loss above PACE_LOSS_HEAVY is a full short buffer.
 * Copa (NSDI 2018) and SCReAM (RFC 8298) work from the same measurement; unlike theirs the rate
 * stays where it was while the application sends less, and may grow to twice what was delivered,
 * so that a key frame leaves quickly.
 *
 * What the receiver reports is the time at which a datagram came, on its clock: differences of it
 * give delays and delivered rates that the way back does not disturb. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>

#include "core/link/minimum.h"

#define PACE_RATE_MIN 200000ull /* b/s: less carries no audio */
#define PACE_RATE_MAX 1000000000ull
#define PACE_RATE_INITIAL 10000000ull
#define PACE_BURST_DATAGRAMS 8
#define PACE_BURST_US (5 * US_PER_MS)
#define PACE_DATAGRAM 1200
#define PACE_WINDOW_MIN (32 * PACE_DATAGRAM)
#define PACE_WINDOW_MAX (960 * PACE_DATAGRAM) /* below what sent.h keeps records for */
#define PACE_QUEUE_US (15 * US_PER_MS)
#define PACE_LOSS_QUIET 0.05
#define PACE_LOSS_HEAVY 0.10

struct pace {
    uint64_t rate_bps;
    uint64_t next_us; /* when the last charge is paid off */

    struct minimum delay_us;      /* one way, plus the clocks' unknown difference */
    struct minimum delivered_bps; /* negated: the maximum */
    int64_t delay_origin;
    bool has_origin;

    uint64_t round_since_us;
    int64_t round_delay_us, last_delay_us;
    uint64_t round_rise_us, round_fall_us; /* sums of the steps up and down */
    unsigned round_samples;
    uint64_t round_bytes;
    unsigned round_sent, round_held; /* datagrams, and those that the pacer held back */
    uint32_t round_received_us;      /* the receiver's time at the end of the round before */
    uint32_t received_us;
    unsigned acked, lost; /* datagrams, since loss was last judged */

    uint64_t queue_us;
    uint64_t noise_us; /* average step of the delay, up and down */
    uint64_t last_delivered_bps;
    uint64_t full_bps; /* delivered when a queue last stood; 0 for never */
    uint64_t low_us;   /* when the queue was last seen empty */
    uint64_t cut_since_us, cut_queue_us, cut_rate_bps;
    unsigned quiet_rounds;
    bool is_starting, is_measured, is_draining, is_out, is_limited;
};

void pace_init(struct pace *p, uint64_t now_us);
/* When the next full datagram may leave. */
uint64_t pace_time(const struct pace *p);
/* Counts a datagram against the rate, allowed or not. */
void pace_charge(struct pace *p, size_t bytes, uint64_t now_us);
/* The most bytes that may be unacknowledged. */
uint64_t pace_window(const struct pace *p, uint64_t rtt_least_us);

struct pace_ack {
    uint64_t bytes; /* newly acknowledged */
    unsigned datagrams;
    uint64_t sent_us;     /* of the highest, on our clock */
    uint32_t received_us; /* of the highest, on the peer's */
    uint64_t rtt_least_us;
};
void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us);
/* To be called before pace_on_ack for the losses that an acknowledgement shows. */
void pace_on_lost(struct pace *p);
/* Probes were not answered: the path is out until something is acknowledged. */
void pace_on_outage(struct pace *p, uint64_t now_us);

#endif
