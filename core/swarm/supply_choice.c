/* supply_choice.c - whom to prefer as a parent: from whom media would come earliest.
 *
 * Everything is reckoned in time after the source's publication: the lag that a neighbour's OFFER
 * names, the way from there, and what speaks against asking as if it took time too. What comes now
 * is measured by the same zero (offer.c), so that a move can be weighed against staying. */
#include "core/swarm/admission.h"
#include "core/swarm/below.h"
#include "core/swarm/engine.h"
#include "core/swarm/supply.h"

#define NEW_PARENT_COST_US (20 * (int64_t)US_PER_MS) /* acknowledgements and headers of its own */
#define HOP_COST_US (10 * (int64_t)US_PER_MS)        /* waiting in the parent */
#define UNKNOWN_COST_US (400 * (int64_t)US_PER_MS)   /* of a neighbour that has said nothing yet */
#define FULL_COST_US (300 * (int64_t)US_PER_MS)      /* it may refuse */
#define NONE_COST_US (600 * (int64_t)US_PER_MS)      /* it does not get this itself */
#define TRIAL_COST_US (250 * (int64_t)US_PER_MS)     /* it may not deliver */
#define SUSPECT_COST_US (400 * (int64_t)US_PER_MS)   /* it may be gone */
#define LOAD_COST_US (3 * (int64_t)US_PER_MS)        /* of each substream that it carries already */
#define CELLS_GAIN_US (40 * (int64_t)US_PER_MS)      /* for which a substream moves */
#define HEADS_GAIN_US (15 * (int64_t)US_PER_MS) /* for which the heads move to another parent */
#define HEADS_COST_MOST_US (300 * US_PER_MS)    /* of a copy that would take all of an uplink */
#define BELOW_MANY 5                            /* (below.h) sixteen or more */
#define RELIEF_US (200 * (int64_t)US_PER_MS)    /* that leaving a full parent is worth, */
#define RELIEF_PLACES 2                         /* for one with so many places free */
#define DRY_PARENT_US (300 * US_PER_MS)         /* for a parent to find another */
#define OFFER_LASTS 4                           /* periods */
#define DWELL_US (5 * US_PER_S)       /* with a parent before it is left for a better one, */
#define DWELL_SHORT_US (1 * US_PER_S) /* and for one that is so much better: */
#define GAIN_LARGE_US (150 * (int64_t)US_PER_MS)
#define UNSTARTED_US (2 * US_PER_S) /* without anything to play: others may be better */
#define BALANCE_MOVES 2             /* of one stream in one period */
#define BALANCE_MOVES_LARGE 6       /* where that much is gained */

bool supply_is_usable(const struct neighbour *nb) {
    enum link_state state = link_state(nb->link);
    return !neighbour_is_doomed(nb) && state != LINK_CLOSED &&
           (!nb->has_hello || nb->flags & PEER_UPLOADS);
}

static bool was_refused(const struct neighbour *nb, const struct neighbour_stream *ns,
                        unsigned index, uint64_t now_us) {
    bool is_back = ns->cut_us != 0 && neighbour_received_us(nb) > ns->cut_us;
    if (is_back) return false;
    if (now_us < ns->refused_until_us) return true;
    return now_us < ns->refused_some_until_us && ns->refused >> index & 1;
}

static bool may_supply(const struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (neighbour_is_lost(nb)) return false;
    if (!supply_is_usable(nb) || was_refused(nb, ns, index, now_us) || supply_asks(ns, index))
        return false;
    if (nb->has_hello && nb->follows != c->manifest.broadcast) return false;
    if (c->rest.is_on && nb->role != ROLE_SOURCE) return false;
    if (link_state(nb->link) == LINK_UP && neighbour_is_silent(nb, now_us)) return false;
    bool is_our_child =
        index == SUPPLY_HEADS ? ns->child_heads : (ns->child_granted >> index & 1) != 0;
    return !is_our_child;
}

/* Each parent costs acknowledgements and headers of its own: fewer and fuller ones are cheaper. */
bool supply_is_parent(const struct channel *c, const struct neighbour *nb) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].asked || nb->streams[t].asked_heads) return true;
    return false;
}

/* It should have sent something, and has not: whatever another parent died of, it may have too. */
static bool is_suspect(const struct channel *c, const struct neighbour *nb, uint64_t now_us) {
    return neighbour_received_us(nb) + SUPPLY_QUIET_US < now_us && supply_is_parent(c, nb);
}

