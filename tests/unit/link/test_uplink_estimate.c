#include <criterion/criterion.h>

#include "core/link/uplink_estimate.h"

#define LINKS 8

/* A second of steps: what was sent in each, the queue of all links but those that see none, and
 * whether cells waited. Returns the time at the end. */
static uint64_t second(struct uplink_estimate *u, uint64_t now_us, uint64_t bps, uint64_t queue_us,
                       unsigned without, bool is_held) {
    for (unsigned i = 0; i < 10; i++) {
        now_us += UPLINK_STEP_US;
        cr_assert(uplink_estimate_is_due(u, now_us));
        uplink_estimate_sent(u, bps / 8 / 10);
        if (is_held) uplink_estimate_held(u, UPLINK_STEP_US);
        for (unsigned k = 0; k < LINKS; k++) uplink_estimate_link(u, k < without ? 0 : queue_us);
        uplink_estimate_step(u, now_us);
    }
    return now_us;
}

Test(uplink_estimate, knows_nothing_before_a_queue_is_shared) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uint64_t now_us = second(&u, 0, 5000000, 0, 0, true);
    cr_assert_eq(uplink_estimate_bps(&u), UINT64_MAX);
    now_us = second(&u, now_us, 5000000, 60000, LINKS / 2 + 1, true);
    cr_assert_eq(uplink_estimate_bps(&u), UINT64_MAX, "a queue of fewer than half is theirs");
    (void)second(&u, now_us, 5000000, 60000, LINKS / 2, true);
    cr_assert_lt(uplink_estimate_bps(&u), UINT64_MAX, "the others may have come while it stood");
}

Test(uplink_estimate, takes_what_is_sent_past_a_standing_queue_for_the_rate) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uint64_t now_us = second(&u, 0, 5000000, 20000, 1, false);
    cr_assert_lt(uplink_estimate_bps(&u), 5500000);
    now_us = second(&u, now_us, 5000000, 4000, 0, true);
    cr_assert_float_eq((double)uplink_estimate_bps(&u), 5e6, 0.1 * 5e6);
    /* Held without a queue, it looks for more; not held, it has no reason to. */
    uint64_t before_bps = uplink_estimate_bps(&u);
    now_us = second(&u, now_us, 1000000, 0, 0, false);
    cr_assert_eq(uplink_estimate_bps(&u), before_bps);
    (void)second(&u, now_us, 5000000, 0, 0, true);
    cr_assert_gt(uplink_estimate_bps(&u), before_bps);
}

/* A second in which that part of 20 Mb/s is lost; no link sees a queue. */
static uint64_t estimate_with_loss(double lost, unsigned links) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    for (uint64_t s = 1; s <= 10; s++) {
        uplink_estimate_sent(&u, 250000);
        uplink_estimate_lost(&u, (size_t)(lost * 250000));
        for (unsigned k = 0; k < links; k++) uplink_estimate_link(&u, 0);
        uplink_estimate_step(&u, s * UPLINK_STEP_US);
        if (u.rate_bps != 0) break;
    }
    return uplink_estimate_bps(&u);
}

/* All have come while the queue stood, and take it for their paths'. */
Test(uplink_estimate, drains_a_queue_that_nobody_sees_where_much_of_what_is_sent_is_lost) {
    cr_assert_float_eq((double)estimate_with_loss(0.55, LINKS), 4.5e6, 0.1e6, "half of the rate");
    cr_assert_eq(estimate_with_loss(0.2, LINKS), UINT64_MAX);
    cr_assert_eq(estimate_with_loss(0.55, 2), UINT64_MAX, "it may be their paths");
}

/* A picture goes out in a burst, of which the end waits for the rate, and then nothing does. */
Test(uplink_estimate, does_not_grow_while_little_of_it_is_used) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uint64_t now_us = second(&u, 0, 5000000, 20000, 1, false);
    now_us = second(&u, now_us, 5000000, 4000, 0, true);
    uint64_t full_bps = uplink_estimate_bps(&u);
    now_us = second(&u, now_us, full_bps * 7 / 10, 0, 0, true);
    uint64_t before_bps = uplink_estimate_bps(&u);
    for (unsigned i = 0; i < 60; i++) now_us = second(&u, now_us, full_bps * 7 / 10, 0, 0, true);
    cr_assert_eq(uplink_estimate_bps(&u), before_bps);
    (void)second(&u, now_us, before_bps, 0, 0, true);
    cr_assert_gt(uplink_estimate_bps(&u), before_bps);
}

