/* A source whose uplink carries the stream once and a fifth more. */
#include <criterion/criterion.h>

#include "core/swarm/admission.h"
#include "tests/unit/swarm/serving.h"

#define THIN_BPS (COPY_BPS * 6 / 5)

TestSuite(thin_source, .init = serving_start, .fini = serving_end);

static unsigned count(uint32_t substreams) { return (unsigned)__builtin_popcount(substreams); }

/* What changes hands is sent twice for a while. */
Test(thin_source, spreads_little_at_a_time) {
    serving_source(THIN_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    uint32_t part = serving_subscribe(children[1], ALL, 0);
    cr_assert_eq(count(part), 2);
    cr_assert_eq(serving_subscribe(children[2], ALL, 0), 0, "the first has not left yet");
    cr_assert_eq(serving_child_at(children[1])->child_granted, part,
                 "whose place it is to take, keeps it");
    cr_assert_eq(serving_child_at(children[0])->child_excess, part);
    cr_assert_eq(serving_subscribe(children[0], ALL & ~part, 0), ALL & ~part);
    cr_assert_eq(count(serving_subscribe(children[2], ALL & ~part, 0)), 2);
}

/* Each of sixteen could have one. */
Test(thin_source, spreads_two_to_each) {
    serving_source(THIN_BPS);
    for (unsigned i = 0; i < 16; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    cr_assert_eq(count(serving_subscribe(children[1], ALL, 0)), 2);
}

/* A part is two of sixteen for eight. */
Test(thin_source, makes_room_for_twice_a_childs_part) {
    serving_source(THIN_BPS);
    cr_assert_eq(count(serving_taken_by_the_second_of_eight()), 4);
}

/* They are a fortieth of the stream each, and it has little more than the stream. */
Test(thin_source, gives_heads_to_two) {
    serving_source(THIN_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    for (unsigned i = 0; i < 4; i++)
        (void)serving_subscribe(children[i], 0, SUBSCRIBE_STARVED | SUBSCRIBE_HEADS);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(serving_child_at(children[i])->child_heads, i < 2);
}

/* It did not know of its uplink then. */
Test(thin_source, takes_heads_back) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    for (unsigned i = 0; i < 4; i++)
        (void)serving_subscribe(children[i], 0, SUBSCRIBE_STARVED | SUBSCRIBE_HEADS);
    for (unsigned i = 0; i < 4; i++) cr_assert(serving_child_at(children[i])->child_heads);
    parent->node->uplink.capacity.most_bps = THIN_BPS;
    stage_run(&stage, US_PER_S);
    unsigned left = 0;
    for (unsigned i = 0; i < 4; i++) left += serving_child_at(children[i])->child_heads;
    cr_assert_eq(left, 2);
}

/* The first of five children is worth 6 Mb/s and has so many substreams. */
static uint64_t bar_with(uint64_t upload_bps, uint32_t substreams) {
    serving_source(upload_bps);
    for (unsigned i = 0; i < 5; i++) serving_child();
    serving_offer(children[0], 6000000, 0);
    cr_assert_eq(serving_subscribe(children[0], substreams, 0), substreams);
    return admission_bar_bps(parent->node->channels[0]);
}

Test(thin_source, says_that_half_the_worth_of_who_has_too_much_suffices_to_take_from_it) {
    cr_assert_eq(bar_with(THIN_BPS, ALL), 3000000);
}

Test(thin_source, says_that_twice_the_worth_of_who_has_twice_its_part_is_needed) {
    cr_assert_eq(bar_with(THIN_BPS, 0xff), 12000000);
}

Test(thin_source, is_the_only_one_that_says_so) {
    cr_assert_eq(bar_with(ONE_COPY_BPS, ALL), 12000000);
}