static bool is_offer_good(const struct neighbour *nb, uint64_t now_us) {
    return nb->has_offer && now_us - nb->offered_us < OFFER_LASTS * channel_tell_us(nb->channel);
}

bool supply_has_room(const struct neighbour *nb, const struct stream *s, unsigned index,
                     uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    return is_offer_good(nb, now_us) && ns->has_lags && ns->lags[index] != LAG_NONE &&
           admission_spare_of_bps(nb, true) >= admission_cost_bps(s, index);
}

/* What we are worth to a parent: what we give, and could. Reckoned once in a step: every child
 * counts. */
static uint64_t own_worth_bps(struct channel *c) {
    if (c->worth_us == c->node->now_us) return c->worth_bps;
    c->worth_us = c->node->now_us;
    c->worth_bps = admission_carried_bps(c->node) + admission_spare_bps(c->node);
    return c->worth_bps;
}

/* Of who has not shown yet that it delivers, one substream is taken to see. */
static bool is_on_trial(const struct channel *c, const struct neighbour *nb, unsigned index) {
    if (neighbour_is_proven(nb) || index == SUPPLY_HEADS) return false;
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].asked) return true;
    return false;
}

/* A copy of the heads is a small part of a fat uplink and a seventh of a thin one, which carries
 * cells for it otherwise. */
static int64_t heads_cost_us(const struct stream *s, const struct neighbour *nb, uint64_t now_us) {
    if (!is_offer_good(nb, now_us)) return 0;
    uint64_t uplink_bps = u64_max(admission_worth_bps(nb), 1);
    uint64_t share_us = US_PER_S * admission_cost_bps(s, SUPPLY_HEADS) / uplink_bps;
    return (int64_t)u64_min(share_us, HEADS_COST_MOST_US);
}

/* How late after the source's publication the substream would come from it, as far as that is
 * known, and what speaks against asking it. Who `is_let_in` finds a place where others do not. */
static int64_t cost_of(struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, bool starved, bool is_let_in, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    int64_t cost = (int64_t)neighbour_rtt_us(nb) / 2 + HOP_COST_US;
    if (is_on_trial(c, nb, index)) cost += TRIAL_COST_US;
    if (is_suspect(c, nb, now_us)) cost += SUSPECT_COST_US;
    if (ns->heir >> index & 1 && now_us < nb->heir_until_us)
        return cost; /* it has just taken our place: early, and with room */
    if (link_state(nb->link) == LINK_DIALLING) cost += 10 * (int64_t)US_PER_S;
    if (!is_offer_good(nb, now_us) || !ns->has_lags)
        cost += UNKNOWN_COST_US;
    else if (ns->lags[index] == LAG_NONE)
        cost += NONE_COST_US;
    else
        cost += (int64_t)ns->lags[index] * LAG_UNIT_US;
    bool is_full = is_offer_good(nb, now_us) &&
                   admission_spare_of_bps(nb, starved) < admission_cost_bps(s, index);
    if (is_full && index != SUPPLY_HEADS && own_worth_bps(c) <= nb->bar_bps && !is_let_in)
        cost += FULL_COST_US;
    if (index == SUPPLY_HEADS)
        cost += heads_cost_us(s, nb, now_us);
    else
        cost += LOAD_COST_US * __builtin_popcount(nb->streams[s->track].asked);
    if (!supply_is_parent(c, nb)) cost += NEW_PARENT_COST_US;
    return cost;
}

bool supply_names_holder(const struct channel *c, const struct stream *s, unsigned index,
                         uint64_t now_us) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        if (now_us >= nb->heir_until_us || !(nb->streams[s->track].heir >> index & 1)) continue;
        if (link_state(nb->link) == LINK_UP && may_supply(c, s, nb, index, now_us)) return true;
    }
    return false;
}

