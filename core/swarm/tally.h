/* tally.h - what is reckoned from all neighbours of a channel, and kept until it changes.
 *
 * Every tick, and every child that asks, would go through all of them again. Whoever changes what
 * goes into a sum says so: `are_links_counted` and `is_granted_known` become false. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>

#include "core/base/base.h"

struct tally {
    bool are_links_counted, is_granted_known;
    uint32_t links_changes;         /* links_changes when they were counted */
    unsigned links_up, links_other; /* with neighbours */
    uint64_t granted_bps;           /* to all children */
    uint64_t offer_us;              /* no neighbour is to be told what we have before this, */
    uint32_t offer_changes;         /* unless links_changes is another */
};

#endif
