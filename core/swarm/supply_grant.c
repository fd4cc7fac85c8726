/* supply_grant.c - what a parent's word changes: granted, refused, ended, and who stands above us.
 */
#include <string.h>

#include "core/swarm/engine.h"
#include "core/swarm/serve.h"
#include "core/swarm/supply.h"

#define CANDIDATES_LEAST_US US_PER_S       /* more often is not listened to */
#define REFUSED_RETRY_US (25 * US_PER_MS)  /* twice as long after each refusal, */
#define REFUSED_SHARE_US (100 * US_PER_MS) /* of the pause, for each neighbour */
#define REFUSALS_MAX 6                     /* but no longer than with so many */
#define HEIR_US (2 * US_PER_S)             /* who has taken our place is asked first, */
#define NAMED_US (500 * US_PER_MS)         /* and who was named where we were refused */
#define LOOP_NEW_US US_PER_S /* a parent that we have moved to in this time closes a circle */

/* Substreams and heads (SUBSTREAM_HEADS) that the parent has from us, directly or not. */
static uint32_t find_loops(const struct channel *c, const struct grant *m) {
    uint32_t self = load_u32(c->node->id.bytes), loops = 0;
    for (size_t i = 0; i < m->ancestry_len; i++)
        for (size_t k = 0; k < m->ancestry[i].ids_len; k++)
            if (m->ancestry[i].ids[k] == self) loops |= m->ancestry[i].substreams;
    return loops;
}

/* Who is above us now. Returns for which substreams (and heads) that has changed. */
static uint32_t take_ancestry(struct stream *s, const struct neighbour *nb,
                              const struct ancestry *a) {
    uint32_t changed = 0;
    for (unsigned index = 0; index < SUPPLIES; index++) {
        struct supply *supply = &s->supplies[index];
        if (!(a->substreams >> index & 1) || supply->parent != nb) continue;
        size_t bytes = a->ids_len * sizeof a->ids[0];
        if (supply->ancestors_len == a->ids_len && memcmp(supply->ancestors, a->ids, bytes) == 0)
            continue;
        supply->ancestors_len = a->ids_len;
        memcpy(supply->ancestors, a->ids, bytes);
        changed |= 1u << index;
    }
    return changed;
}

/* All of a circle see it at about the same time; whoever has moved last has closed it and leaves
 * at once, the others only where it stands (check). */
static void note_loop(struct stream *s, const struct neighbour *nb, unsigned index, bool is_loop,
                      uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->parent != nb) return;
    if (!is_loop)
        supply->loop_us = 0;
    else if (now_us - supply->asked_us < LOOP_NEW_US) {
        trace_supply(nb, TRACE_LOOP, s->track, index);
        supply_abandon(s, index, REFUSED_PAUSE_US, now_us);
    } else if (supply->loop_us == 0)
        supply->loop_us = now_us;
}

/* The parent's word on one supply: granted, refused, or ended. */
static void settle(struct channel *c, struct stream *s, struct neighbour *nb, unsigned index,
                   bool granted, uint64_t now_us) {
    struct supply *supply = &s->supplies[index];
    if (supply->next == nb) {
        trace_supply(nb, granted ? TRACE_MOVED : TRACE_REFUSED, s->track, index);
        if (!granted) {
            supply_cancel_next(s, index, now_us);
            return;
        }
        if (supply->parent != NULL)
            supply_unask(s, supply->parent, index, supply->next_owes_from, now_us);
        supply->parent = nb;
        supply->next = NULL;
        supply->owes_from = supply->next_owes_from;
        supply_begin(supply, now_us);
    } else if (supply->parent != nb) {
        return;
    } else if (granted != supply->is_granted || !granted) {
        enum trace_decision no = supply->is_granted ? TRACE_ENDED : TRACE_REFUSED;
        trace_supply(nb, granted ? TRACE_GRANTED : no, s->track, index);
    }
    supply->is_granted = granted;
    if (granted) {
        /* Asked before we knew where we start: it says where it does. */
        const struct neighbour_stream *ns = &nb->streams[s->track];
        if (supply->owes_from == 0 && ns->has_grant_from) supply->owes_from = ns->grant_from;
        supply->refusals = 0;
        return;
    }
    supply_abandon(s, index, 0, now_us);
    if (supply->refusals < REFUSALS_MAX) supply->refusals++;
    bool is_named = supply_names_holder(c, s, index, now_us);
    supply->retry_us =
        is_named ? now_us : now_us + rng_below(&c->node->rng, REFUSED_RETRY_US << supply->refusals);
}

/* Who was named as having something, and is linked with us, is asked for it before others. An heir
 * that is not is dialled, no more often than the parent's candidates are taken; dialling whoever is
 * named where we are refused cost more uplink than it found. */
