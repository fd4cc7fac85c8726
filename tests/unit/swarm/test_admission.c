/* Which children get what the uplink carries. Nothing is published here: what is granted is decided
 * before anything flows. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/admission.h"
#include "tests/unit/swarm/serving.h"

/* Of the source's substreams, that of a child among so many. */
#define PART(n) ((16 + (n)-1) / (n))

TestSuite(admission, .init = serving_start, .fini = serving_end);

static unsigned count(uint32_t substreams) { return (unsigned)__builtin_popcount(substreams); }

Test(admission, gives_all_to_the_few_that_a_source_knows) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 3; i++) cr_assert_eq(serving_subscribe(serving_child(), ALL, 0), ALL);
}

Test(admission, keeps_one_copy_of_each_substream_at_the_source_while_others_pass_it_on) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    /* Each is worth more than twice the next: nothing is spread. */
    serving_offer(children[0], 3000000, 0);
    serving_offer(children[1], 1000000, 0);
    cr_assert_eq(serving_subscribe(children[0], ALL & 0xff, 0), ALL & 0xff);
    cr_assert_eq(serving_subscribe(children[1], ALL, 0), ALL & ~0xffu, "what nobody has");
    cr_assert_eq(serving_subscribe(children[2], ALL, 0), 0);
}

/* So that no death takes a substream from all. */
Test(admission, gives_a_copy_for_four_neighbours_where_the_uplink_is_wide) {
    serving_source(100000000);
    for (unsigned i = 0; i < 7; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], 3, 0), 3);
    cr_assert_eq(serving_subscribe(children[1], 3, 0), 0);
    serving_child();
    cr_assert_eq(serving_subscribe(children[1], 3, 0), 3);
    cr_assert_eq(serving_subscribe(children[2], 3, 0), 0);
}

static unsigned copies_of_a_source(uint64_t upload_bps) {
    unsigned copies = 0;
    serving_source(upload_bps);
    for (unsigned i = 0; i < 8; i++) serving_child();
    for (unsigned i = 0; i < 3; i++) copies += serving_subscribe(children[i], 1, 0) == 1;
    return copies;
}

Test(admission, gives_one_copy_where_two_take_more_than_two_fifths_of_the_uplink) {
    cr_assert_eq(copies_of_a_source(ONE_COPY_BPS), 1);
}

Test(admission, gives_a_second_copy_where_two_take_two_fifths_of_the_uplink) {
    cr_assert_eq(copies_of_a_source(16000000), 2);
}

Test(admission, spreads_the_substreams_of_a_source_over_children_that_are_worth_as_much) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    uint32_t taken = 0;
    for (unsigned i = 1; i < 4; i++) {
        uint32_t part = serving_subscribe(children[i], ALL, 0);
        cr_assert_eq(count(part), PART(5));
        cr_assert_eq(part & taken, 0, "each from the first child");
        taken |= part;
    }
    cr_assert_eq(serving_subscribe(children[4], ALL, 0), 0, "nobody has more than a part now");
    cr_assert_eq(serving_child_at(children[0])->child_granted, ALL, "nothing is lost at once");
    cr_assert_eq(serving_child_at(children[0])->child_excess, taken);
}

/* What it gives them goes no further before its head is there. */
Test(admission, gives_heads_to_all_who_pass_on_what_a_source_gives_them) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 7; i++) serving_offer(serving_child(), i < 6 ? 3000000 : 0, 0);
    for (unsigned i = 0; i < 4; i++) (void)serving_subscribe(children[i], 0, SUBSCRIBE_HEADS);
    (void)serving_subscribe(children[4], 0, SUBSCRIBE_HEADS);
    for (unsigned i = 5; i < 7; i++) {
        (void)serving_subscribe(children[i], 1u << i, 0);
        (void)serving_subscribe(children[i], 1u << i, SUBSCRIBE_HEADS);
    }
    cr_assert_not(serving_child_at(children[4])->child_heads, "it gives that one nothing else");
    cr_assert(serving_child_at(children[5])->child_heads);
    cr_assert_not(serving_child_at(children[6])->child_heads, "and that one passes nothing on");
}

Test(admission, gives_a_second_copy_to_those_that_found_nobody_else) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    cr_assert_eq(serving_subscribe(children[1], ALL, SUBSCRIBE_STARVED), ALL);
}