struct neighbour *supply_best(struct channel *c, const struct stream *s, unsigned index,
                              bool has_parent, uint64_t now_us) {
    struct neighbour *best = NULL;
    int64_t best_cost = INT64_MAX;
    size_t first = c->neighbours_len == 0 ? 0 : (size_t)rng_below(&c->node->rng, c->neighbours_len);
    /* Those who have room may all hang on us; whoever stands above us lets somebody else go. */
    bool is_let_in = !has_parent && index != SUPPLY_HEADS && below_ours(c, s, index) >= BELOW_MANY;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[(first + i) % c->neighbours_len];
        if (!may_supply(c, s, nb, index, now_us)) continue;
        if (has_parent && now_us < nb->streams[s->track].better_until_us) continue;
        int64_t cost = cost_of(c, s, nb, index, !has_parent, is_let_in, now_us);
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
    trace_supply(nb, TRACE_ASKED_NEXT, s->track, index);
    supply->next_asked_us = now_us;
    /* What is captured until it can say yes still comes from the old one. */
    uint32_t ahead = 1;
    if (index != SUPPLY_HEADS) /* those are small: rather twice than not at all */
        ahead += (uint32_t)(neighbour_rtt_us(nb) / s->period_us);
    supply->next_owes_from = s->window.has_newest ? s->window.newest + ahead : s->start;
    supply_ask(s, nb, index, supply->next_owes_from);
    nb->spare_bps = u64_sub(nb->spare_bps, admission_cost_bps(s, index));
}

/* How late it comes from the parent that it has. */
static int64_t present_us(const struct stream *s, const struct supply *supply) {
    if (!supply->has_arrival || !s->has_source_offset) return 0;
    return supply->arrival_us - s->source_offset_us;
}

static bool may_move(const struct supply *supply) {
    return supply->parent != NULL && supply->next == NULL && supply->is_granted;
}

static bool is_excess(const struct stream *s, const struct supply *supply, unsigned index) {
    return supply->parent->streams[s->track].excess >> index & 1;
}

/* By its own word it has not got this for a while. It looks for a parent, and finds one sooner than
 * all that hang on it could. */
static bool is_dry(const struct stream *s, const struct supply *supply, unsigned index,
                   uint64_t now_us) {
    const struct neighbour *nb = supply->parent;
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (nb->role == ROLE_SOURCE || nb->dry_us == 0 || !rest_is_settled(nb->channel, now_us))
        return false;
    return now_us - nb->dry_us > DRY_PARENT_US && ns->has_lags && ns->lags[index] == LAG_NONE;
}

/* By its word it has the substream, and room for us or another that it would let go for us. */
static bool would_take(struct channel *c, const struct stream *s, const struct neighbour *nb,
                       unsigned index, uint64_t now_us) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    if (link_state(nb->link) == LINK_DIALLING || is_suspect(c, nb, now_us)) return false;
    if (ns->heir >> index & 1 && now_us < nb->heir_until_us) return true;
    if (!is_offer_good(nb, now_us) || !ns->has_lags || ns->lags[index] == LAG_NONE) return false;
    return admission_spare_of_bps(nb, false) >= admission_cost_bps(s, index) ||
           own_worth_bps(c) > nb->bar_bps;
}

/* What a parent would rather lose, or has lost, goes as soon as there is another. */
static void move_excess(struct channel *c, struct stream *s, uint64_t now_us) {
    for (unsigned index = 0; index < SUPPLIES; index++) {
        struct supply *supply = &s->supplies[index];
        if (!may_move(supply)) continue;
        bool dry = is_dry(s, supply, index, now_us);
        if (!dry && !is_excess(s, supply, index)) continue;
        struct neighbour *nb = supply_best(c, s, index, true, now_us);
        if (nb == NULL || !would_take(c, s, nb, index, now_us)) continue;
        if (dry && nb->spare_bps < admission_cost_bps(s, index)) continue;
        take_next(s, index, nb, now_us);
        if (dry) {
            supply->next_owes_from = supply_owed_from(s);
            nb->streams[s->track].starved = true;
            supply_ask(s, nb, index, supply->next_owes_from);
        }
        nb->streams[s->track].heir &= ~(1u << index);
    }
}

/* The parent turns away whoever is starved, and this one would not: a place that is taken here is
 * one that is free there. Who has just come with a fat uplink has neighbours that lack nothing. */
static int64_t relief_us(const struct stream *s, const struct supply *supply,
                         const struct neighbour *nb, unsigned index, uint64_t now_us) {
    const struct neighbour *parent = supply->parent;
    uint64_t cost_bps = admission_cost_bps(s, index);
    if (parent->role == ROLE_SOURCE || !is_offer_good(parent, now_us)) return 0;
    if (parent->spare_bps >= cost_bps || !is_offer_good(nb, now_us)) return 0;
    return admission_spare_of_bps(nb, false) >= RELIEF_PLACES * cost_bps ? RELIEF_US : 0;
}

