/* first.c - the first picture, fetched from many neighbours at once.
 *
 * One parent would send it beside what is live, and all others in parts of their substreams as soon
 * as they have agreed to that: a round trip, or several where some refuse. Until then whoever has
 * room is asked for a few cells each, before the head is here to say how many there are. */
#include "core/base/err.h"
#include "core/swarm/engine.h"
#include "core/swarm/repair.h"

#define HOLDERS 8      /* asked at once, */
#define HOLDER_CELLS 8 /* each for so many; */
#define HEADS 2        /* so many of them for the head */
#define OWED_US                                                                                    \
    (80 * US_PER_MS) /* beyond a round trip, for a parent or a neighbour that was asked */
#define EASY_US (250 * US_PER_MS) /* in which those are left alone that have no room, */
#define ROOM_BPS 300000           /* such as this */

/* What nobody is about to send. */
static uint64_t missing(const struct stream *s, const struct slot *slot, uint64_t now_us) {
    uint64_t cells = slot->chunk == NULL ? UINT64_MAX : slot->missing;
    if (now_us < slot->request_until_us) cells &= ~slot->requested;
    for (uint64_t left = cells; left; left &= left - 1) {
        uint32_t index = (uint32_t)__builtin_ctzll(left);
        const struct supply *supply = &s->supplies[stream_substream(s, slot->number, index)];
        bool is_owed = supply->is_granted && slot->number >= supply->owes_from;
        if (supply->parent == NULL || !is_owed) continue;
        uint64_t since_us = u64_max(supply->asked_us, s->start_us);
        if (now_us - since_us < OWED_US + neighbour_rtt_us(supply->parent))
            cells &= ~(1ull << index);
    }
    return cells;
}

/* It has room; and has not been asked just now. The source's uplink is everyone's. */
static bool is_free(struct neighbour *nb, const struct stream *s, const struct slot *slot,
                    uint64_t now_us) {
    const struct asked_cells *a = neighbour_asked(nb, s->track, slot->number);
    bool is_full = nb->has_offer && nb->spare_bps < ROOM_BPS;
    if (nb->role == ROLE_SOURCE || (is_full && now_us - s->start_us < EASY_US)) return false;
    return a == NULL || now_us - a->asked_us >= OWED_US + 2 * neighbour_rtt_us(nb);
}

/* Who has said nothing yet of what it holds is asked as well: to have nothing costs it a GAP. */
static unsigned find_holders(const struct channel *c, const struct stream *s,
                             const struct slot *slot, struct neighbour *ret[HOLDERS],
                             uint64_t now_us) {
    unsigned n = 0;
    size_t first = (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; n < HOLDERS && i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[(first + i) % c->neighbours_len];
        bool may_hold = !nb->streams[s->track].has_held || repair_holds(nb, s, slot, now_us);
        if (repair_can_ask(nb, now_us) && may_hold && is_free(nb, s, slot, now_us)) ret[n++] = nb;
    }
    return n;
}

/* Of `cells` the share of one of n: every nth, and no more than HOLDER_CELLS. */
static uint64_t share_of(uint64_t cells, unsigned n, unsigned one) {
    uint64_t share = 0;
    for (unsigned at = 0; cells && at < n * HOLDER_CELLS; cells &= cells - 1, at++)
        if (at % n == one) share |= cells & -cells;
    return share;
}

static void fetch(struct channel *c, struct stream *s, uint64_t now_us) {
    if (!s->has_play || s->has_verified_start || c->neighbours_len == 0) return;
    if (!s->window.has_newest || s->play_next > s->window.newest) return; /* it is yet to come */
    struct slot *slot = window_slot(&s->window, s->play_next, now_us);
    uint64_t cells = slot == NULL ? 0 : missing(s, slot, now_us);
    if (cells == 0) return;
    struct neighbour *holders[HOLDERS];
    unsigned n = find_holders(c, s, slot, holders, now_us);
    for (unsigned i = 0; i < n; i++) {
        uint64_t share = share_of(cells, n, i);
        bool head = slot->chunk == NULL && i < HEADS;
        if (share) (void)repair_request(c, s, holders[i], slot, share, head, now_us);
    }
}

void first_tick(struct channel *c, uint64_t now_us) {
    for (size_t t = 0; t < c->streams_len && !c->is_source; t++)
        if (c->streams[t].kind == TRACK_VIDEO) fetch(c, &c->streams[t], now_us);
}