/* The first is worth nothing and has nothing else, so another one would take its place. */
Test(admission, takes_no_place_at_a_source_for_another_that_found_nobody_else) {
    serving_source(COPY_BPS * 3 / 2);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, SUBSCRIBE_STARVED), ALL);
    serving_offer(children[1], 0, 15);
    (void)serving_subscribe(children[1], ALL, SUBSCRIBE_STARVED);
    cr_assert_eq(serving_child_at(children[0])->child_granted, ALL);
}

Test(admission, asks_the_youngest_of_those_that_are_worth_as_much_to_leave) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[1], ALL, 0), ALL);
    cr_assert_eq(serving_subscribe(children[0], ALL, SUBSCRIBE_STARVED), ALL);
    stage_run(&stage, 300 * US_PER_MS);
    cr_assert_eq(serving_child_at(children[0])->child_excess, 0);
    cr_assert_neq(serving_child_at(children[1])->child_excess, 0);
}

Test(admission, names_no_more_than_four_others_that_have_room_to_whoever_is_refused) {
    serving_source(ONE_COPY_BPS);
    struct grant m;
    for (unsigned i = 0; i < 7; i++) {
        struct hostile_peer *p = serving_child();
        serving_offer(p, i < 2 ? 0 : 5000000, 16);
        (void)hostile_send_have(p, &(struct have){.broadcast = 7, .held_len = 1, .held = {{0}}});
    }
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    cr_assert_eq(count(serving_subscribe(children[1], ALL, 0)), PART(7));
    cr_assert(hostile_last_grant(children[1], &m));
    cr_assert_eq(m.candidates_len, 4);
    for (unsigned i = 0; i < m.candidates_len; i++)
        for (unsigned k = 0; k < 2; k++)
            cr_assert_not(public_key_equal(&m.candidates[i].peer, &children[k]->identity.public));
}

/* Who is sent down the tree finds room somewhere. */
Test(admission, names_who_has_what_it_refuses_and_could_pass_it_on) {
    serving_source(COPY_BPS);
    for (unsigned i = 0; i < 6; i++) {
        serving_offer(serving_child(), 5000000, 0);
        (void)hostile_send_have(children[i],
                                &(struct have){.broadcast = 7, .held_len = 1, .held = {{0}}});
    }
    cr_assert_eq(serving_subscribe(children[0], 0x3, 0), 0x3);
    cr_assert_eq(serving_subscribe(children[1], 0xc, 0), 0xc);
    struct grant m;
    cr_assert_eq(serving_subscribe(children[3], 0x3, SUBSCRIBE_STARVED), 0);
    cr_assert(hostile_last_grant(children[3], &m));
    cr_assert_eq(m.candidates_len, 1);
    cr_assert_eq(m.heir, 0);
    cr_assert(public_key_equal(&m.candidates[0].peer, &children[0]->identity.public));
}

Test(admission, grants_no_more_than_the_uplink_carries) {
    serving_source(COPY_BPS / 2);
    struct hostile_peer *child = serving_child(), *other = serving_child();
    unsigned granted = count(serving_subscribe(child, 0xff, 0));
    granted += count(serving_subscribe(other, 0xff, SUBSCRIBE_STARVED));
    cr_assert_leq(granted, 8);
    cr_assert_geq(granted, 6);
}

