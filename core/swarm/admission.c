/* admission.c - which children the uplink can carry.
 *
 * A child is admitted while the uplink carries it; the source gives one copy of each substream
 * freely. Where there is no room, others may have to go: admission_excess.c. */
#include "core/swarm/admission_internal.h"
#include "core/swarm/engine.h"

#define SOURCE_HEADS 4             /* children with heads from the source: 2 % of the rate each; */
#define SOURCE_HEADS_CARRIERS 12   /* for who is given substreams too, and passes on much */
#define THIN_PERCENT 150           /* of the stream: an uplink with no room for more than it */
#define HEADS_ANYWAY 8             /* children that have nobody else get them without room, */
#define HEADS_SHARE_PERCENT 8      /* in so much of the uplink, or one */
#define FANOUT_PERCENT 250         /* of the children that each substream could have at once: */
#define FANOUT_LEAST 4             /* so many have the same one from us at most */
#define CELL_COST_PERCENT 108      /* of a substream's media: headers, and cells that are lost */
#define HEADS_COST_PERCENT 3       /* of the stream */
#define ADMIT_PERCENT 90           /* of the uplink, to those who have the substream from another */
#define QUIET_US (150 * US_PER_MS) /* without anything of a substream, */
#define QUIET_CHUNKS 3             /* and for so many chunks, */
#define FLOWS_US (100 * US_PER_MS) /* while other media comes */
#define REFUSED_US (3 * US_PER_S)  /* a child that found nobody asks again sooner */
#define GUESS_STRETCH 2            /* times what an uplink is guessed to carry, to the starved */
#define GONE_US (250 * US_PER_MS)  /* acknowledgements come more often while cells flow */

uint64_t admission_worth_bps(const struct neighbour *nb) { return nb->carried_bps + nb->spare_bps; }

bool admission_is_carrier(const struct neighbour *nb) {
    const struct channel *c = nb->channel;
    uint64_t substream_bps = 0;
    for (size_t t = 0; t < c->streams_len; t++)
        substream_bps = u64_max(substream_bps, c->streams[t].substream_bps);
    return substream_bps > 0 && admission_worth_bps(nb) >= WORTH_LEAST * substream_bps;
}

/* Whoever is sent cells acknowledges them. One that has vanished passes nothing on. */
bool admission_is_there(const struct neighbour *nb) {
    return neighbour_acknowledges(nb, GONE_US, nb->channel->node->now_us);
}

unsigned admission_copies(const struct channel *c, uint8_t track, unsigned index) {
    unsigned copies = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour_stream *ns = &c->neighbours[i]->streams[track];
        if (!admission_is_there(c->neighbours[i])) continue;
        copies += index == SUPPLY_HEADS ? ns->child_heads
                                        : (ns->child_granted & ~ns->child_excess) >> index & 1;
    }
    return copies;
}

unsigned admission_holders(const struct channel *c, uint8_t track, unsigned index) {
    unsigned holders = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour_stream *ns = &c->neighbours[i]->streams[track];
        if (!admission_is_there(c->neighbours[i])) continue;
        holders += index == SUPPLY_HEADS ? ns->child_heads : ns->child_granted >> index & 1;
    }
    return holders;
}

uint64_t admission_cost_bps(const struct stream *s, unsigned index) {
    if (index == SUPPLY_HEADS)
        return (uint64_t)s->substream_bps * s->substreams * HEADS_COST_PERCENT / 100;
    return (uint64_t)s->substream_bps * CELL_COST_PERCENT / 100;
}

/* Of one that has vanished nothing: what it had is somebody else's by now. */
static uint64_t taken_by(const struct channel *c, const struct neighbour *nb) {
    uint64_t bps = 0;
    if (!admission_is_there(nb)) return 0;
    for (size_t t = 0; t < c->streams_len; t++)
        bps += (uint64_t)c->streams[t].substream_bps * CELL_COST_PERCENT / 100 *
               (unsigned)__builtin_popcount(nb->streams[t].child_granted);
    return bps;
}

