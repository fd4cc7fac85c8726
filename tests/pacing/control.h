/* control.h - what a pacer under comparison keeps besides the `struct pace` that core/link has
 * room for, found by that struct's address; and the bucket that all of them share. */
#ifndef CONTROL_H
#define CONTROL_H

#include "core/link/pace.h"

#define CONTROLS_MAX 64 /* links of one run */
#define DELAY_BUCKETS 10
#define DELAY_BUCKET_US US_PER_S

/* One-way delays above the least of ten seconds, and the least of the last half round trip. */
struct delays {
    int64_t buckets[DELAY_BUCKETS];
    uint64_t bucket; /* the newest's number */
    int64_t origin;
    bool has_origin;
    struct {
        int64_t delay_us;
        uint64_t at_us;
    } recent[16];
    unsigned recent_next;
};

struct control {
    const struct pace *key;
    struct delays delays;
    double window; /* bytes */
    double delta, velocity, target_us, average_us;
    bool is_starting, is_up, is_out;
    uint64_t next_us, round_us, turned_us, empty_us, reduced_us, rtt_us;
    double window_at_round, queue_most_us;
    unsigned same_rounds;
    bool is_lost;
    unsigned sent, held;
};

/* The one that belongs to `p`; a new one where there is none. */
struct control *control_of(const struct pace *p);
void delays_init(struct delays *d);
/* Returns the standing queue. */
uint64_t delays_add(struct delays *d, const struct pace_ack *ack, uint64_t now_us);
/* Sets the rate to one window in a round trip, times `factor`. */
void control_set_rate(struct pace *p, struct control *c, double factor, uint64_t rtt_us);

#endif
