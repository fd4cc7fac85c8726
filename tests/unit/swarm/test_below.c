/* How many hang on whom, and what that decides: whom it would cost most to move stays. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/below.h"
#include "tests/unit/swarm/serving.h"

#define MANY 6 /* 32 or more */
#define NEAR_LAGS 10
#define FAR_LAGS 60 /* by less than a full peer is worse */

TestSuite(below, .init = serving_start, .fini = serving_end);

static struct channel *channel(void) { return parent->node->channels[0]; }
static struct stream *stream(void) { return &channel()->streams[0]; }
static unsigned count(uint32_t substreams) { return (unsigned)__builtin_popcount(substreams); }

/* The same of every substream. */
static uint64_t of_all(unsigned code) { return code * 0x1111111111111111ull; }

/* It gives nothing, could give `spare_bps`, and so many have each substream through it. */
static void say(struct hostile_peer *p, uint64_t spare_bps, uint8_t lags, uint64_t below) {
    struct offer m = {.broadcast = 7,
                      .spare = (uint16_t)(spare_bps / OFFER_UNIT_BPS),
                      .bar = UINT16_MAX,
                      .tracks_len = 1,
                      .tracks = {{.track = 0, .lags_len = 17, .below = below}}};
    memset(m.tracks[0].lags, lags, 17);
    cr_assert(hostile_send_offer(p, &m));
    stage_run(&stage, 2 * DELAY_US);
}

static uint32_t granted(const struct hostile_peer *p) { return serving_child_at(p)->child_granted; }

Test(below, counts_children_and_whoever_is_below_them) {
    serving_relay(100000000);
    struct hostile_peer *leaf = serving_child(), *other = serving_child();
    cr_assert_eq(below_ours(channel(), stream(), 0), 0);
    (void)serving_subscribe(leaf, 3, 0);
    cr_assert_eq(below_ours(channel(), stream(), 0), 1, "one");
    (void)serving_subscribe(other, 1, 0);
    cr_assert_eq(below_ours(channel(), stream(), 0), 2, "two or three");
    say(other, 0, NEAR_LAGS, of_all(4));
    cr_assert_eq(below_ours(channel(), stream(), 0), 4, "fourteen: two, and twelve");
    cr_assert_eq(below_ours(channel(), stream(), 1), 1, "the other has no part of this one");
    say(other, 0, NEAR_LAGS, of_all(15));
    cr_assert_eq(below_ours(channel(), stream(), 0), 15, "and not more, whatever is said");
}

Test(below, tells_its_neighbours) {
    serving_relay(100000000);
    struct hostile_peer *child = serving_child();
    (void)serving_subscribe(child, 0x8001, 0);
    stage_run(&stage, 1500 * US_PER_MS);
    struct offer m;
    cr_assert(hostile_last_offer(child, &m));
    cr_assert_eq(m.tracks[0].below, 0x1000000000000001);
}

/* As long as its place is the only one, nobody else gets it. */
Test(below, yields_to_one_on_which_many_hang) {
    serving_relay(COPY_BPS * 21 / 20);
    struct hostile_peer *leaf = serving_child(), *orphan = serving_child();
    cr_assert_eq(serving_subscribe(leaf, ALL, SUBSCRIBE_STARVED), ALL);
    say(leaf, 0, NEAR_LAGS, 0);
    say(orphan, 0, NEAR_LAGS, of_all(2));
    cr_assert_eq(serving_subscribe(orphan, 1, SUBSCRIBE_STARVED), 0, "not to two or three");
    say(orphan, 0, NEAR_LAGS, of_all(MANY));
    cr_assert_eq(serving_subscribe(orphan, 1, SUBSCRIBE_STARVED), 1);
    cr_assert_eq(count(granted(leaf)), 15);
    cr_assert_eq(granted(leaf) & 1, 1, "of others than what is asked for");
}