uint64_t admission_granted_bps(const struct node *n) {
    uint64_t bps = 0;
    for (size_t i = 0; i < n->channels_len; i++) {
        struct channel *c = n->channels[i];
        if (!c->tally.is_granted_known) c->tally.granted_bps = 0;
        for (size_t k = 0; !c->tally.is_granted_known && k < c->neighbours_len; k++)
            c->tally.granted_bps += taken_by(c, c->neighbours[k]);
        c->tally.is_granted_known = true;
        bps += c->tally.granted_bps;
    }
    return bps;
}

uint64_t admission_carried_bps(const struct node *n) {
    return admission_granted_bps(n) / CELL_COST_PERCENT * 100;
}

bool admission_spreads_wide(const struct channel *c, const struct stream *s) {
    uint64_t chunk_bits = (uint64_t)s->substream_bps * s->substreams * s->period_us / US_PER_S;
    bool has_cells = chunk_bits * 2 >= (uint64_t)s->substreams * CELL_SIZE * 8;
    uint64_t room_bps = uplink_capacity_bps(c->node) / 100 * WIDE_PERCENT;
    return has_cells && capacity_is_known(&c->node->uplink.capacity) && !admission_is_thin(c, s) &&
           admission_spare_bps(c->node) >= room_bps;
}

unsigned admission_part(const struct channel *c, const struct stream *s) {
    unsigned part = (s->substreams + (unsigned)c->neighbours_len - 1) / (unsigned)c->neighbours_len;
    return part > PARTS_LEAST || admission_spreads_wide(c, s) ? part : PARTS_LEAST;
}

unsigned admission_part_most(const struct channel *c, const struct stream *s) {
    return admission_part(c, s) * (admission_spreads_wide(c, s) ? 1 : PARTS_MOST);
}

unsigned admission_has(const struct neighbour *nb, const struct stream *s) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    return (unsigned)__builtin_popcount(ns->child_granted & ~ns->child_excess);
}

/* What suffices to take from a thin source's child that has more than its parts
 * (admission_spreads): all that goes to one child goes at the pace of one path, and is lost with
 * it. The first to come is given everything, and nobody would ask who is not worth twice as much.
 */
static uint64_t bar_of_overfull_bps(const struct channel *c, const struct stream *s) {
    uint64_t least_bps = UINT64_MAX;
    if (!admission_saves(c) || !admission_is_thin(c, s)) return least_bps;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        if (admission_has(nb, s) <= admission_part_most(c, s)) continue;
        least_bps = u64_min(least_bps, admission_worth_bps(nb) / WORTH_RATIO);
    }
    return least_bps;
}

uint64_t admission_bar_bps(const struct channel *c) {
    uint64_t least_bps = UINT64_MAX / 2, substream_bps = 0;
    for (size_t t = 0; t < c->streams_len; t++)
        for (size_t i = 0; i < c->neighbours_len; i++) {
            const struct neighbour *nb = c->neighbours[i];
            const struct neighbour_stream *ns = &nb->streams[t];
            if ((ns->child_granted & ~ns->child_excess) == 0) continue;
            least_bps = u64_min(least_bps, admission_worth_bps(nb));
            substream_bps = u64_max(substream_bps, c->streams[t].substream_bps);
        }
    uint64_t bar_bps = WORTH_RATIO * least_bps;
    for (size_t t = 0; t < c->streams_len; t++)
        bar_bps = u64_min(bar_bps, bar_of_overfull_bps(c, &c->streams[t]));
    return u64_max(bar_bps, WORTH_LEAST * substream_bps);
}

uint64_t admission_spare_bps(const struct node *n) {
    if (n->uplink.rate_bps == 0) return 0;
    uint64_t taken = admission_granted_bps(n) + n->uplink.control_bps;
    return u64_sub(uplink_capacity_bps(n) / 100 * ADMIT_STARVED_PERCENT, taken);
}

