/* admission_excess.c - who goes elsewhere where there is not room for all.
 *
 * Worth (what a peer passes on, and could) lets a child take another's place, and that one is given
 * time and an heir to go to: so uplinks drift towards the source by what they carry. A starved
 * child takes the place of who scores lowest, at once; and where more is granted than the uplink
 * carries, whoever is worth least loses it, because late cells come too late for all. What many
 * hang on stays where it is, for they are all late when it moves. */
#include "core/swarm/admission_internal.h"
#include "core/swarm/below.h"
#include "core/swarm/engine.h"
#include "core/swarm/serve.h"

/* What may be granted while others are about to leave: a queue grows from here on. */
#define ADMIT_MOST_PERCENT 100
#define EXCESS_LEAST 1              /* children asked to leave at once, */
#define EXCESS_SHARE 16             /* or one of so many substreams served, */
#define EXCESS_CLEAR 4              /* and so many more for who is clearly worth more */
#define SCORE_MARGIN 3              /* so that places do not change hands for little */
#define LOST_US (500 * US_PER_MS)   /* in which a supply may be replaced */
#define EXCESS_US (600 * US_PER_MS) /* for a child to find another parent, */
#define STAYS_PERCENT 102           /* which stays where the uplink carries hardly less */
#define ROOTS_KEPT 2  /* or its part: so much a source's child keeps though many hang on it */
#define BELOW_FEW 1   /* (below.h) one at most: it is of little matter who it is */
#define BELOW_SOME 3  /* four or more */
#define BELOW_FEWER 2 /* a half to an eighth of it */
#define PREEMPT_US (5 * US_PER_S)          /* between places that change hands, */
#define PREEMPT_CLEAR_US (300 * US_PER_MS) /* and to who is clearly worth more */

static unsigned excess_of(const struct channel *c, unsigned *ret_granted) {
    unsigned excess = 0, granted = 0;
    for (size_t t = 0; t < c->streams_len; t++)
        for (size_t i = 0; i < c->neighbours_len; i++) {
            const struct neighbour_stream *ns = &c->neighbours[i]->streams[t];
            granted += (unsigned)__builtin_popcount(ns->child_granted);
            excess += (unsigned)__builtin_popcount(ns->child_excess & ns->child_granted);
        }
    *ret_granted = granted;
    return excess;
}

/* The source's child has so much that its death would cost all half a second. */
static bool is_overfull(const struct channel *c, const struct stream *s,
                        const struct neighbour *child) {
    unsigned part = admission_part(c, s);
    return admission_spreads_wide(c, s) &&
           admission_has(child, s) > (part > ROOTS_KEPT ? part : ROOTS_KEPT);
}

/* Others hang on it, and a source that is not thin has room to leave them where they are. */
static bool is_held_by_many(const struct channel *c, const struct stream *s,
                            const struct neighbour *child, unsigned index) {
    return c->is_source && !admission_is_thin(c, s) && below_of(child, s, index) > BELOW_FEW &&
           !is_overfull(c, s, child);
}

static bool may_ask_to_leave(const struct channel *c, unsigned more) {
    unsigned granted, excess = excess_of(c, &granted);
    return excess < EXCESS_LEAST + granted / EXCESS_SHARE + more;
}

static void end(struct channel *c, struct stream *s, struct neighbour *nb, unsigned index) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    ns->child_granted &= ~(1u << index);
    ns->child_excess &= ~(1u << index);
    c->tally.is_granted_known = false;
    trace_supply(nb, TRACE_CHILD_ENDED, s->track, index);
    ns->child_changed = c->grants_changed = true;
    serve_index(s, nb);
}

static void ask_to_leave(struct neighbour *nb, const struct stream *s, unsigned index,
                         uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    ns->child_excess |= 1u << index;
    trace_supply(nb, TRACE_CHILD_MAY_LEAVE, s->track, index);
    ns->child_heir = 0;
    ns->child_excess_ms = low_ms(now_us);
    ns->child_changed = nb->channel->grants_changed = true;
}

bool admission_spreads(struct channel *c, const struct stream *s, const struct neighbour *child,
                       unsigned index, uint64_t now_us) {
    if (!admission_saves(c) || index == SUPPLY_HEADS) return false;
    if (!(child->flags & PEER_UPLOADS) || admission_has(child, s) >= admission_part(c, s))
        return false;
    /* Both have it for a while: a thin uplink bears that once at a time. */
    if (admission_is_thin(c, s) && !may_ask_to_leave(c, 0)) return false;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        const struct neighbour_stream *ns = &nb->streams[s->track];
        if (!((ns->child_granted & ~ns->child_excess) >> index & 1)) continue;
        if (admission_has(nb, s) <= admission_part(c, s) || is_held_by_many(c, s, nb, index) ||
            admission_worth_bps(nb) > WORTH_RATIO * admission_worth_bps(child))
            continue;
        ask_to_leave(nb, s, index, now_us);
        nb->streams[s->track].child_heir = neighbour_id4(child);
        return true;
    }
    return false;
}

