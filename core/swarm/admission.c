/* admission.c - which children the uplink can carry, and which of them should go elsewhere.
 *
 * A child is admitted by what the uplink carries. The source keeps itself to a few copies of each
 * substream while others can pass them on: it grants more only to a child that has found nobody
 * else, and tells it which of them to take elsewhere when it can. */
#include "core/swarm/engine.h"

#define SOURCE_COPIES 2          /* of a substream, that the source gives freely */
#define SOURCE_HEADS 4           /* children with heads from the source: 2 % of the rate each */
#define CROWD 4                  /* neighbours from which on the source saves */
#define ADMIT_PERCENT 75         /* of the uplink, to those who could ask elsewhere, */
#define ADMIT_STARVED_PERCENT 90 /* and to those who could not */
#define COST_PERCENT 118 /* of a substream's media: headers, heads, acknowledgements, repairs */
#define REFUSED_US (3 * US_PER_S) /* a child that found nobody asks again sooner */

static unsigned copies_of(const struct channel *c, uint8_t track, unsigned index) {
    unsigned copies = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour_stream *ns = &c->neighbours[i]->streams[track];
        copies += index == SUPPLY_HEADS ? ns->child_heads : ns->child_granted >> index & 1;
    }
    return copies;
}

/* What all children of all channels take, if every granted substream flows. */
static uint64_t granted_bps(const struct node *n) {
    uint64_t bps = 0;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        for (size_t t = 0; t < c->streams_len; t++)
            for (size_t k = 0; k < c->neighbours_len; k++)
                bps += (uint64_t)c->streams[t].substream_bps *
                       (unsigned)__builtin_popcount(c->neighbours[k]->streams[t].child_granted);
    }
    return bps;
}

static bool uplink_admits(const struct channel *c, const struct stream *s, bool starved) {
    const struct node *n = c->node;
    if (n->uplink.rate_bps == 0) return false;
    uint64_t capacity = uplink_capacity_bps(n) / 100;
    capacity *= starved ? ADMIT_STARVED_PERCENT : ADMIT_PERCENT;
    return (granted_bps(n) + s->substream_bps) * COST_PERCENT / 100 <= capacity;
}

/* Granting it would put the child above itself. */
bool admission_makes_loop(const struct channel *c, const struct stream *s,
                          const struct neighbour *child, unsigned index) {
    const struct supply *supply = &s->supplies[index];
    uint32_t id = neighbour_id4(child);
    if (supply->parent == child) return true;
    /* We ask each other at once: the smaller id is the one that gets it. */
    if (supply->next == child && load_u32(c->node->id.bytes) < id) return true;
    for (size_t i = 0; i < supply->ancestors_len; i++)
        if (supply->ancestors[i] == id) return true;
    return false;
}

static bool source_saves(const struct channel *c, uint8_t track, unsigned index) {
    if (!c->is_source || c->neighbours_len < CROWD) return false;
    unsigned most = index == SUPPLY_HEADS ? SOURCE_HEADS : SOURCE_COPIES;
    return copies_of(c, track, index) >= most;
}

bool admission_grants(const struct channel *c, const struct stream *s,
                      const struct neighbour *child, unsigned index, bool starved) {
    if (admission_makes_loop(c, s, child, index)) return false;
    if (!starved && source_saves(c, s->track, index)) return false;
    return uplink_admits(c, s, starved);
}

uint64_t admission_refused_bps(const struct node *n, uint64_t now_us) {
    uint64_t bps = 0;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        for (size_t k = 0; k < c->neighbours_len; k++)
            for (size_t t = 0; t < c->streams_len; t++) {
                const struct neighbour_stream *ns = &c->neighbours[k]->streams[t];
                if (ns->child_refused == 0 || now_us - ns->child_refused_us > REFUSED_US) continue;
                uint32_t still = ns->child_refused & ~ns->child_granted;
                bps += (uint64_t)c->streams[t].substream_bps * (unsigned)__builtin_popcount(still);
            }
    }
    return bps / 100 * COST_PERCENT;
}

/* Which of its substreams each child should take elsewhere: those beyond the copies that the source
 * gives freely. The neighbours that have been there longest keep theirs. */
void admission_mark_excess(struct channel *c, struct stream *s) {
    bool saves = c->neighbours_len >= CROWD;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        struct neighbour_stream *ns = &nb->streams[s->track];
        uint32_t excess = 0;
        for (unsigned index = 0; index < s->substreams; index++) {
            unsigned older = 0;
            for (size_t k = 0; k < i; k++)
                older += c->neighbours[k]->streams[s->track].child_granted >> index & 1;
            if (saves && ns->child_granted >> index & 1 && older >= SOURCE_COPIES)
                excess |= 1u << index;
        }
        if (excess == ns->child_excess) continue;
        ns->child_excess = excess;
        ns->child_changed = c->grants_changed = true;
    }
}

/* The uplink has been short for a while: one substream less for the youngest child that has some.
 */
void admission_shed(struct channel *c) {
    for (size_t i = c->neighbours_len; i-- > 0;) {
        for (size_t t = 0; t < c->streams_len; t++) {
            struct neighbour_stream *ns = &c->neighbours[i]->streams[t];
            if (c->streams[t].kind != TRACK_VIDEO || ns->child_granted == 0) continue;
            ns->child_granted &= ns->child_granted - 1;
            serve_index(&c->streams[t], c->neighbours[i]);
            ns->child_changed = c->grants_changed = true;
            return;
        }
    }
}
