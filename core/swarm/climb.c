/* climb.c - who passes on much gets to know peers nearer to the source.
 *
 * Neighbours are met at random, and of thirty in a thousand hardly one is near the source: who
 * could pass a substream on early finds nobody early to take it from. What parents say of who
 * stands above them names those that are; whom of them we have an address of is dialled. */
#include "core/swarm/climb.h"

#include "core/swarm/engine.h"

#define CLIMB_US US_PER_S /* between dials, about */
#define CARRIES_LEAST 8   /* substreams that the uplink could pass on */
#define ANCESTORS_FAR 6   /* nearer to the source nobody has to climb: that is no large swarm */
#define ROOM_LEAST 4      /* free places of which it takes one: newcomers need some */

static struct candidate *find(struct channel *c, uint32_t id4, uint64_t now_us) {
    for (size_t i = 0; i < c->sampler.len; i++) {
        struct candidate *known = &c->sampler.candidates[i];
        if (load_u32(known->peer.bytes) != id4) continue;
        return known->is_linked || known->not_before_us > now_us ? NULL : known;
    }
    return NULL;
}

struct candidate *climb_choose(struct channel *c, uint64_t now_us) {
    if (c->is_source || c->streams_len == 0 || c->node->uplink.rate_bps == 0) return NULL;
    if (channel_count_up(c) + ROOM_LEAST > c->node->neighbours_max || !node_has_room(c))
        return NULL;
    const struct stream *s = &c->streams[0];
    if (uplink_capacity_bps(c->node) < CARRIES_LEAST * (uint64_t)s->substream_bps) return NULL;
    unsigned first = (unsigned)rng_below(&c->node->rng, s->substreams);
    for (unsigned k = 0; k < s->substreams; k++) {
        const struct supply *supply = &s->supplies[(first + k) % s->substreams];
        if (supply->ancestors_len < ANCESTORS_FAR) continue;
        /* The last is the source, on which all would come down. */
        for (unsigned i = supply->ancestors_len - 2u; i > 0; i--) {
            struct candidate *known = find(c, supply->ancestors[i], now_us);
            if (known != NULL) return known;
        }
    }
    return NULL;
}

void climb_tick(struct channel *c, uint64_t now_us) {
    if (now_us < c->climb_us) return;
    c->climb_us = now_us + CLIMB_US / 2 + rng_below(&c->node->rng, CLIMB_US);
    struct candidate *known = climb_choose(c, now_us);
    if (known != NULL) node_dial(c, known, now_us);
}