Test(below, takes_no_place_of_many_for_many) {
    serving_relay(COPY_BPS * 21 / 20);
    struct hostile_peer *first = serving_child(), *orphan = serving_child();
    cr_assert_eq(serving_subscribe(first, ALL, SUBSCRIBE_STARVED), ALL);
    say(first, 0, NEAR_LAGS, of_all(MANY - 1));
    say(orphan, 0, NEAR_LAGS, of_all(MANY));
    cr_assert_eq(serving_subscribe(orphan, 1, SUBSCRIBE_STARVED), 0);
}

/* Of a source's child that has its part, that one worth three times as much may take. */
static uint32_t taken_of(uint64_t upload_bps, uint64_t below) {
    serving_source(upload_bps);
    for (unsigned i = 0; i < 5; i++) serving_child();
    stage_run(&stage, 6 * US_PER_S); /* a place changes hands every five */
    cr_assert_eq(serving_subscribe(children[0], 0xf, 0), 0xf);
    say(children[0], 4000000, NEAR_LAGS, below);
    say(children[1], 12000000, NEAR_LAGS, 0);
    return serving_subscribe(children[1], 0xf, 0);
}

Test(below, takes_places_at_a_source_of_one_on_which_nobody_hangs) {
    cr_assert_neq(taken_of(ONE_COPY_BPS, 0), 0);
}

Test(below, takes_no_place_at_a_source_of_one_on_which_many_hang) {
    cr_assert_eq(taken_of(ONE_COPY_BPS, of_all(MANY)), 0);
}

/* It has nothing else to give, and all depend on whom it gives that to. */
Test(below, takes_a_place_at_a_thin_source_whoever_hangs_on_it) {
    cr_assert_neq(taken_of(COPY_BPS * 6 / 5, of_all(MANY)), 0);
}

Test(below, takes_one_at_a_source_for_who_is_worth_four_times_as_much) {
    cr_assert_eq(taken_of(ONE_COPY_BPS, of_all(MANY)), 0);
    say(children[2], 40000000, NEAR_LAGS, 0);
    cr_assert_neq(serving_subscribe(children[2], 0xf, 0), 0);
}

/* Of a source's child that has everything, and another the first four substreams as well; many hang
 * on both. */
static uint32_t taken_of_overfull(void) {
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    say(children[0], 4000000, NEAR_LAGS, of_all(MANY));
    cr_assert_eq(serving_subscribe(children[2], 0xf, SUBSCRIBE_STARVED), 0xf);
    say(children[2], 4000000, NEAR_LAGS, of_all(MANY));
    say(children[1], 4000000, NEAR_LAGS, 0);
    return serving_subscribe(children[1], ALL, 0);
}

/* Its death would cost all of them more than moving does. */
Test(below, spreads_at_a_source_what_one_has_beyond_its_part_though_many_hang_on_it) {
    serving_source(ONE_COPY_BPS);
    uint32_t taken = taken_of_overfull();
    cr_assert_eq(count(taken), 4, "%x: its part of sixteen for five", taken);
    cr_assert_eq(serving_child_at(children[0])->child_excess, taken);
    cr_assert_eq(granted(children[0]), ALL, "the heir has it before it moves");
}

Test(below, spreads_nothing_on_which_many_hang_where_both_would_hardly_have_room) {
    serving_source(COPY_BPS * 155 / 100);
    cr_assert_eq(taken_of_overfull(), 0);
}

Test(below, spreads_nothing_on_which_many_hang_by_a_guess_of_the_uplink) {
    serving_source(ONE_COPY_BPS);
    parent->node->uplink.capacity.most_bps = UINT64_MAX;
    parent->node->uplink.probe.trains = UINT8_MAX; /* none is sent */
    cr_assert_eq(taken_of_overfull(), 0);
}

/* Of 10 ms: few of them feel the loss of a substream. */
Test(below, spreads_nothing_on_which_many_hang_where_chunks_have_few_cells) {
    serving_source(ONE_COPY_BPS);
    stream()->period_us = 10 * US_PER_MS;
    cr_assert_eq(taken_of_overfull(), 0);
}