Test(admission, gives_a_substream_to_few_children_and_others_instead) {
    (void)serving_relay(COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(serving_subscribe(children[i], 1, SUBSCRIBE_STARVED), 1);
    cr_assert_eq(serving_subscribe(children[4], 3, SUBSCRIBE_STARVED), 2);
}

Test(admission, gives_heads_without_room_to_one_where_the_uplink_is_thin) {
    (void)serving_relay(COPY_BPS / 5);
    for (unsigned i = 0; i < 3; i++) serving_child();
    cr_assert_neq(serving_subscribe(children[0], 0xf, SUBSCRIBE_STARVED), 0);
    for (unsigned i = 1; i < 3; i++) {
        (void)serving_subscribe(children[i], 0, SUBSCRIBE_STARVED | SUBSCRIBE_HEADS);
        cr_assert_eq(serving_child_at(children[i])->child_heads, i == 1);
    }
}

Test(admission, grants_nothing_where_nothing_may_be_uploaded) {
    serving_source(0);
    cr_assert_eq(serving_subscribe(serving_child(), ALL, SUBSCRIBE_STARVED), 0);
}

Test(admission, grants_nothing_that_it_has_no_supply_of) {
    struct node_config config = {.role = ROLE_RELAY, .max_upload_bps = 100000000};
    parent = stage_node(&stage, 0, &source.broadcast, &config);
    struct hostile_peer *above = stage_hostile(&stage, 1); /* it is asked, and does not answer */
    hostile_meet(above, parent, &source.broadcast);
    stage_run(&stage, 50 * US_PER_MS);
    struct hostile_peer *child = serving_child();
    const struct channel *c = parent->node->channels[0];
    cr_assert_eq(c->streams[0].supplies[0].parent, channel_neighbour(c, &above->identity.public));
    cr_assert_eq(serving_subscribe(child, ALL, SUBSCRIBE_STARVED | SUBSCRIBE_HEADS), 0);
    struct grant m;
    cr_assert(hostile_last_grant(child, &m));
    cr_assert_eq(m.flags, 0, "nor the heads");
}

Test(admission, grants_nothing_that_has_dried_up_while_other_media_comes) {
    (void)serving_relay(100000000);
    struct channel *c = parent->node->channels[0];
    struct stream *s = &c->streams[0];
    stage_run(&stage, 600 * US_PER_MS);
    c->media_us = c->node->now_us;
    for (unsigned i = 0; i < SUPPLIES; i++) s->came_us[i] = c->media_us;
    s->came_us[3] -= 160 * US_PER_MS;
    cr_assert(admission_has_supply(c, s, 3), "nothing of it is due");
    s->overdue = 1u << 3;
    cr_assert_not(admission_has_supply(c, s, 3));
    s->came_us[3] = c->media_us;
    cr_assert(admission_has_supply(c, s, 3), "a cell was lost, others come");
    s->came_us[SUPPLY_HEADS] -= 160 * US_PER_MS;
    cr_assert_not(admission_has_supply(c, s, SUPPLY_HEADS), "of heads one is always due");
    c->media_us = 0;
    cr_assert(admission_has_supply(c, s, SUPPLY_HEADS), "nothing comes at all: the source rests");
}

Test(admission, ends_what_it_has_lost_and_could_not_replace) {
    struct hostile_peer *above = serving_relay(100000000);
    struct hostile_peer *child = serving_child();
    cr_assert_eq(serving_subscribe(child, ALL, SUBSCRIBE_STARVED), ALL);
    (void)hostile_send_bye(above, &(struct bye){.reason = BYE_LEAVING});
    stage_run(&stage, 2 * US_PER_S);
    struct grant m;
    cr_assert(hostile_last_grant(child, &m));
    cr_assert_eq(m.substreams, 0);
}

Test(admission, closes_no_circle) {
    struct hostile_peer *above = serving_relay(100000000);
    cr_assert_eq(serving_subscribe(above, ALL, SUBSCRIBE_STARVED), 0);
}

Test(admission, makes_room_for_a_child_that_passes_on_much) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    serving_offer(children[1], 20000000, 0);
    uint32_t taken = serving_subscribe(children[1], ALL, 0);
    cr_assert_gt(count(taken), 0);
    cr_assert_leq(count(taken), 6, "few at once");
    stage_run(&stage, TICK_IDLE_US);
    struct grant m;
    cr_assert(hostile_last_grant(children[0], &m));
    cr_assert_eq(m.substreams, ALL, "nothing is lost before there is another parent");
    cr_assert_eq(m.excess, taken);
    cr_assert_eq(m.heir, 1);
    cr_assert(public_key_equal(&m.candidates[0].peer, &children[1]->identity.public));
}

/* What all have from one is lost to all with it. */
Test(admission, makes_room_at_a_source_for_no_more_than_a_childs_part) {
    serving_source(ONE_COPY_BPS);
    cr_assert_eq(count(serving_taken_by_the_second_of_eight()), PART(8));
}

/* Four substreams have been given twice, and as many second copies as may are about to leave: what
 * a child gets of these that is worth so much more than those that have them. */
