/* Whom a substream is taken from. Nothing flows here: parents are chosen by what they say. */
#include <criterion/criterion.h>

#include "tests/unit/swarm/serving.h"

#define LATE_LAGS (600 * US_PER_MS / LAG_UNIT_US)

TestSuite(supply, .init = serving_start, .fini = serving_end);

static struct stream *stream(void) { return &parent->node->channels[0]->streams[0]; }

/* Has all of it, so late, and could give `spare_bps`. */
static void offer(struct hostile_peer *p, uint64_t spare_bps) {
    struct offer m = {.broadcast = 7,
                      .spare = (uint16_t)(spare_bps / OFFER_UNIT_BPS),
                      .bar = UINT16_MAX,
                      .tracks_len = 1,
                      .tracks = {{.track = 0, .lags_len = 17}}};
    for (unsigned i = 0; i < 17; i++) m.tracks[0].lags[i] = LATE_LAGS;
    cr_assert(hostile_send_offer(p, &m));
    stage_run(&stage, 2 * DELAY_US);
}

static struct hostile_peer *other_parent(uint64_t spare_bps) {
    struct hostile_peer *p = serving_child();
    p->react = hostile_grants_all;
    offer(p, spare_bps);
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

static uint32_t id4_of(const struct hostile_peer *p) { return load_u32(p->identity.public.bytes); }

/* The parent of all passes on as much as it says, and has all from one of two neighbours: how many
 * substreams that one is asked for within two seconds, and how many the other. */
static unsigned overtakes(uint64_t parent_bps, bool names_neighbour, unsigned *ret_other) {
    struct hostile_peer *above = serving_relay(100000000), *top = other_parent(3000000),
                        *other = other_parent(3000000);
    stream()->has_verified_start = true;
    offer(above, parent_bps);
    struct grant m = {.generation = serving_child_at(above)->generation,
                      .revision = ++above->revision,
                      .flags = SUBSCRIBE_HEADS,
                      .substreams = ALL,
                      .spare = (uint16_t)(parent_bps / OFFER_UNIT_BPS),
                      .ancestry_len = 1,
                      .ancestry = {{.substreams = ALL, .ids_len = 2}}};
    m.ancestry[0].ids[0] = id4_of(above);
    m.ancestry[0].ids[1] = names_neighbour ? id4_of(top) : 1;
    cr_assert(hostile_send_grant(above, &m));
    stage_run(&stage, 2 * US_PER_S);
    unsigned by_top = 0;
    *ret_other = 0;
    for (unsigned i = 0; i < 16; i++) {
        by_top += has_from(i, top);
        *ret_other += has_from(i, other);
    }
    return by_top;
}

/* It comes in time from there, and there is no other reason to move. */
Test(supply, overtakes_a_parent_that_is_thin_beside_it_one_substream_after_the_other) {
    unsigned by_other, by_top = overtakes(1000000, true, &by_other);
    cr_assert_gt(by_top, 0);
    cr_assert_lt(by_top, 8);
    cr_assert_eq(by_other, 0);
}

Test(supply, stays_with_a_parent_that_passes_on_about_as_much) {
    unsigned by_other;
    cr_assert_eq(overtakes(40000000, true, &by_other), 0);
    cr_assert_eq(by_other, 0);
}

Test(supply, stays_with_a_thin_parent_where_the_one_above_it_is_no_neighbour) {
    unsigned by_other;
    cr_assert_eq(overtakes(1000000, false, &by_other), 0);
    cr_assert_eq(by_other, 0);
}
