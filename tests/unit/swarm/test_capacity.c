/* What an uplink is taken to carry: declared, guessed or measured. */
#include "core/swarm/capacity.h"

#include <criterion/criterion.h>

#define PATHS 8

static struct capacity capacity;
static uint64_t now_us;

static void start(void) { now_us = 0; }

TestSuite(capacity, .init = start);

/* Sends at this rate while a queue of this length stands in front of every path. */
static void run(uint64_t bps, uint64_t queue_us, uint64_t for_us) {
    for (uint64_t end_us = now_us + for_us; now_us < end_us;) {
        now_us += UPLINK_STEP_US;
        cr_assert(capacity_is_due(&capacity, now_us));
        capacity_sent(&capacity, (size_t)(bps / 8 * UPLINK_STEP_US / US_PER_S));
        for (unsigned i = 0; i < PATHS; i++) capacity_queue(&capacity, queue_us);
        capacity_step(&capacity, now_us);
    }
}

Test(capacity, is_never_above_what_was_declared) {
    capacity_init(&capacity, 3000000, now_us);
    cr_assert(capacity_is_known(&capacity));
    cr_assert_eq(capacity_bps(&capacity), 3000000);
    capacity_hope(&capacity, 50000000);
    run(30000000, 0, 5 * US_PER_S);
    cr_assert_eq(capacity_bps(&capacity), 3000000);
    cr_assert_eq(capacity_allowed_bps(&capacity), 3000000);
}

Test(capacity, is_a_guess_that_grows_with_what_went_out) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    cr_assert_not(capacity_is_known(&capacity));
    cr_assert_eq(capacity_bps(&capacity), CAPACITY_FIRST_BPS);
    run(4000000, 0, US_PER_S);
    cr_assert_geq(capacity_bps(&capacity), 6000000);
    cr_assert_leq(capacity_bps(&capacity), 6400000);
    run(1000000, 0, 10 * US_PER_S);
    cr_assert_geq(capacity_bps(&capacity), 6000000, "what was carried once still is");
    cr_assert_eq(capacity_allowed_bps(&capacity), UINT64_MAX, "a guess holds nothing back");
}

/* All paths may have come while a queue stood, and take it for their own. */
Test(capacity, does_not_grow_with_what_is_lost) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    for (unsigned i = 0; i < 10; i++) {
        capacity_sent(&capacity, 100000); /* 8 Mb/s */
        capacity_lost(&capacity, 80000);
        now_us += UPLINK_STEP_US;
        capacity_step(&capacity, now_us);
    }
    cr_assert_leq(capacity_bps(&capacity), 1600000 * 3 / 2 + 200000);
}

Test(capacity, does_not_grow_while_a_queue_stands) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    run(4000000, 6000, 5 * US_PER_S);
    cr_assert_eq(capacity_bps(&capacity), CAPACITY_FIRST_BPS);
    cr_assert_not(capacity_is_known(&capacity));
}

Test(capacity, is_hoped_to_be_what_a_stream_needs) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    capacity_hope(&capacity, 9000000);
    cr_assert_eq(capacity_bps(&capacity), 9000000);
    capacity_hope(&capacity, 1000000);
    cr_assert_eq(capacity_bps(&capacity), 9000000);
    cr_assert_not(capacity_is_known(&capacity));
}

Test(capacity, is_what_goes_past_a_queue_that_the_paths_share) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    capacity_hope(&capacity, 50000000);
    run(5000000, 40000, US_PER_S);
    cr_assert(capacity_is_known(&capacity));
    cr_assert_leq(capacity_bps(&capacity), 5500000);
    cr_assert_leq(capacity_allowed_bps(&capacity), 5500000);
    run(5000000, 4000, 2 * US_PER_S);
    cr_assert_float_eq((double)capacity_bps(&capacity), 5e6, 1e6);
}

/* It may have been measured while something else filled the uplink. */
Test(capacity, is_tried_a_little_higher_when_all_has_been_calm_for_seconds) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    run(5000000, 40000, US_PER_S);
    run(4500000, 6000, 6 * US_PER_S);
    uint64_t before_bps = capacity_bps(&capacity);
    run(4500000, 0, 3 * US_PER_S);
    cr_assert_eq(capacity_bps(&capacity), before_bps);
    run(4500000, 0, 2 * US_PER_S);
    cr_assert_eq(capacity_bps(&capacity), before_bps + before_bps / 8 + 50000);
}

Test(capacity, is_not_tried_higher_where_much_of_it_is_unused) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    run(5000000, 40000, US_PER_S);
    uint64_t before_bps = capacity_bps(&capacity);
    run(2000000, 0, 20 * US_PER_S);
    cr_assert_eq(capacity_bps(&capacity), before_bps);
}

Test(capacity, is_what_was_probed_until_a_queue_says_otherwise) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    capacity_probed(&capacity, 5000000);
    cr_assert(capacity_is_known(&capacity));
    cr_assert_eq(capacity_bps(&capacity), 5000000);
    cr_assert_eq(capacity_allowed_bps(&capacity), 5000000, "nothing leaves faster");
    capacity_probed(&capacity, 4000000);
    cr_assert_eq(capacity_bps(&capacity), 5000000, "the other end may be the narrow one");
    run(3000000, 40000, 5 * US_PER_S);
    cr_assert_lt(capacity_bps(&capacity), 3500000);
    capacity_probed(&capacity, 50000000);
    cr_assert_lt(capacity_bps(&capacity), 3500000);
}

Test(capacity, is_not_tried_higher_while_it_limits) {
    capacity_init(&capacity, UINT64_MAX, now_us);
    run(5000000, 40000, US_PER_S);
    run(1000000, 6000, 6 * US_PER_S);
    uint64_t before_bps = capacity_bps(&capacity);
    run(1000000, 6000, 20 * US_PER_S);
    cr_assert_leq(capacity_bps(&capacity), before_bps);
}