/* Among sixteen a part is one substream. */
Test(below, leaves_two_at_a_source_to_one_on_which_many_hang) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 16; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], 3, 0), 3);
    say(children[0], 4000000, NEAR_LAGS, of_all(MANY));
    say(children[1], 4000000, NEAR_LAGS, 0);
    cr_assert_eq(serving_subscribe(children[1], 3, 0), 0);
    cr_assert_eq(serving_subscribe(children[0], 7, 0), 7);
    cr_assert_eq(count(serving_subscribe(children[1], 7, 0)), 1);
}

/* Whether a source asks the first of two with the same substreams to leave. */
static void two_roots(unsigned first, unsigned second) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    say(children[0], 0, NEAR_LAGS, of_all(first));
    say(children[1], 0, NEAR_LAGS, of_all(second));
    cr_assert_eq(serving_subscribe(children[1], ALL, SUBSCRIBE_STARVED), ALL);
    stage_run(&stage, 300 * US_PER_MS);
}

Test(below, asks_the_child_on_which_fewest_hang_to_leave) {
    two_roots(MANY, MANY - 3);
    cr_assert_eq(serving_child_at(children[0])->child_excess, 0);
    cr_assert_neq(serving_child_at(children[1])->child_excess, 0);
}

Test(below, asks_none_of_two_to_leave_on_which_as_many_hang) {
    two_roots(MANY, MANY - 1);
    cr_assert_eq(serving_child_at(children[0])->child_excess, 0);
    cr_assert_eq(serving_child_at(children[1])->child_excess, 0);
}

/* Its heir has come, and it has found no other parent: the uplink carries 16 and not 17. */
Test(below, ends_what_matters_less_where_many_found_no_other_parent) {
    serving_relay(COPY_BPS * 104 / 100);
    struct hostile_peer *root = serving_child(), *leaf = serving_child(), *fat = serving_child();
    say(root, 0, NEAR_LAGS, of_all(MANY));
    say(leaf, 0, NEAR_LAGS, 0);
    cr_assert_eq(serving_subscribe(root, 1, SUBSCRIBE_STARVED), 1);
    cr_assert_eq(serving_subscribe(leaf, ALL & ~1u, SUBSCRIBE_STARVED), ALL & ~1u);
    say(fat, 20000000, NEAR_LAGS, 0);
    cr_assert_eq(serving_subscribe(fat, 1, 0), 1);
    cr_assert_eq(serving_child_at(root)->child_excess, 1);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(granted(root), 1);
    cr_assert_eq(count(granted(leaf)), 14);
}

static bool has_from(unsigned substream, const struct hostile_peer *p) {
    const struct neighbour *nb = stream()->supplies[substream].parent;
    return nb == channel_neighbour(channel(), &p->identity.public);
}

/* The parent of all ends the first substream: whether somebody full and near is asked for it. */
static bool asks_the_full(uint64_t below) {
    struct hostile_peer *above = serving_relay(100000000), *near = serving_child(),
                        *far = serving_child(), *child = serving_child();
    near->react = far->react = hostile_grants_all;
    say(near, 0, NEAR_LAGS, 0);
    say(far, 3000000, FAR_LAGS, 0);
    (void)serving_subscribe(child, 1, 0);
    say(child, 0, FAR_LAGS, below);
    struct grant m = {.generation = serving_child_at(above)->generation,
                      .revision = ++above->revision,
                      .flags = SUBSCRIBE_HEADS,
                      .substreams = ALL & ~1u};
    cr_assert(hostile_send_grant(above, &m));
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_neq(has_from(0, near), has_from(0, far));
    return has_from(0, near);
}

Test(below, asks_whoever_has_room_while_few_hang_on_it) { cr_assert_not(asks_the_full(of_all(1))); }

Test(below, asks_whoever_stands_near_the_source_while_many_hang_on_it) {
    cr_assert(asks_the_full(of_all(MANY)));
}