uint64_t admission_spare_of_bps(const struct neighbour *nb, bool starved) {
    if (starved) return nb->spare_bps;
    uint64_t uplink_bps = nb->carried_bps / 100 * CELL_COST_PERCENT + nb->spare_bps;
    return u64_sub(nb->spare_bps, uplink_bps / 100 * (ADMIT_STARVED_PERCENT - ADMIT_PERCENT));
}

/* What the source keeps for substreams that nobody has from it yet: nobody else has them either. */
static uint64_t reserved_bps(const struct channel *c, const struct stream *s, unsigned except) {
    uint64_t bps = 0;
    for (unsigned index = 0; c->is_source && index < s->substreams; index++)
        if (index != except && admission_copies(c, s->track, index) == 0)
            bps += admission_cost_bps(s, index);
    return bps;
}

/* What it carries at most. A guess is no reason to let anybody starve: the queue will tell. */
uint64_t admission_most_bps(const struct node *n, unsigned percent) {
    uint64_t bps = uplink_capacity_bps(n) / 100 * percent;
    return capacity_is_known(&n->uplink.capacity) ? bps : GUESS_STRETCH * bps;
}

static bool uplink_admits(const struct channel *c, const struct stream *s, unsigned index,
                          bool starved) {
    const struct node *n = c->node;
    if (n->uplink.rate_bps == 0) return false;
    uint64_t capacity = uplink_capacity_bps(n) / 100 * ADMIT_PERCENT;
    if (starved)
        capacity = admission_most_bps(n, ADMIT_STARVED_PERCENT);
    else if (index == SUPPLY_HEADS) /* small, and rather here than at a thin uplink */
        capacity = uplink_capacity_bps(n) / 100 * ADMIT_STARVED_PERCENT;
    uint64_t taken = admission_granted_bps(n) + n->uplink.control_bps + reserved_bps(c, s, index);
    return taken + admission_cost_bps(s, index) <= capacity;
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

bool admission_saves(const struct channel *c) { return c->is_source && c->neighbours_len >= CROWD; }

unsigned admission_source_copies(const struct channel *c, const struct stream *s) {
    uint64_t rate_bps = (uint64_t)s->substream_bps * s->substreams;
    if (!capacity_is_known(&c->node->uplink.capacity) || rate_bps == 0) return SOURCE_COPIES;
    uint64_t copies = uplink_capacity_bps(c->node) / 100 * COPY_PERCENT / rate_bps;
    copies = u64_min(copies, c->neighbours_len / COPY_NEIGHBOURS);
    return (unsigned)u64_max(SOURCE_COPIES, u64_min(copies, SOURCE_COPIES_MOST));
}

bool admission_is_thin(const struct channel *c, const struct stream *s) {
    uint64_t rate_bps = (uint64_t)s->substream_bps * s->substreams;
    return capacity_is_known(&c->node->uplink.capacity) &&
           uplink_capacity_bps(c->node) / THIN_PERCENT * 100 < rate_bps;
}

/* The source has given all copies of it that it gives freely, or, where all that hung on one who
 * died ask at once, to the starved: the others go to those that have got it (fill_holders). */
static bool is_given(const struct channel *c, const struct stream *s, const struct neighbour *child,
                     unsigned index, bool starved) {
    if (!admission_saves(c)) return false;
    unsigned copies = admission_copies(c, s->track, index);
    if (index != SUPPLY_HEADS)
        return copies >= admission_source_copies(c, s) + (starved ? SOURCE_COPIES_STARVED : 0);
    if (admission_is_thin(c, s)) return copies >= SOURCE_HEADS_THIN;
    /* Without its head no cell is passed on: what hangs on one that has it from elsewhere is as
     * late as that. */
    bool is_root = child->streams[s->track].child_granted != 0 && admission_is_carrier(child);
    return !starved && copies >= (is_root ? SOURCE_HEADS_CARRIERS : SOURCE_HEADS);
}

/* How long nothing of it may come. */
static uint64_t quiet_us(const struct stream *s) {
    return u64_max(QUIET_US, QUIET_CHUNKS * s->period_us);
}

bool admission_has_supply(const struct channel *c, const struct stream *s, unsigned index) {
    const struct supply *supply = &s->supplies[index];
    uint64_t now_us = c->node->now_us;
    if (c->is_source || s->has_end) return true;
    if (!supply->is_granted) return false;
    /* Nothing of it has come since the source was last silent. */
    if (c->rest.seen_us != 0 && s->came_us[index] <= c->rest.seen_us) return false;
    /* It has dried up: whoever took it from us would wait where others could give it. */
    bool flows = now_us - c->media_us < FLOWS_US;
    if (!flows || now_us - s->came_us[index] < quiet_us(s)) return true;
    return index != SUPPLY_HEADS && !(s->overdue >> index & 1);
}

/* It was refused just now, and has found nobody else. */
static bool is_back(const struct channel *c, const struct stream *s, const struct neighbour *child,
                    unsigned index) {
    const struct neighbour_stream *ns = &child->streams[s->track];
    return index != SUPPLY_HEADS && ns->child_refused >> index & 1 &&
           since_us(ns->child_refused_ms, c->node->now_us) < REFUSED_US;
}

/* All that hang on one of us for the same substream would ask for it at the same moment, and nobody
 * would have it; who loses different ones finds them all around. */
static bool has_fanout(const struct channel *c, const struct stream *s, unsigned index) {
    if (c->is_source || index == SUPPLY_HEADS) return true;
    uint64_t rate_bps = u64_max(admission_cost_bps(s, index) * s->substreams, 1);
    uint64_t most = uplink_capacity_bps(c->node) / 100 * FANOUT_PERCENT / rate_bps;
    return admission_holders(c, s->track, index) < u64_max(most, FANOUT_LEAST);
}

static bool may_give_heads(const struct channel *c, const struct stream *s) {
    uint64_t cost_bps = u64_max(admission_cost_bps(s, SUPPLY_HEADS), 1);
    uint64_t most = uplink_capacity_bps(c->node) / 100 * HEADS_SHARE_PERCENT / cost_bps;
    most = u64_max(u64_min(most, HEADS_ANYWAY), 1);
    return admission_holders(c, s->track, SUPPLY_HEADS) < most;
}

bool admission_grants(const struct channel *c, const struct stream *s,
                      const struct neighbour *child, unsigned index, bool starved) {
    if (!admission_has_supply(c, s, index)) return false;
    if (admission_makes_loop(c, s, child, index)) return false;
    if (is_given(c, s, child, index, starved) && !(starved && is_back(c, s, child, index)))
        return false;
    /* Nobody has it if not from the source: something else makes room (admission_mark_excess). */
    if (c->is_source && c->node->uplink.rate_bps > 0 && admission_holders(c, s->track, index) == 0)
        return true;
    /* Without heads nothing can be verified, so a newcomer would do nothing but ask around. A
     * source that is thin has no room to be kind: all hang on it. */
    bool is_due = index == SUPPLY_HEADS && starved && !c->is_source &&
                  c->node->uplink.rate_bps > 0 && may_give_heads(c, s);
    return is_due || (uplink_admits(c, s, index, starved) && has_fanout(c, s, index));
}

uint64_t admission_refused_bps(const struct node *n, uint64_t now_us) {
    uint64_t bps = 0;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        for (size_t k = 0; k < c->neighbours_len; k++)
            for (size_t t = 0; t < c->streams_len; t++) {
                const struct neighbour_stream *ns = &c->neighbours[k]->streams[t];
                if (ns->child_refused == 0 || since_us(ns->child_refused_ms, now_us) > REFUSED_US)
                    continue;
                uint32_t still = ns->child_refused & ~ns->child_granted;
                bps += (uint64_t)c->streams[t].substream_bps * (unsigned)__builtin_popcount(still);
            }
    }
    return bps / 100 * CELL_COST_PERCENT;
}
