#include "tests/lab/router_shape.h"

bool shape_link_send(struct shape_link *l, size_t len, uint64_t now_ns, uint64_t *ret_ns) {
    *ret_ns = now_ns;
    if (l->rate_bps <= 0) return true;
    if ((double)u64_sub(l->free_at_ns, now_ns) > l->queue_ms * (double)NS_PER_MS) return false;
    double took_ns = (double)len * 8 * (double)NS_PER_S / l->rate_bps;
    *ret_ns = l->free_at_ns = u64_max(l->free_at_ns, now_ns) + (uint64_t)took_ns;
    return true;
}

bool shape_path_loses(struct shape_path *p, struct rng *rng) {
    if (p->loss <= 0) return false;
    double u = rng_unit(rng);
    if (p->burst <= 1 || p->loss >= 1) return u < p->loss;
    /* Into the bad state as often as makes the share right at this mean length. */
    double into = p->loss / (p->burst * (1 - p->loss));
    p->in_burst = p->in_burst ? u >= 1 / p->burst : u < into;
    return p->in_burst;
}

uint64_t shape_path_arrival(struct shape_path *p, uint64_t out_ns, double extra_ms,
                            struct rng *rng) {
    double ms = p->delay_ms + extra_ms;
    if (p->jitter_ms > 0) ms += p->jitter_ms * rng_unit(rng);
    uint64_t at_ns = out_ns + (uint64_t)(ms * (double)NS_PER_MS);
    if (p->reorder == 0) at_ns = u64_max(at_ns, p->last_ns);
    p->last_ns = u64_max(at_ns, p->last_ns);
    return at_ns;
}
