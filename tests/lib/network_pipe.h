/* network_pipe.h - a struct network_path at work: one direction of a pair, or a host's uplink or
 * downlink.
 *
 * A path is kept as integers: chances as shares of 2^31, the moment at which a queue is empty in
 * nanoseconds, so that a rate is met exactly. Independent losses are a Gilbert model too, one that
 * leaves a burst with the chance of not losing. */
#ifndef NETWORK_PIPE_H
#define NETWORK_PIPE_H

#include "core/base/rng.h"
#include "tests/lib/network.h"

/* One line of a cache. */
struct network_pipe {
    uint64_t key;      /* of a pair; 0: none */
    uint64_t last_us;  /* when the newest arrives, or was lost */
    uint64_t free_ns;  /* when what is queued will have left */
    uint64_t rate_bps; /* 0: no limit */
    uint32_t delay_us, jitter_us, queue_us;
    uint32_t enter, leave; /* a burst of losses, with each datagram: shares of 2^31 */
    uint32_t version;      /* of the path model that the path was asked of */
    uint16_t mtu;
    bool is_ordered, is_cut, is_own, is_losing;
};

/* Takes the path from now on; what is queued and how far a burst is stay. */
void network_pipe_set(struct network_pipe *p, const struct network_path *path);
/* As for a path that has been in use for long: it may be within a burst. */
void network_pipe_start(struct network_pipe *p, const struct network_path *path, struct rng *rng);
/* The same path, its chances rounded. */
struct network_path network_pipe_path(const struct network_pipe *p);
/* When a packet of `bytes` that enters at `at_us` arrives; TIME_NEVER where it is dropped, which
 * `counts` then has. */
uint64_t network_pipe_pass(struct network_pipe *p, struct rng *rng, size_t bytes, uint64_t at_us,
                           struct network_counts *counts);
/* How long what enters now would wait. */
uint64_t network_pipe_queue_us(const struct network_pipe *p, uint64_t now_us);

#endif