/* Cut to next to nothing, it would leave nothing to cells, which alone make it grow, beside the
 * messages. */
Test(uplink_estimate, is_no_less_than_half_of_what_messages_take_without_a_queue) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uint64_t now_us = second(&u, 0, 5000000, 20000, 1, false);
    for (unsigned i = 0; i < 3; i++) now_us = second(&u, now_us, 40000, 60000, 0, true);
    cr_assert_lt(uplink_estimate_bps(&u), 100000);
    (void)second(&u, now_us, 1000000, 0, 0, false);
    cr_assert_float_eq((double)uplink_estimate_bps(&u), 1e6, 0.5e6);
}

/* A step of one link: what was sent, as much as it allows; and the queue of the link. */
static void step_alone(struct uplink_estimate *u, uint64_t now_us, uint64_t queue_us,
                       bool is_held) {
    uplink_estimate_sent(u, uplink_estimate_bps(u) / 8 / 10);
    if (is_held) uplink_estimate_held(u, UPLINK_STEP_US);
    uplink_estimate_link(u, queue_us);
    uplink_estimate_step(u, now_us);
}

/* Its pacer knows better what its path carries, but a little above what a train has shown. */
Test(uplink_estimate, grows_a_little_with_a_single_link_that_sees_no_queue) {
    struct {
        uint64_t queue_us;
        bool is_held;
        double least, most;
    } cases[] = {{0, true, 1.1, 1.12}, {10000, true, 1, 1}, {0, false, 1, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct uplink_estimate u;
        uplink_estimate_init(&u, 0);
        uplink_estimate_start(&u, 3000000);
        for (uint64_t s = 1; s <= 300; s++)
            step_alone(&u, s * UPLINK_STEP_US, cases[i].queue_us, cases[i].is_held);
        double grown = (double)uplink_estimate_bps(&u) / 3e6;
        cr_assert(grown >= cases[i].least && grown <= cases[i].most, "%zu: %f", i, grown);
    }
}

/* Nobody is left to show that it carries more, as when a source's only child has all of it. */
Test(uplink_estimate, comes_back_soon_with_a_single_link_to_what_was_measured) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uplink_estimate_start(&u, 5000000);
    uint64_t now_us = second(&u, 0, 2500000, 60000, 0, false);
    now_us = second(&u, now_us, 2500000, 4000, 0, false);
    cr_assert_lt(uplink_estimate_bps(&u), 3500000, "cut");
    uint64_t until_us = now_us + 3 * US_PER_S;
    while (now_us < until_us) step_alone(&u, now_us += UPLINK_STEP_US, 0, true);
    cr_assert_geq(uplink_estimate_bps(&u), 4700000);
    until_us += 30 * US_PER_S;
    while (now_us < until_us) step_alone(&u, now_us += UPLINK_STEP_US, 0, true);
    cr_assert_leq(uplink_estimate_bps(&u), 5600000);
}

Test(uplink_estimate, says_nothing_about_a_single_link) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    for (uint64_t now_us = UPLINK_STEP_US; now_us < US_PER_S; now_us += UPLINK_STEP_US) {
        uplink_estimate_sent(&u, 50000);
        uplink_estimate_link(&u, 50000);
        uplink_estimate_step(&u, now_us);
    }
    cr_assert_eq(uplink_estimate_bps(&u), UINT64_MAX);
}

Test(uplink_estimate, ends_a_drain_also_where_links_have_gone) {
    struct uplink_estimate u;
    uplink_estimate_init(&u, 0);
    uint64_t now_us = second(&u, 0, 5000000, 0, 0, true);
    uplink_estimate_start(&u, 5000000);
    for (unsigned k = 0; k < LINKS; k++) uplink_estimate_link(&u, 60000);
    uplink_estimate_sent(&u, 62500);
    uplink_estimate_held(&u, UPLINK_STEP_US);
    now_us += UPLINK_STEP_US;
    uplink_estimate_step(&u, now_us);
    cr_assert_lt(uplink_estimate_bps(&u), u.rate_bps, "it drains");
    for (unsigned i = 0; i < 10; i++) uplink_estimate_step(&u, now_us += UPLINK_STEP_US);
    cr_assert_eq(uplink_estimate_bps(&u), u.rate_bps);
}
