/* uplink_estimate.h - what a node's own uplink carries, from the queues that all of its links see.
 *
 * A queue in front of one path is that path's affair; one that most links see at the same time
 * stands in front of what they share. While it does, what the node sent is what the uplink carries,
 * less what the queue took and what was lost. The owner counts what it sends, tells every
 * UPLINK_STEP_US the queue of each link that was sent to meanwhile, and paces all of them together
 * to uplink_estimate_bps. Links that came while it stood see a longer path instead: where nothing
 * was measured yet, a quarter of what is sent being lost counts as such a queue, too.
 *
 * With fewer than UPLINK_LINKS_MIN links in use no queue is taken for shared: there the path's
 * pacer does it, and the rate rises, as fast as with many to what was measured and by little
 * beyond, lest it hold back what the pacer would let go. */
#ifndef UPLINK_ESTIMATE_H
#define UPLINK_ESTIMATE_H

#include <stdbool.h>

#include "core/base/base.h"

#define UPLINK_STEP_US (100 * US_PER_MS) /* a round of most links */
#define UPLINK_LINKS_MIN 3
#define UPLINK_CARRIED 3 /* steps: what the links report is two old */
#define UPLINK_QUEUES 64 /* classes: the first of a millisecond each, */
#define UPLINK_QUEUES_FINE 32
#define UPLINK_QUEUES_COARSE 8 /* the others of so many; the last has all that is longer */

struct uplink_estimate {
    uint64_t rate_bps; /* 0: never full */
    uint64_t step_us;
    uint64_t sent_bytes;                      /* in this step, headers of IP and UDP included, */
    uint64_t lost_bytes;                      /* and what turned out to be lost in it */
    uint32_t held_us;                         /* of this step: cells waited for the uplink's turn */
    uint16_t links;                           /* in this step, */
    uint16_t seen[UPLINK_QUEUES];             /* by the queue that they see */
    uint32_t queue_us;                        /* of the step before, */
    uint32_t queue_before_us, queue_first_us; /* of the two steps before that */
    uint32_t growth_us;                       /* and how much longer than before that */
    uint64_t carried_bps[UPLINK_CARRIED];
    uint64_t start_bps; /* as it was told */
    uint64_t full_bps;  /* carried when a queue last stood */
    uint64_t drain_bps; /* while that drains, for so many */
    uint8_t drain_steps, settle_steps, full_steps, quiet_steps, calm_steps, above_steps,
        lossy_steps, carried_next;
};

void uplink_estimate_init(struct uplink_estimate *u, uint64_t now_us);
/* What is known before any queue was seen, as from a train of datagrams: the highest counts. */
void uplink_estimate_start(struct uplink_estimate *u, uint64_t bps);
void uplink_estimate_sent(struct uplink_estimate *u, size_t bytes);
void uplink_estimate_lost(struct uplink_estimate *u, size_t bytes);
/* For so long there were cells that all but the uplink's rate allowed to go. */
void uplink_estimate_held(struct uplink_estimate *u, uint64_t us);
/* Whether it is time to tell the links' queues and to step. */
bool uplink_estimate_is_due(const struct uplink_estimate *u, uint64_t now_us);
void uplink_estimate_link(struct uplink_estimate *u, uint64_t queue_us);
void uplink_estimate_step(struct uplink_estimate *u, uint64_t now_us);
/* The longest queue that was shared lately, while the rate is known: reports come at different
 * times. */
uint64_t uplink_estimate_shared_us(const struct uplink_estimate *u);
/* What went through it lately: bits per second, headers included. */
uint64_t uplink_estimate_carried_bps(const struct uplink_estimate *u);
/* Bits per second, headers included; UINT64_MAX where it was never full. */
uint64_t uplink_estimate_bps(const struct uplink_estimate *u);

#endif
