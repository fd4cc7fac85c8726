#include "tests/lib/network_pipe.h"

#include <assert.h>

#define SHARE_BITS 31
#define SHARE_ALL (1u << SHARE_BITS)
#define NS_PER_US 1000u
#define NS_PER_S 1000000000ull

_Static_assert(sizeof(struct network_pipe) == 64, "one line of a cache");

static uint32_t share(double chance) { return (uint32_t)(chance * SHARE_ALL); }

/* Gilbert 1960: all is lost in a burst, nothing outside. With the chances `enter` and `leave` the
 * mean loss is enter / (enter + leave), and a mean burst 1 / leave long. */
static void losses_set(struct network_pipe *p, double loss, double burst) {
    double leave = burst > 1 ? 1 / burst : 1 - loss;
    if (leave * loss > 1 - loss) leave = (1 - loss) / loss; /* bursts as long as it takes */
    p->leave = share(leave);
    p->enter = loss < 1 ? share(leave * loss / (1 - loss)) : SHARE_ALL;
    if (loss <= 0) p->is_losing = false;
}

void network_pipe_set(struct network_pipe *p, const struct network_path *path) {
    assert(path->loss >= 0 && path->loss <= 1);
    assert(path->delay_us <= UINT32_MAX && path->jitter_us < UINT32_MAX);
    p->delay_us = (uint32_t)path->delay_us;
    p->jitter_us = (uint32_t)path->jitter_us;
    p->queue_us = (uint32_t)u64_min(path->queue_us, UINT32_MAX);
    p->rate_bps = path->rate_bps;
    p->mtu = path->mtu;
    p->is_ordered = path->is_ordered;
    p->is_cut = path->is_cut;
    losses_set(p, path->loss, path->loss_burst);
}

void network_pipe_start(struct network_pipe *p, const struct network_path *path, struct rng *rng) {
    network_pipe_set(p, path);
    if (path->loss_burst > 1)
        p->is_losing = (uint32_t)(rng_u64(rng) >> (64 - SHARE_BITS)) < share(path->loss);
}

struct network_path network_pipe_path(const struct network_pipe *p) {
    double enter = p->enter, leave = p->leave;
    return (struct network_path){.delay_us = p->delay_us,
                                 .jitter_us = p->jitter_us,
                                 .is_ordered = p->is_ordered,
                                 .loss = p->enter > 0 ? enter / (enter + leave) : 0,
                                 .loss_burst = p->leave > 0 ? SHARE_ALL / leave : 0,
                                 .rate_bps = p->rate_bps,
                                 .queue_us = p->queue_us,
                                 .mtu = p->mtu,
                                 .is_cut = p->is_cut};
}

uint64_t network_pipe_queue_us(const struct network_pipe *p, uint64_t now_us) {
    return (u64_sub(p->free_ns, now_us * NS_PER_US) + NS_PER_US - 1) / NS_PER_US;
}

/* Through the queue; false when it is full. */
static bool rate_pass(struct network_pipe *p, size_t bytes, uint64_t *at_us) {
    uint64_t at_ns = *at_us * NS_PER_US, start_ns = u64_max(at_ns, p->free_ns);
    if (start_ns - at_ns > (uint64_t)p->queue_us * NS_PER_US) return false;
    p->free_ns = start_ns + bytes * 8 * NS_PER_S / p->rate_bps;
    *at_us = (p->free_ns + NS_PER_US - 1) / NS_PER_US;
    return true;
}

static bool is_lost(struct network_pipe *p, uint32_t draw) {
    p->is_losing = p->is_losing ? draw >= p->leave : draw < p->enter;
    return p->is_losing;
}

uint64_t network_pipe_pass(struct network_pipe *p, struct rng *rng, size_t bytes, uint64_t at_us,
                           struct network_counts *counts) {
    p->last_us = u64_max(p->last_us, at_us);
    if (p->is_cut) {
        counts->cut++;
        return TIME_NEVER;
    }
    if (p->mtu > 0 && bytes > p->mtu) {
        counts->oversized++;
        return TIME_NEVER;
    }
    if (p->rate_bps > 0 && !rate_pass(p, bytes, &at_us)) {
        counts->overflowed++;
        return TIME_NEVER;
    }
    if (p->enter > 0 || p->jitter_us > 0) {
        uint64_t draw = rng_u64(rng);
        if (is_lost(p, (uint32_t)(draw >> (64 - SHARE_BITS)))) {
            counts->lost++;
            return TIME_NEVER;
        }
        at_us += (uint64_t)(uint32_t)draw * (p->jitter_us + 1ull) >> 32;
    }
    at_us += p->delay_us;
    if (p->is_ordered) at_us = u64_max(at_us, p->last_us);
    p->last_us = u64_max(p->last_us, at_us);
    return at_us;
}
