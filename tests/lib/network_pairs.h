/* network_pairs.h - the directed pairs of hosts that have sent each other something: a hash table
 * of pipes by their two numbers.
 *
 * Bounded by what is in use: when it is full, pairs that were idle for a minute are forgotten
 * before it grows, except those with a path of their own. */
#ifndef NETWORK_PAIRS_H
#define NETWORK_PAIRS_H

#include "tests/lib/network_pipe.h"

#define NETWORK_PAIR_IDLE_US (60 * US_PER_S)

struct network_pairs {
    struct network_pipe *pipes;
    size_t size, len; /* a power of two; those in use: at most two thirds */
};

void network_pairs_release(struct network_pairs *p);
/* NULL when the pair is not known. */
struct network_pipe *network_pairs_find(const struct network_pairs *p, unsigned from, unsigned to);
/* Asks the cache for where it would stand. */
void network_pairs_prefetch(const struct network_pairs *p, unsigned from, unsigned to);
/* The pair must not be known. Zeros except for its key; stands until the next add. */
struct network_pipe *network_pairs_add(struct network_pairs *p, unsigned from, unsigned to,
                                       uint64_t now_us);

#endif
