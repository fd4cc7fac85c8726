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
    /* A line of the cache: what each cell and every tick asks. As our parent. */
    _Alignas(64) uint32_t asked; /* substreams that we subscribe to */
    uint32_t granted;
    uint32_t excess; /* substreams that the parent would rather see moved */
    uint32_t heir;   /* substreams that it has in our place, and can give us */
    bool asked_heads : 1, granted_heads : 1, former_heads : 1;
    bool has_grant : 1, has_asked : 1;
    bool changed : 1; /* `asked` has changed: a SUBSCRIBE is to be sent */
    bool starved : 1, has_ask_from : 1, has_grant_from : 1;
    bool has_lags : 1; /* `lags` came with an OFFER */
    bool has_held : 1, has_lateness : 1;
    bool child_heads : 1, child_starved : 1;
    bool child_changed : 1; /* a GRANT is to be sent */
    uint8_t failures;       /* as a parent, one after the other */
    int32_t lateness_us;    /* smoothed: a chunk's arrival against the earliest arrival */
    /* What it holds. */
    uint32_t newest;
    /* As our child. */
    uint32_t child_wanted;
    uint64_t complete; /* bit i: newest - i, of what it holds */
    uint32_t child_granted, child_excess;
    uint32_t child_former;     /* ended by the child: it still gets their cells of chunks up to */
    uint32_t child_former_end; /* this one, which was the newest then */
    uint64_t former_until_us;  /* cells of what we ended may come */

    /* As our parent. */
    uint32_t former;  /* ended lately */
    uint32_t refused; /* substreams (and SUBSTREAM_HEADS) that it cannot give, until */
    uint64_t refused_some_until_us;
    uint64_t refused_until_us;
    uint64_t cut_us;          /* given up then, as its link was silent; 0: for another reason */
    uint64_t better_until_us; /* refused what we have from another: not asked for that before */
    uint8_t lags[SUBSTREAMS_MAX + 1];
    uint16_t generation; /* of our newest SUBSCRIBE */
    uint16_t grant_revision;
    uint16_t child_generation;

    uint64_t below;     /* how many have each substream through it (below.h) */
    uint64_t newest_us; /* when `newest` last grew */
    uint32_t ask_from;  /* first chunk wanted of what is new since the last SUBSCRIBE */
    uint32_t until; /* of what ends with the next SUBSCRIBE: what comes before it is still wanted */
    uint32_t grant_from;
    /* As our child. */
    uint32_t heads_newest;
    uint64_t heads_sent; /* bit i: head of heads_newest - i */
    uint32_t child_heir; /* (its id4) who takes the place of the child in its excess; 0: nobody */
    uint32_t child_refused;    /* starved substreams that the uplink could not carry, */
    uint32_t child_refused_ms; /* at this time; and when */
    uint32_t child_excess_ms;  /* it was last asked to take something elsewhere (since_us) */
    uint32_t child_from;
    uint16_t child_revision;
};

_Static_assert(sizeof(struct neighbour_stream) == 192, "three lines of the cache");

/* A time kept in milliseconds, by its low bits, and what has passed since then. */
static inline uint32_t low_ms(uint64_t now_us) { return (uint32_t)(now_us / US_PER_MS); }
static inline uint64_t since_us(uint32_t then_ms, uint64_t now_us) {
    return (uint32_t)(low_ms(now_us) - then_ms) * US_PER_MS;
}

/* One more cell that came by subscription was so late, against the earliest arrival. */
void neighbour_note_lateness(struct neighbour_stream *ns, uint64_t lateness_us);

#endif
