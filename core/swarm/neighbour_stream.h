/* neighbour_stream.h - one track between a neighbour and us: what it sends us of it as our parent,
 * what it holds, and what we send it as our child.
 *
 * Bit s of a mask is substream s. Generations and revisions are those of PROTOCOL.md, 17. */
#ifndef NEIGHBOUR_STREAM_H
#define NEIGHBOUR_STREAM_H

#include <stdbool.h>

#include "core/proto/message.h"

#define FORMER_US (2 * US_PER_S) /* cells of an ended subscription may still arrive */
#define FAILURES_MAX 5     /* doublings of the pause before a parent that failed is asked again */
#define LATENESS_WEIGHT 16 /* a sample counts a 16th in the smoothed lateness */

struct neighbour_stream {
    /* As our parent. */
    uint32_t asked; /* substreams that we subscribe to */
    uint32_t granted;
    bool asked_heads, granted_heads;
    bool has_grant, has_asked;
    bool changed; /* `asked` has changed: a SUBSCRIBE is to be sent */
    bool starved, has_ask_from, has_grant_from, former_heads;
    bool has_lags;       /* `lags` came with an OFFER */
    uint16_t generation; /* of our newest SUBSCRIBE */
    uint16_t grant_revision;
    uint32_t ask_from; /* first chunk wanted of what is new since the last SUBSCRIBE */
    uint32_t until; /* of what ends with the next SUBSCRIBE: what comes before it is still wanted */
    uint32_t heir;  /* substreams that it has in our place, and can give us */
    uint32_t excess; /* substreams that the parent would rather see moved */
    uint32_t grant_from;
    uint32_t former;  /* ended lately */
    uint32_t refused; /* substreams (and SUBSTREAM_HEADS) that it cannot give, until */
    uint64_t refused_some_until_us;
    uint64_t refused_until_us;
    uint64_t cut_us; /* given up then, as its link was silent; 0: for another reason */
    uint64_t former_until_us;
    uint64_t
        better_until_us; /* refused what we have from another: not asked for that before then */
    uint8_t lags[SUBSTREAMS_MAX + 1];
    /* What it holds. */
    bool has_held;
    bool has_lateness;
    uint8_t failures; /* as a parent, one after the other */
    uint32_t newest;
    uint64_t complete;   /* bit i: newest - i */
    uint64_t newest_us;  /* when `newest` last grew */
    int64_t lateness_us; /* smoothed: its newest chunk's arrival against the earliest arrival */
    /* As our child. */
    uint32_t child_wanted, child_granted, child_excess;
    uint32_t child_former;     /* ended by the child: it still gets their cells of chunks up to */
    uint32_t child_former_end; /* this one, which was the newest then */
    uint32_t child_heir; /* (its id4) who takes the place of the child in its excess; 0: nobody */
    uint64_t child_excess_us; /* when it was last asked to take something elsewhere */
    uint16_t child_generation;
    uint16_t child_revision;
    bool child_heads, child_starved;
    bool child_changed;        /* a GRANT is to be sent */
    uint32_t child_refused;    /* starved substreams that the uplink could not carry, */
    uint64_t child_refused_us; /* at this time */
    uint32_t child_from;
    uint32_t heads_newest;
    uint64_t heads_sent; /* bit i: head of heads_newest - i */
};

/* One more cell that came by subscription was so late, against the earliest arrival. */
void neighbour_note_lateness(struct neighbour_stream *ns, uint64_t lateness_us);

#endif
