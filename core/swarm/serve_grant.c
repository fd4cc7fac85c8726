/* serve_grant.c - what a child is told of its subscription: what it gets, who stands above us, and
 * whom else to ask for what it does not get. */
#include <string.h>

#include "core/swarm/admission.h"
#include "core/swarm/engine.h"
#include "core/swarm/serve.h"

#define CANDIDATES_TOLD 4
#define CANDIDATES_US US_PER_S

static void fill_ancestry(const struct node *n, const struct stream *s, uint32_t substreams,
                          struct grant *m) {
    uint32_t left = substreams;
    while (left && m->ancestry_len < ANCESTRIES_MAX) {
        const struct supply *first = &s->supplies[__builtin_ctz(left)];
        struct ancestry *a = &m->ancestry[m->ancestry_len++];
        for (unsigned index = 0; index < SUPPLIES; index++) {
            const struct supply *other = &s->supplies[index];
            bool same = (left >> index & 1) && other->ancestors_len == first->ancestors_len &&
                        memcmp(other->ancestors, first->ancestors,
                               first->ancestors_len * sizeof first->ancestors[0]) == 0;
            if (same) a->substreams |= 1u << index;
        }
        left &= ~a->substreams;
        a->ids[a->ids_len++] = load_u32(n->id.bytes);
        for (size_t i = 0; i < first->ancestors_len && a->ids_len < ANCESTORS_MAX; i++)
            a->ids[a->ids_len++] = first->ancestors[i];
    }
}

static bool is_named(const struct grant *m, const struct neighbour *nb) {
    for (size_t i = 0; i < m->candidates_len; i++)
        if (public_key_equal(&m->candidates[i].peer, link_peer(nb->link))) return true;
    return false;
}

static void name(struct grant *m, const struct neighbour *nb) {
    const struct link *link = nb->link;
    m->candidates[m->candidates_len++] = (struct peer_entry){
        .peer = *link_peer(link), .endpoint = *link_endpoint(link), .flags = PEER_UPLOADS};
}

static bool may_be_named(const struct neighbour *nb) {
    const struct link *link = nb->peer->link;
    return link_state(link) == LINK_UP && admission_is_there(nb) && nb->flags & PEER_UPLOADS &&
           endpoint_is_usable(link_endpoint(link));
}

/* Who has most of what was refused, and could pass it on: down the tree there is room somewhere. */
static void fill_holders(struct channel *c, const struct neighbour *child, uint8_t track,
                         uint32_t refused, struct grant *m) {
    const struct stream *s = channel_stream(c, track);
    while (m->candidates_len < CANDIDATES_TOLD) {
        const struct neighbour *best = NULL;
        uint64_t best_bps = 0;
        for (size_t i = 0; i < c->neighbours_len; i++) {
            const struct neighbour *nb = c->neighbours[i];
            const struct neighbour_stream *ns = &nb->streams[track];
            uint32_t has = ns->child_granted & ~ns->child_excess & refused;
            if (nb == child || has == 0 || nb->spare_bps < s->substream_bps) continue;
            uint64_t bps = u64_min(nb->spare_bps,
                                   (uint64_t)s->substream_bps * (unsigned)__builtin_popcount(has));
            if (!may_be_named(nb) || is_named(m, nb) || bps <= best_bps) continue;
            best = nb;
            best_bps = bps;
        }
        if (best == NULL) return;
        name(m, best);
    }
}

/* Whom else a refused child could ask: whoever has from us what was refused; neighbours that take
 * this track themselves. To these it listens once a second. */
static void fill_candidates(struct channel *c, struct neighbour *child, uint8_t track,
                            uint32_t refused, struct grant *m, uint64_t now_us) {
    const struct stream *s = channel_stream(c, track);
    if (c->neighbours_len == 0 || s == NULL) return;
    if (child->streams[track].child_starved) fill_holders(c, child, track, refused, m);
    if (m->candidates_len > 0) return;
    if (child->candidates_sent_us != 0 && now_us - child->candidates_sent_us < CANDIDATES_US)
        return;
    size_t first = (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; i < c->neighbours_len && m->candidates_len < CANDIDATES_TOLD; i++) {
        const struct neighbour *other = c->neighbours[(first + i) % c->neighbours_len];
        if (other == child || !other->streams[track].has_held || !other->has_offer) continue;
        if (other->spare_bps >= s->substream_bps && may_be_named(other)) name(m, other);
    }
    if (m->candidates_len > 0) child->candidates_sent_us = now_us;
}

static void fill_heir(const struct channel *c, uint32_t id4, struct grant *m) {
    for (size_t i = 0; i < c->neighbours_len && m->candidates_len == 0; i++) {
        if (neighbour_id4(c->neighbours[i]) != id4 || !may_be_named(c->neighbours[i])) continue;
        name(m, c->neighbours[i]);
        m->heir = 1;
    }
}

void serve_send_grant(struct channel *c, struct neighbour *nb, uint8_t track, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[track];
    const struct stream *s = channel_stream(c, track);
    struct grant m = {
        .slot = c->index,
        .track = track,
        .generation = ns->child_generation,
        .revision = (uint16_t)(ns->child_revision + 1),
        .flags = ns->child_heads ? SUBSCRIBE_HEADS : 0,
        .substreams = ns->child_granted,
        .excess = ns->child_excess & ns->child_granted,
        .from = ns->child_from,
        .spare = offer_spare(c),
    };
    uint32_t given = ns->child_granted | (ns->child_heads ? 1u << SUBSTREAM_HEADS : 0);
    if (s != NULL) fill_ancestry(c->node, s, given, &m);
    if (m.excess && ns->child_heir != 0) fill_heir(c, ns->child_heir, &m);
    uint32_t refused = ns->child_wanted & ~ns->child_granted;
    if (refused) fill_candidates(c, nb, track, refused, &m, now_us);
    uint8_t buffer[4096];
    struct writer w = writer_init(buffer, sizeof buffer);
    grant_write(&w, &m);
    if (link_send_message(nb->link, buffer, writer_len(&w), now_us)) { /* next tick */
        c->grants_changed = ns->child_changed = true;
        return;
    }
    ns->child_revision = m.revision;
    ns->child_changed = false;
}

void serve_flush_grants(struct channel *c, struct neighbour *nb, uint64_t now_us) {
    for (uint8_t t = 0; t < nb->streams_len; t++)
        if (nb->streams[t].child_changed) serve_send_grant(c, nb, t, now_us);
}

/* At once: as long as a list is out of date, circles can close unseen. */
void serve_ancestry_changed(struct channel *c, uint8_t track, uint32_t changed, uint64_t now_us) {
    struct neighbour_set children = stream_children(channel_stream(c, track), changed);
    for (size_t i = neighbour_set_next(&children, 0); i < NEIGHBOURS_MAX;
         i = neighbour_set_next(&children, i + 1)) {
        struct neighbour_stream *ns = &c->neighbours[i]->streams[track];
        uint32_t given = ns->child_granted | (ns->child_heads ? 1u << SUBSTREAM_HEADS : 0);
        if (given & changed) serve_send_grant(c, c->neighbours[i], track, now_us);
    }
}