static void take_holder(struct neighbour *parent, const struct grant *m, size_t at, uint32_t has,
                        uint64_t until_us, uint64_t now_us) {
    struct channel *c = parent->channel;
    const struct peer_entry *holder = &m->candidates[at];
    if (public_key_equal(&holder->peer, &c->node->id)) return;
    struct neighbour *nb = channel_neighbour(c, &holder->peer);
    if (nb == NULL && m->heir) {
        struct candidate *known = sampler_find(&c->sampler, &holder->peer);
        if (known == NULL || known->is_linked || known->not_before_us > now_us) return;
        if (parent->candidates_taken_us != now_us || !node_has_room(c)) return;
        node_dial(c, known, now_us);
        nb = channel_neighbour(c, &holder->peer);
    }
    if (nb == NULL || m->track >= nb->streams_len) return;
    struct neighbour_stream *ns = &nb->streams[m->track];
    ns->heir = now_us < nb->heir_until_us ? ns->heir | has : has;
    nb->heir_until_us = until_us;
}

static void take_candidates(struct neighbour *nb, const struct grant *m, uint32_t refused,
                            uint64_t now_us) {
    struct channel *c = nb->channel;
    bool is_due =
        nb->candidates_taken_us == 0 || now_us - nb->candidates_taken_us >= CANDIDATES_LEAST_US;
    if (is_due && m->candidates_len > 0) nb->candidates_taken_us = now_us;
    for (size_t i = 0; i < m->candidates_len; i++) {
        if (public_key_equal(&m->candidates[i].peer, &c->node->id)) continue;
        if (is_due)
            (void)sampler_add(&c->sampler, &c->node->rng, &m->candidates[i].peer,
                              &m->candidates[i].endpoint, ORIGIN_NEIGHBOUR);
        if (refused && !m->heir) take_holder(nb, m, i, refused, now_us + NAMED_US, now_us);
    }
}

static void settle_all(struct channel *c, struct stream *s, struct neighbour *nb,
                       const struct grant *m, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[m->track];
    uint32_t given = m->substreams;
    if (m->flags & SUBSCRIBE_HEADS) given |= 1u << SUBSTREAM_HEADS;
    uint32_t loops = find_loops(c, m);
    uint32_t refused = (ns->asked | (ns->asked_heads ? 1u << SUBSTREAM_HEADS : 0)) & ~given;
    if (now_us >= ns->refused_some_until_us) ns->refused = 0;
    ns->refused |= refused;
    /* With few neighbours there is nobody else to ask meanwhile. */
    uint64_t pause_us = u64_min(REFUSED_PAUSE_US, c->neighbours_len * REFUSED_SHARE_US);
    if (refused) ns->refused_some_until_us = now_us + pause_us;
    for (unsigned index = 0; index < SUPPLIES; index++) {
        if (!supply_asks(ns, index)) continue;
        /* A move that would close a circle is not made. */
        bool closes = loops >> index & 1 && s->supplies[index].next == nb;
        settle(c, s, nb, index, given >> index & 1 && !closes, now_us);
    }
    uint32_t changed = 0;
    for (size_t i = 0; i < m->ancestry_len; i++) changed |= take_ancestry(s, nb, &m->ancestry[i]);
    for (unsigned index = 0; index < SUPPLIES; index++)
        if (supply_asks(ns, index)) note_loop(s, nb, index, loops >> index & 1, now_us);
    if (changed) serve_ancestry_changed(c, m->track, changed, now_us);
}

/* There are no supplies yet: adopt_eager makes them of what is granted here. */
static void take_early(struct neighbour *nb, const struct grant *m, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[m->track];
    uint32_t loops = find_loops(nb->channel, m);
    ns->granted &= ~loops;
    if (loops >> SUBSTREAM_HEADS & 1) ns->granted_heads = false;
    if (nb->channel->has_manifest || m->substreams != 0) return;
    ns->refused_until_us = now_us + GRANT_WAIT_US; /* it knows no more than we do */
    ns->asked = 0;
    ns->asked_heads = false;
}

void supply_take_grant(struct neighbour *nb, const struct grant *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    if (m->track >= nb->streams_len) return;
    struct neighbour_stream *ns = &nb->streams[m->track];
    if (!ns->has_asked || m->generation != ns->generation)
        return; /* answers what we have since asked anew */
    if (ns->has_grant && (int16_t)(m->revision - ns->grant_revision) <= 0) return;
    ns->has_grant = true;
    ns->grant_revision = m->revision;
    uint32_t asked = ns->asked;
    ns->granted = m->substreams & ns->asked;
    ns->granted_heads = ns->asked_heads && m->flags & SUBSCRIBE_HEADS;
    ns->excess = m->excess;
    nb->spare_bps = (uint64_t)m->spare * OFFER_UNIT_BPS;
    if (m->from != FROM_RANDOM_ACCESS && m->substreams != 0) {
        ns->has_grant_from = true;
        ns->grant_from = m->from;
    }
    take_candidates(nb, m, asked & ~m->substreams, now_us);
    struct stream *s = channel_stream(c, m->track);
    if (c->is_source) return;
    if (s == NULL || !s->is_adopted) {
        take_early(nb, m, now_us);
        return;
    }
    if (m->heir && (m->excess & ns->granted) != 0)
        take_holder(nb, m, 0, m->excess, now_us + HEIR_US, now_us);
    settle_all(c, s, nb, m, now_us);
    channel_wake(c, now_us);
}