bool admission_preempts(struct channel *c, struct stream *s, const struct neighbour *child,
                        unsigned index, uint64_t now_us) {
    if (!admission_has_supply(c, s, index)) return false;
    if (index == SUPPLY_HEADS || admission_makes_loop(c, s, child, index)) return false;
    if (admission_worth_bps(child) < WORTH_LEAST * (uint64_t)s->substream_bps) return false;
    if (admission_saves(c) && admission_has(child, s) >= admission_part_most(c, s)) return false;
    struct neighbour *least =
        admission_least(c, s,
                        &(struct places){.substreams = 1u << index,
                                         .except = child,
                                         .stays = true,
                                         .with_root = true,
                                         .worth_most = admission_worth_bps(child) / WORTH_RATIO})
            .nb;
    if (least == NULL) return false;
    bool is_clear = admission_worth_bps(child) >= WORTH_CLEAR * admission_worth_bps(least);
    if (!is_clear && is_held_by_many(c, s, least, index)) return false;
    uint64_t wait_us = is_clear ? PREEMPT_CLEAR_US : PREEMPT_US;
    if (since_us(s->preempted_ms[index], now_us) < wait_us) return false;
    /* The source's second copies alone filled what may leave at once: thin peers on which hundreds
     * hung, each with half a second of queue, stayed where they were. */
    if (!may_ask_to_leave(c, is_clear ? EXCESS_CLEAR : 0)) return false;
    s->preempted_ms[index] = low_ms(now_us);
    ask_to_leave(least, s, index, now_us);
    least->streams[s->track].child_heir = neighbour_id4(child);
    return true;
}

/* One who hardly matters goes where many are starved with the child. */
static bool yields_to_many(struct channel *c, struct stream *s, const struct neighbour *child,
                           unsigned index) {
    unsigned below = below_of(child, s, index);
    if (below < BELOW_SOME) return false;
    struct place least =
        admission_least(c, s, &(struct places){.substreams = ~(1u << index), .except = child});
    if (least.nb == NULL || below_of(least.nb, s, least.index) + BELOW_FEWER > below) return false;
    end(c, s, least.nb, least.index);
    return true;
}

bool admission_yields(struct channel *c, struct stream *s, const struct neighbour *child,
                      unsigned index) {
    if (!admission_has_supply(c, s, index)) return false;
    if (index == SUPPLY_HEADS || admission_makes_loop(c, s, child, index)) return false;
    if (c->node->uplink.rate_bps == 0) return false;
    /* All that hung on one who died ask at once: each would take the place of the one before. */
    if (admission_saves(c) && admission_copies(c, s->track, index) > 0) return false;
    unsigned other = 0;
    struct neighbour *low = admission_lowest(c, s, child, index, &other);
    if (low == NULL) return false;
    if (admission_score(s, low) + SCORE_MARGIN <= admission_score(s, child)) {
        end(c, s, low, other);
        return true;
    }
    return yields_to_many(c, s, child, index);
}

/* Before it knew how thin its uplink is, the source has given the heads to all who asked. */
static void end_heads(struct channel *c, struct stream *s) {
    if (!admission_is_thin(c, s)) return;
    if (admission_copies(c, s->track, SUPPLY_HEADS) <= SOURCE_HEADS_THIN) return;
    struct neighbour *least = NULL;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!nb->streams[s->track].child_heads) continue;
        if (least == NULL || admission_worth_bps(nb) <= admission_worth_bps(least)) least = nb;
    }
    if (least == NULL) return;
    least->streams[s->track].child_heads = false;
    least->streams[s->track].child_changed = c->grants_changed = true;
    trace_supply(least, TRACE_CHILD_ENDED, s->track, SUBSTREAM_HEADS);
    serve_index(s, least);
}

/* As many hang on it as on any other that stays, or nearly: what these would have to move to is not
 * nearer to the source than that one. */
static bool is_second_root(const struct channel *c, const struct stream *s,
                           const struct neighbour *child, unsigned index) {
    unsigned below = below_of(child, s, index);
    if (below <= BELOW_FEW || admission_is_thin(c, s)) return false;
    if (admission_copies(c, s->track, index) > admission_source_copies(c, s) + 1) return false;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        bool stays = !(nb->streams[s->track].child_excess >> index & 1);
        if (nb != child && stays && admission_holds(nb, s, index) &&
            below_of(nb, s, index) > below + 1)
            return false;
    }
    return true;
}

