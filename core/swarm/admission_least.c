/* admission_least.c - whose place matters least, and on whom all hang. */
#include "core/swarm/admission_internal.h"
#include "core/swarm/below.h"

bool admission_holds(const struct neighbour *nb, const struct stream *s, unsigned index) {
    return nb->streams[s->track].child_granted >> index & 1 && admission_is_there(nb);
}

/* Rather than `b` it is `a` on which most hang, by what they say; of equals the one that was
 * believed to be it: who comes later may be worth more, but where this one loses the substream
 * everybody does. */
static bool is_rather_root(const struct stream *s, const struct neighbour *a,
                           const struct neighbour *b, unsigned index) {
    unsigned below_a = below_of(a, s, index), below_b = below_of(b, s, index);
    if (below_a != below_b) return below_a > below_b;
    if ((uint16_t)neighbour_id4(b) == s->roots[index]) return false;
    if ((uint16_t)neighbour_id4(a) == s->roots[index]) return true;
    return admission_worth_bps(a) > admission_worth_bps(b);
}

bool admission_is_root(const struct channel *c, struct stream *s, const struct neighbour *child,
                       unsigned index) {
    if (!c->is_source) return false;
    const struct neighbour *root = NULL;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        if (!admission_holds(nb, s, index)) continue;
        if (root == NULL || is_rather_root(s, nb, root, index)) root = nb;
    }
    if (root != NULL) s->roots[index] = (uint16_t)neighbour_id4(root);
    return root == child;
}

struct place admission_least(const struct channel *c, struct stream *s,
                             const struct places *among) {
    struct place least = {0};
    unsigned least_below = 0;
    uint64_t limit = among->worth_most;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        const struct neighbour_stream *ns = &nb->streams[s->track];
        uint32_t granted = ns->child_granted & among->substreams;
        if (among->stays) granted &= ~ns->child_excess;
        uint64_t worth_bps = admission_worth_bps(nb);
        if (nb == among->except || (limit > 0 && worth_bps > limit)) continue;
        for (; granted; granted &= granted - 1) {
            unsigned index = (unsigned)__builtin_ctz(granted);
            unsigned below = among->by_worth ? 0 : below_of(nb, s, index);
            if (least.nb != NULL && below > least_below) continue;
            if (least.nb != NULL && below == least_below &&
                worth_bps > admission_worth_bps(least.nb))
                continue;
            if (!among->with_root && admission_is_root(c, s, nb, index)) continue;
            least = (struct place){nb, index};
            least_below = below;
        }
    }
    return least;
}

unsigned admission_score(const struct stream *s, const struct neighbour *nb) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    unsigned held = 0;
    for (unsigned index = 0; ns->has_lags && index < s->substreams; index++)
        held += ns->lags[index] != LAG_NONE;
    uint64_t worth = admission_worth_bps(nb) / (s->substream_bps ? s->substream_bps : 1);
    return held + (unsigned)u64_min(worth, 2u * s->substreams);
}

struct neighbour *admission_lowest(const struct channel *c, struct stream *s,
                                   const struct neighbour *except, unsigned except_index,
                                   unsigned *ret_index) {
    struct neighbour *low = NULL;
    unsigned low_score = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        uint32_t granted = nb->streams[s->track].child_granted & ~(1u << except_index);
        if (nb == except || granted == 0) continue;
        unsigned score = admission_score(s, nb);
        if (low != NULL && score >= low_score) continue;
        low = nb;
        low_score = score;
    }
    if (low == NULL) return NULL;
    unsigned best = SUPPLIES;
    uint32_t granted = low->streams[s->track].child_granted & ~(1u << except_index);
    for (; granted; granted &= granted - 1) {
        unsigned index = (unsigned)__builtin_ctz(granted);
        if (admission_is_root(c, s, low, index)) continue;
        if (best == SUPPLIES || s->hunger[index] < s->hunger[best]) best = index;
    }
    *ret_index = best;
    return best == SUPPLIES ? NULL : low;
}
