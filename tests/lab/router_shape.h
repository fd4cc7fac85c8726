/* router_shape.h - what a link and a path do to packets: rate, finite queue, delay, jitter, loss.
 *
 * Pure: times are nanoseconds of one clock, and all chance comes from the generator that is passed.
 * Invariant: a link's packets leave in the order in which they came. */
#ifndef ROUTER_SHAPE_H
#define ROUTER_SHAPE_H

#include <stdbool.h>

#include "core/base/rng.h"

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* One direction of a host's access. */
struct shape_link {
    double rate_bps;     /* of IP packets; 0: no limit */
    double queue_ms;     /* a packet that would wait longer is dropped */
    uint64_t free_at_ns; /* when all that was taken is sent */
};

/* One direction between two hosts. */
struct shape_path {
    double delay_ms;
    double jitter_ms; /* up to this much more, uniform */
    double reorder;   /* 0: jitter holds up what comes behind; else it overtakes */
    double loss;      /* mean share */
    double burst;     /* mean length of a burst of losses, packets; 1: each by itself */
    double mtu;       /* bytes; 0: the hosts' */
    double reach;     /* 0: nothing passes */
    bool in_burst;
    uint64_t last_ns; /* the latest arrival */
};

/* A packet of `len` bytes comes at `now_ns`. Returns whether the queue had room; then it has been
 * sent at `ret_ns`. */
bool shape_link_send(struct shape_link *l, size_t len, uint64_t now_ns, uint64_t *ret_ns);
/* Whether the next packet is lost. Bursts after Gilbert (1960): all is lost in the bad state. */
bool shape_path_loses(struct shape_path *p, struct rng *rng);
/* When what leaves at `out_ns` arrives, `extra_ms` being the hosts' own delay. */
uint64_t shape_path_arrival(struct shape_path *p, uint64_t out_ns, double extra_ms,
                            struct rng *rng);

#endif