/* The substream that gains most by another parent. */
static bool move_one(struct channel *c, struct stream *s, int64_t least_us, uint64_t now_us) {
    struct neighbour *best = NULL;
    unsigned best_index = 0;
    int64_t best_gain_us = least_us;
    for (unsigned index = 0; index < s->substreams; index++) {
        struct supply *supply = &s->supplies[index];
        if (!may_move(supply)) continue;
        struct neighbour *nb = supply_best(c, s, index, true, now_us);
        if (nb == NULL || !nb->has_hello) continue;
        int64_t cost = cost_of(c, s, nb, index, false, false, now_us);
        int64_t gain_us = present_us(s, supply) - cost + relief_us(s, supply, nb, index, now_us);
        uint64_t dwell_us = gain_us > GAIN_LARGE_US ? DWELL_SHORT_US : DWELL_US;
        if (now_us - supply->asked_us < dwell_us || gain_us <= best_gain_us) continue;
        best = nb;
        best_index = index;
        best_gain_us = gain_us;
    }
    if (best == NULL) return false;
    take_next(s, best_index, best, now_us);
    return true;
}

/* Who stands above the parent, where it is a neighbour. */
static struct neighbour *grandparent_of(const struct channel *c, const struct supply *supply) {
    for (size_t i = 0; supply->ancestors_len >= 2 && i < c->neighbours_len; i++)
        if (neighbour_id4(c->neighbours[i]) == supply->ancestors[1]) return c->neighbours[i];
    return NULL;
}

/* The one above the parent would take us in the parent's place (admission_preempts). */
static struct neighbour *to_overtake_by(struct channel *c, const struct stream *s, unsigned index,
                                        uint64_t now_us) {
    const struct supply *supply = &s->supplies[index];
    const struct neighbour *parent = supply->parent;
    if (!may_move(supply) || now_us - supply->asked_us < DWELL_SHORT_US) return NULL;
    if (parent->role == ROLE_SOURCE || !is_offer_good(parent, now_us)) return NULL;
    if (WORTH_CLEAR * admission_worth_bps(parent) > own_worth_bps(c)) return NULL;
    struct neighbour *nb = grandparent_of(c, supply);
    if (nb == NULL || !may_supply(c, s, nb, index, now_us)) return NULL;
    bool was_refused_lately = now_us < nb->streams[s->track].better_until_us;
    return !was_refused_lately && would_take(c, s, nb, index, now_us) ? nb : NULL;
}

/* A thin parent is in time as long as nothing disturbs it, so nothing is gained by leaving it; but
 * all that hang on us wait in its queue when something does. */
static void overtake(struct channel *c, struct stream *s, uint64_t now_us) {
    unsigned first = (unsigned)rng_below(&c->node->rng, s->substreams);
    for (unsigned k = 0; k < s->substreams; k++) {
        unsigned index = (first + k) % s->substreams;
        struct neighbour *nb = to_overtake_by(c, s, index, now_us);
        if (nb == NULL) continue;
        take_next(s, index, nb, now_us);
        return;
    }
}

/* The heads come before anything can be verified: they are worth the earliest parent. */
static void move_heads(struct channel *c, struct stream *s, uint64_t now_us) {
    struct supply *supply = &s->supplies[SUPPLY_HEADS];
    if (!may_move(supply)) return;
    struct neighbour *nb = supply_best(c, s, SUPPLY_HEADS, true, now_us);
    if (nb == NULL || !nb->has_hello) return;
    int64_t gain_us = present_us(s, supply) - cost_of(c, s, nb, SUPPLY_HEADS, false, false, now_us);
    if (gain_us < HEADS_GAIN_US) return;
    take_next(s, SUPPLY_HEADS, nb, now_us);
}

void supply_balance(struct channel *c, struct stream *s, bool is_due, uint64_t now_us) {
    if (!s->has_verified_start && (!s->has_start || now_us - s->start_us < UNSTARTED_US)) return;
    move_excess(c, s, now_us);
    if (!is_due) return;
    overtake(c, s, now_us);
    for (unsigned i = 0; i < BALANCE_MOVES_LARGE; i++)
        if (!move_one(c, s, i < BALANCE_MOVES ? CELLS_GAIN_US : GAIN_LARGE_US, now_us)) break;
    move_heads(c, s, now_us);
}
