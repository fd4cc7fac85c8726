/* capacity.h - what the node's uplink carries, found out by using it.
 *
 * As long as no queue that most paths share has been seen, the uplink is taken to carry a part more
 * than it has carried so far; from then on it is measured (core/link/uplink_estimate.h).
 * Invariant: never above what was declared. */
#ifndef CAPACITY_H
#define CAPACITY_H

#include "core/link/uplink_estimate.h"

#define CAPACITY_FIRST_BPS 2000000ull /* what even thin uplinks carry */

struct capacity {
    uint64_t most_bps;  /* declared, or UINT64_MAX */
    uint64_t guess_bps; /* until it is measured */
    struct uplink_estimate estimate;
    uint64_t window_us, window_bytes; /* sent, in the window that is being filled */
    uint64_t calm_us;                 /* since when neither a queue nor the rate limited anyone */
    uint64_t held_us; /* since when cells wait for the uplink alone; 0: they don't */
};

void capacity_init(struct capacity *c, uint64_t most_bps, uint64_t now_us);
/* It carries at least so much, as far as anybody hopes: a source's stream. */
void capacity_hope(struct capacity *c, uint64_t bps);
/* A train of datagrams came at this rate: the highest of several counts. */
void capacity_probed(struct capacity *c, uint64_t bps);
/* A datagram went out: bytes with IP and UDP headers. */
void capacity_sent(struct capacity *c, size_t bytes);
/* A datagram of about so many was lost: an uplink whose queue is full carries less than is sent. */
void capacity_lost(struct capacity *c, size_t bytes);
/* Whether cells wait for nothing but the rate that capacity_allowed_bps allows. */
void capacity_held(struct capacity *c, bool is_held, uint64_t now_us);
/* What the uplink is taken to carry: for whom there is room. */
uint64_t capacity_bps(const struct capacity *c);
bool capacity_is_known(const struct capacity *c); /* declared, probed or measured */
/* What may be sent: UINT64_MAX where neither declared nor measured. */
uint64_t capacity_allowed_bps(const struct capacity *c);

/* Whether it is time to tell the queue of each path that was sent to, and to step. */
bool capacity_is_due(const struct capacity *c, uint64_t now_us);
void capacity_queue(struct capacity *c, uint64_t queue_us);
void capacity_step(struct capacity *c, uint64_t now_us);

#endif