static uint32_t taken_among_copies(uint64_t times) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(serving_subscribe(children[i], 0xf, SUBSCRIBE_STARVED), 0xf);
        serving_offer(children[i], 4000000, 0);
    }
    stage_run(&stage, 250 * US_PER_MS);
    cr_assert_eq(count(serving_child_at(children[0])->child_excess |
                       serving_child_at(children[1])->child_excess),
                 1);
    serving_offer(children[2], times * 4000000, 0);
    return serving_subscribe(children[2], 0xf, 0);
}

Test(admission, makes_room_while_second_copies_leave_for_who_is_clearly_worth_more) {
    cr_assert_neq(taken_among_copies(6), 0);
}

Test(admission, makes_no_room_while_second_copies_leave_for_who_is_worth_three_times_as_much) {
    cr_assert_eq(taken_among_copies(3), 0);
}

Test(admission, makes_no_room_for_a_child_that_is_worth_about_as_much) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 5; i++) serving_child();
    serving_offer(children[0], 12000000, 0);
    serving_offer(children[1], 20000000, 0);
    cr_assert_eq(serving_subscribe(children[0], 0xf, 0), 0xf); /* no more than its part */
    cr_assert_eq(serving_subscribe(children[1], 0xf, 0), 0);
    serving_offer(children[2], 500000, 0);
    cr_assert_eq(serving_subscribe(children[2], 0xf, 0), 0, "nor for one that passes on little");
}

/* What the first child has 2 s after the second, which passes on much, has taken places of it. */
static uint32_t left_after_a_move(uint64_t upload_bps) {
    serving_source(upload_bps);
    for (unsigned i = 0; i < 5; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    serving_offer(children[1], 20000000, 0);
    uint32_t taken = serving_subscribe(children[1], ALL, 0);
    cr_assert_gt(count(taken), 0);
    stage_run(&stage, 300 * US_PER_MS);
    cr_assert_eq(serving_child_at(children[0])->child_granted, ALL, "it has time to find another");
    stage_run(&stage, 2 * US_PER_S);
    uint32_t left = serving_child_at(children[0])->child_granted;
    cr_assert_eq(left | taken, ALL, "each is still with somebody");
    return left;
}

Test(admission, ends_an_excess_after_its_time_where_there_is_no_room_for_it) {
    cr_assert_lt(count(left_after_a_move(COPY_BPS * 110 / 100)), 16);
}

Test(admission, lets_a_child_that_found_nobody_stay_where_there_is_room_after_all) {
    cr_assert_eq(count(left_after_a_move(100000000)), 16);
}

Test(admission, yields_to_a_starved_child_that_lacks_less) {
    serving_relay(COPY_BPS * 22 / 20);
    struct hostile_peer *least = serving_child(), *most = serving_child();
    serving_offer(least, 0, 0);
    serving_offer(most, 0, 10);
    cr_assert_eq(serving_subscribe(least, ALL, SUBSCRIBE_STARVED), ALL);
    cr_assert_eq(count(serving_subscribe(most, 0xfc00, SUBSCRIBE_STARVED)), 6);
    stage_run(&stage, 3 * DELAY_US);
    struct grant m;
    cr_assert(hostile_last_grant(least, &m));
    cr_assert_leq(count(m.substreams), 11);
    cr_assert_geq(count(m.substreams), 9, "and no more than was needed");
}

Test(admission, yields_nothing_to_a_starved_child_that_lacks_as_much) {
    serving_relay(COPY_BPS * 21 / 20);
    struct hostile_peer *first = serving_child(), *second = serving_child();
    serving_offer(first, 0, 10);
    serving_offer(second, 0, 10);
    cr_assert_eq(serving_subscribe(first, ALL, SUBSCRIBE_STARVED), ALL);
    cr_assert_eq(serving_subscribe(second, ALL, SUBSCRIBE_STARVED), 0);
    cr_assert_eq(serving_child_at(first)->child_granted, ALL);
}

/* 2 Mb/s are guessed where nothing is known; the stream has 3. */
Test(admission, takes_nothing_back_from_the_starved_for_a_guess) {
    serving_relay(NODE_UPLOAD_UNLIMITED);
    struct hostile_peer *child = serving_child();
    cr_assert_eq(serving_subscribe(child, ALL, SUBSCRIBE_STARVED), ALL);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(serving_child_at(child)->child_granted, ALL);
}
