/* supply_choice.c - whom to prefer as a parent: what each neighbour costs in lateness. */
#include "core/swarm/engine.h"
#include "core/swarm/supply.h"

#define PARENTS_TARGET 6
#define NEW_PARENT_COST_US (40 * (int64_t)US_PER_MS)
#define SOURCE_COST_US (30 * (int64_t)US_PER_MS)
#define UNKNOWN_COST_US (100 * (int64_t)US_PER_MS) /* of a neighbour that has sent nothing yet */
#define LOAD_COST_US (10 * (int64_t)US_PER_MS)     /* of each substream that it carries already */
#define FEW_NEIGHBOURS 3
#define CELLS_GAIN_US (60 * (int64_t)US_PER_MS) /* for which a substream moves */
#define HEADS_GAIN_US (15 * (int64_t)US_PER_MS) /* for which the heads move to another parent */
#define BALANCE_MOVES 2                         /* of one stream in one period */

bool supply_is_usable(const struct neighbour *nb) {
    enum link_state state = link_state(nb->peer->link);
    return !nb->peer->is_doomed && state != LINK_CLOSED &&
           (!nb->has_hello || nb->flags & PEER_UPLOADS);
}

static bool may_supply(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (!supply_is_usable(nb) || now_us < ns->refused_until_us || supply_asks(ns, index))
        return false;
    if (nb->has_hello && nb->broadcast != c->manifest.broadcast) return false;
    if (link_state(nb->peer->link) == LINK_UP && neighbour_is_silent(nb, now_us)) return false;
    bool is_our_child =
        index == SUPPLY_HEADS ? ns->child_heads : (ns->child_granted >> index & 1) != 0;
    return !is_our_child;
}

static unsigned load_of(const struct neighbour *nb, const struct stream *s) {
    return (unsigned)__builtin_popcount(nb->streams[s->track].asked);
}

/* Each parent costs acknowledgements and headers of its own: fewer and fuller ones are cheaper. */
static bool is_parent(const struct channel *c, const struct neighbour *nb) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].asked || nb->streams[t].asked_heads) return true;
    return false;
}

/* How late media comes from it: as measured, or a guess that prefers the source. */
static int64_t lateness_of(const struct neighbour *nb, const struct neighbour_stream *ns) {
    if (ns->has_lateness) return ns->lateness_us;
    return (int64_t)neighbour_rtt_us(nb) / 2 + (nb->role == ROLE_SOURCE ? 0 : UNKNOWN_COST_US);
}

/* What taking a substream from `nb` costs, in microseconds of lateness: the less the better. */
static int64_t cost_of(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    int64_t cost = lateness_of(nb, ns);
    if (link_state(nb->peer->link) == LINK_DIALLING) cost += 10 * (int64_t)US_PER_S;
    if (nb->role == ROLE_SOURCE) {
        /* The source's uplink is everyone's: spare it where others can do. */
        if (c->neighbours_len > FEW_NEIGHBOURS) cost += SOURCE_COST_US;
    } else {
        if (!ns->has_held) cost += (int64_t)US_PER_S;
        if (ns->has_held && now_us - ns->newest_us > US_PER_S) cost += 5 * (int64_t)US_PER_S;
    }
    if (index != SUPPLY_HEADS) cost += LOAD_COST_US * load_of(nb, s);
    if (!is_parent(c, nb)) cost += NEW_PARENT_COST_US;
    return cost;
}

struct neighbour *supply_best(const struct channel *c, const struct stream *s, unsigned index,
                              unsigned load_below, uint64_t now_us) {
    struct neighbour *best = NULL;
    int64_t best_cost = INT64_MAX;
    size_t first = c->neighbours_len == 0 ? 0 : (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[(first + i) % c->neighbours_len];
        if (!may_supply(c, s, nb, index, now_us) || load_of(nb, s) >= load_below) continue;
        int64_t cost = cost_of(c, s, nb, index, now_us);
        if (cost >= best_cost) continue;
        best = nb;
        best_cost = cost;
    }
    return best;
}

/* Asks `nb` to take over with the next chunk; the old parent goes when it has said yes. */
static void take_next(struct stream *s, unsigned index, struct neighbour *nb, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    supply->next = nb;
    supply->next_asked_us = now_us;
    supply->next_owes_from = s->window.has_newest ? s->window.newest + 1 : s->start;
    supply_ask(s, nb, index, supply->next_owes_from);
}

/* Moves one substream of a parent that carries more than its share, would rather lose it, or is
 * much later than another could be. */
static bool move_one(struct channel *c, struct stream *s, unsigned share, uint64_t now_us) {
    for (unsigned index = 0; index < s->substreams; index++) {
        struct supply *supply = &s->supplies[index];
        if (supply->parent == NULL || supply->next != NULL || !supply->is_granted) continue;
        struct neighbour *old = supply->parent;
        struct neighbour *nb = supply_best(c, s, index, share, now_us);
        if (nb == NULL || !nb->has_hello) continue;
        int64_t cost = cost_of(c, s, nb, index, now_us);
        int64_t gain_us = cost_of(c, s, old, index, now_us) - cost;
        bool is_excess = old->streams[s->track].excess >> index & 1;
        bool is_wanted = is_excess || load_of(old, s) > share || gain_us > CELLS_GAIN_US;
        if (!is_wanted || cost > (int64_t)US_PER_S) continue;
        take_next(s, index, nb, now_us);
        return true;
    }
    return false;
}

/* The heads come before anything can be verified: they are worth the earliest parent. */
static void move_heads(struct channel *c, struct stream *s, uint64_t now_us) {
    struct supply *supply = &s->supplies[SUPPLY_HEADS];
    if (supply->parent == NULL || supply->next != NULL || !supply->has_delay) return;
    struct neighbour *nb = supply_best(c, s, SUPPLY_HEADS, UINT32_MAX, now_us);
    if (nb == NULL || !nb->has_hello || !nb->streams[s->track].has_lateness) return;
    int64_t gain_us = (int64_t)supply->delay_us - cost_of(c, s, nb, SUPPLY_HEADS, now_us);
    if (gain_us < HEADS_GAIN_US) return;
    take_next(s, SUPPLY_HEADS, nb, now_us);
}

void supply_balance(struct channel *c, struct stream *s, uint64_t now_us) {
    unsigned candidates = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        bool is_live =
            nb->role == ROLE_SOURCE ||
            (nb->streams[s->track].has_held && now_us - nb->streams[s->track].newest_us < US_PER_S);
        if (supply_is_usable(nb) && nb->has_hello && is_live) candidates++;
    }
    if (candidates < 2 || !s->has_verified_start) return;
    unsigned parents = candidates < PARENTS_TARGET ? candidates : PARENTS_TARGET;
    unsigned share = (s->substreams + parents - 1u) / parents;
    for (unsigned i = 0; i < BALANCE_MOVES; i++)
        if (!move_one(c, s, share, now_us)) break;
    move_heads(c, s, now_us);
}