/* The source: copies beyond those that it gives freely. */
static void mark_copies(struct channel *c, struct stream *s, uint64_t now_us) {
    for (unsigned index = 0; index < s->substreams; index++)
        while (admission_copies(c, s->track, index) > admission_source_copies(c, s) &&
               may_ask_to_leave(c, 0)) {
            struct neighbour *least = admission_least(c, s,
                                                      &(struct places){
                                                          .substreams = 1u << index,
                                                          .stays = true,
                                                          .with_root = true,
                                                      })
                                          .nb;
            if (least == NULL || is_second_root(c, s, least, index)) break;
            ask_to_leave(least, s, index, now_us);
        }
}

/* What is served is more than the uplink carries, so all of it comes late: who is worth least goes
 * at once. */
static void end_overload(struct channel *c, struct stream *s) {
    const struct node *n = c->node;
    unsigned granted, excess = excess_of(c, &granted);
    uint64_t leaving_bps = excess * admission_cost_bps(s, 0);
    while (admission_granted_bps(n) + n->uplink.control_bps >
           admission_most_bps(n, ADMIT_MOST_PERCENT) + leaving_bps) {
        struct place least =
            admission_least(c, s, &(struct places){.by_worth = true, .substreams = UINT32_MAX});
        if (least.nb == NULL) return;
        end(c, s, least.nb, least.index);
    }
}

/* The source serves more than its uplink carries: the copies of what most have from it end at once,
 * for what comes late to all comes too late. */
static void end_copies(struct channel *c, struct stream *s) {
    const struct node *n = c->node;
    /* Without it the heir of a thin source's child would lose again what that one is leaving. */
    unsigned granted, excess = admission_is_thin(c, s) ? excess_of(c, &granted) : 0;
    uint64_t leaving_bps = excess * admission_cost_bps(s, 0);
    while (admission_granted_bps(n) + n->uplink.control_bps >
           admission_most_bps(n, 100) + leaving_bps) {
        unsigned most = 0;
        for (unsigned index = 1; index < s->substreams; index++)
            if (admission_holders(c, s->track, index) > admission_holders(c, s->track, most))
                most = index;
        if (admission_holders(c, s->track, most) < 2) return;
        struct neighbour *least = NULL;
        for (size_t i = 0; i < c->neighbours_len; i++) {
            struct neighbour *nb = c->neighbours[i];
            if (!(nb->streams[s->track].child_granted >> most & 1)) continue;
            if (admission_is_root(c, s, nb, most)) continue;
            if (least == NULL || admission_worth_bps(nb) <= admission_worth_bps(least)) least = nb;
        }
        if (least == NULL) return;
        end(c, s, least, most);
    }
}

/* What we have no supply of ourselves: the children look for it elsewhere. */
static void end_lost(struct channel *c, struct stream *s, uint64_t now_us) {
    for (unsigned index = 0; index < s->substreams; index++) {
        const struct supply *supply = &s->supplies[index];
        if (supply->is_granted || c->rest.is_on) s->supplied_ms[index] = low_ms(now_us);
        if (since_us(s->supplied_ms[index], now_us) < LOST_US) continue;
        for (size_t i = 0; i < c->neighbours_len; i++)
            if (c->neighbours[i]->streams[s->track].child_granted >> index & 1)
                end(c, s, c->neighbours[i], index);
    }
}

/* A child has found nobody else in its time: it stays where there is room after all. */
static void settle_excess(struct channel *c, struct stream *s, struct neighbour *nb) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    const struct node *n = c->node;
    for (; ns->child_excess; ns->child_excess &= ns->child_excess - 1) {
        unsigned index = (unsigned)__builtin_ctz(ns->child_excess);
        bool is_over = admission_granted_bps(n) + n->uplink.control_bps >
                       uplink_capacity_bps(n) / 100 * STAYS_PERCENT;
        if (!is_over) continue;
        struct place least = {nb, index};
        if (below_of(nb, s, index) > BELOW_FEW)
            least = admission_least(c, s, &(struct places){.substreams = UINT32_MAX});
        if (least.nb != NULL && !admission_is_root(c, s, least.nb, least.index))
            end(c, s, least.nb, least.index);
    }
    ns->child_changed = c->grants_changed = true;
}

void admission_mark_excess(struct channel *c, struct stream *s, uint64_t now_us) {
    c->tally.is_granted_known = false; /* who has vanished is noticed by the time alone */
    if (!c->is_source && !s->has_end) end_lost(c, s, now_us);
    if (c->rest.is_on) return;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour_stream *ns = &c->neighbours[i]->streams[s->track];
        if (ns->child_excess == 0 || since_us(ns->child_excess_ms, now_us) < EXCESS_US) continue;
        settle_excess(c, s, c->neighbours[i]);
    }
    for (unsigned index = 0; index < SUPPLIES; index++)
        s->hunger[index] = (uint16_t)(s->hunger[index] * 7u / 8);
    if (admission_saves(c)) {
        mark_copies(c, s, now_us);
        end_heads(c, s);
    }
    if (c->is_source)
        end_copies(c, s);
    else if (s->kind == TRACK_VIDEO || c->streams_len == 1)
        end_overload(c, s);
}
