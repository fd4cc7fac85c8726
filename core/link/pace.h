/* pace.h - how fast one path may be sent to, by delay: what is sent should leave at most
 * PACE_QUEUE_US of it standing in front of the bottleneck.
 *
 * Each round (about a round trip) the smallest one-way delay of at least two samples is compared
 * with the smallest of the last five to ten seconds; only the minimum counts, so single late
 * datagrams (a busy machine) mean nothing. A standing queue lowers the rate to what was delivered,
 * less what drains it; its absence, while the pacer is what holds the sender back, raises it. A
 * start doubles the rate a round until an acknowledgement shows both a queue and what the path
 * carried meanwhile, and then pauses until that queue is gone; or until it has lasted for some
 * twenty rounds: from then on a frame that jitter draws apart would look like such a queue. The
 * slower a path, the longer the queue that it aims at: that is what makes several links over one
 * bottleneck equal. Random loss is no signal; loss above PACE_LOSS_HEAVY is a full short buffer. A
 * queue that stays although we pause is somebody else's: then the rate follows losses, as a TCP
 * beside it does, until the queue has been seen to drain.
 *
 * Copa (NSDI 2018) and SCReAM (RFC 8298) work from the same measurement and lost to this one in
 * tests/pacing; unlike theirs the rate stays where it was while the application sends less, and may
 * grow to twice what was delivered, so that a key frame leaves quickly.
 *
 * What the receiver reports is the time at which a datagram came, on its clock: differences of it
 * give delays and delivered rates that the way back does not disturb. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>

#include "core/base/base.h"

#define PACE_RATE_MIN 200000ull /* b/s: less carries no audio */
#define PACE_RATE_MAX 1000000000ull
#define PACE_RATE_INITIAL 10000000ull
#define PACE_BURST_DATAGRAMS 8
#define PACE_BURST_US (5 * US_PER_MS)
#define PACE_DATAGRAM 1200

#define PACE_WINDOW_INITIAL (20 * PACE_DATAGRAM)  /* until a delivered rate is known */
#define PACE_WINDOW_STARTING (32 * PACE_DATAGRAM) /* and until the start is over */
#define PACE_WINDOW_MAX (960 * PACE_DATAGRAM)     /* below what sent.h keeps records for */
#define PACE_QUEUE_US (15 * US_PER_MS)
#define PACE_LOSS_QUIET 0.05
#define PACE_LOSS_HEAVY 0.10

/* The smallest delay and the highest delivered rate, of the half period under way and of the one
 * before it. */
struct pace_period {
    int32_t delay_us;
    uint32_t delivered_kbps;
};

struct pace {
    uint64_t rate_bps;
    uint64_t next_us;    /* when the last charge is paid off */
    uint64_t train_us;   /* since when the sender has not been idle */
    uint64_t settled_us; /* what was sent before says nothing about the rate */
    uint64_t period_us, round_us;
    uint64_t low_us; /* when the queue was last seen empty */
    uint64_t cut_us; /* since when it stands; while competing: the last reduction */
    struct pace_period period[2];

    /* Low bits of times: when the last datagram before the train was sent, the last of all, and the
     * newest that was acknowledged. */
    uint32_t idle_us, charged_us, acked_us;
    uint32_t origin_us;         /* the receiver's clock minus ours, and the first delay */
    uint32_t received_us;       /* the receiver's time, */
    uint32_t round_received_us; /* at the end of the round before */
    int32_t round_delay_us, last_delay_us, round_since_delay_us; /* least, newest, at its begin */
    uint32_t round_rise_us, round_fall_us;                       /* sums of the steps up and down */
    uint32_t round_bytes;
    uint32_t round_busy_us;                          /* what was sent takes at the rate */
    uint16_t round_samples, round_acked, round_lost; /* the latter datagrams, as are */
    uint16_t round_sent, round_held;                 /* those, and what the pacer held back */
    uint16_t acked, lost;                            /* since loss was last judged */

    uint32_t whole_us; /* of queue, */
    uint32_t queue_us; /* and what this path alone sees of it */
    uint32_t noise_us; /* average step of the delay, up and down */
    uint32_t delivered_kbps;
    uint32_t full_kbps;                 /* delivered when a queue last stood; 0 for never */
    uint32_t cut_least_us, cut_most_us; /* of the queue since cut_us, */
    uint32_t resume_kbps;               /* and the rate where it turns out not to be ours */
    uint32_t yield_s;                   /* until then no competing */
    uint8_t quiet_rounds, heavy_judged, start_rounds;
    bool has_origin, is_starting, is_measured, is_draining, is_out, is_limited, is_filled;
    bool is_competing, is_settling;
    bool is_held;  /* what is sent next was */
    bool has_lost; /* in this period */
};

void pace_init(struct pace *p, uint64_t now_us);
/* When the next full datagram may leave. */
uint64_t pace_time(const struct pace *p);
/* A datagram would have left by now but for the rate; whatever else it waits for then. */
void pace_note_held(struct pace *p);
/* Counts a datagram against the rate, allowed or not. */
void pace_charge(struct pace *p, size_t bytes, uint64_t now_us);
/* The most bytes that may be unacknowledged. */
uint64_t pace_window(const struct pace *p, uint64_t rtt_least_us);

struct pace_ack {
    uint64_t bytes; /* newly acknowledged */
    unsigned datagrams;
    uint64_t sent_us;     /* of the highest, on our clock */
    uint32_t received_us; /* of the highest, on the peer's */
    uint64_t in_flight;   /* bytes that are not settled yet */
    uint64_t rtt_least_us;
    uint32_t shared_us; /* of queue in front of all paths, which somebody else sees to */
};
void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us);
/* To be called before pace_on_ack for the losses that an acknowledgement shows. */
void pace_on_lost(struct pace *p);
/* Probes were not answered: the path is out until something is acknowledged. */
void pace_on_outage(struct pace *p, uint64_t now_us);

#endif
