/* below.h - how many hang on whom: what the loss of one place would cost.
 *
 * Everybody tells neighbours how many have each substream through it (OFFER): its children, and
 * those below them by their own word. It is a power of two, and as old as the tree is deep in
 * seconds: enough to tell a leaf from a root. */
#ifndef BELOW_H
#define BELOW_H

#include "core/swarm/channel.h"

/* Of the neighbour, by its word: 0 nobody, k for 2^(k-1) to 2^k - 1. */
static inline unsigned below_of(const struct neighbour *nb, const struct stream *s,
                                unsigned index) {
    return (unsigned)(nb->streams[s->track].below >> 4 * index & 15);
}
/* Of ourselves, in the same unit. */
unsigned below_ours(const struct channel *c, const struct stream *s, unsigned index);
/* The same of all substreams, as OFFER tells it. */
uint64_t below_told(const struct channel *c, const struct stream *s);

#endif
