/* Whom a substream is taken from. Nothing flows here: parents are chosen by what they say. */
#include <criterion/criterion.h>

#include "tests/unit/swarm/serving.h"

#define LATE_LAGS (600 * US_PER_MS / LAG_UNIT_US)

TestSuite(supply, .init = serving_start, .fini = serving_end);

static struct stream *stream(void) { return &parent->node->channels[0]->streams[0]; }

/* Has all of it, so late, and could give `spare_bps`. */
static struct hostile_peer *other_parent(uint64_t spare_bps) {
    struct hostile_peer *p = serving_child();
    p->react = hostile_grants_all;
    struct offer m = {.broadcast = 7,
                      .spare = (uint16_t)(spare_bps / OFFER_UNIT_BPS),
                      .bar = UINT16_MAX,
                      .tracks_len = 1,
                      .tracks = {{.track = 0, .lags_len = 17}}};
    for (unsigned i = 0; i < 17; i++) m.tracks[0].lags[i] = LATE_LAGS;
    cr_assert(hostile_send_offer(p, &m));
    stage_run(&stage, 2 * DELAY_US);
    return p;
}

/* The parent of all would rather lose these substreams. */
static void ask_to_leave(struct hostile_peer *above, uint32_t substreams) {
    struct grant m = {.generation = serving_child_at(above)->generation,
                      .revision = ++above->revision,
                      .flags = SUBSCRIBE_HEADS,
                      .substreams = ALL,
                      .excess = substreams};
    cr_assert(hostile_send_grant(above, &m));
    stage_run(&stage, 200 * US_PER_MS);
}

static bool has_from(unsigned substream, const struct hostile_peer *p) {
    const struct neighbour *nb = stream()->supplies[substream].parent;
    return nb == channel_neighbour(parent->node->channels[0], &p->identity.public);
}

/* In a large swarm everybody who has room is far from the source. */
Test(supply, moves_what_a_parent_would_rather_lose_to_who_has_room_however_late) {
    struct hostile_peer *above = serving_relay(COPY_BPS), *other = other_parent(3000000);
    stream()->has_verified_start = true;
    ask_to_leave(above, 1);
    cr_assert(has_from(0, other));
    cr_assert(has_from(1, above), "nobody asked for more");
}

Test(supply, stays_with_a_parent_that_would_rather_lose_it_where_nobody_has_room) {
    struct hostile_peer *above = serving_relay(COPY_BPS), *other = other_parent(0);
    stream()->has_verified_start = true;
    ask_to_leave(above, 1);
    cr_assert_not(has_from(0, other));
    cr_assert(has_from(0, above));
}
