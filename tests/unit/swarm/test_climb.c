/* Who gets to know peers nearer to the source. */
#include <criterion/criterion.h>

#include "core/swarm/climb.h"
#include "tests/unit/swarm/serving.h"

TestSuite(climb, .init = serving_start, .fini = serving_end);

/* The node's first substream comes through these, the parent first and the source last. */
static void set_ancestors(unsigned len) {
    struct supply *supply = &parent->node->channels[0]->streams[0].supplies[0];
    supply->ancestors_len = (uint8_t)len;
    for (unsigned i = 0; i < len; i++) supply->ancestors[i] = 100 + i;
}

static void know(uint32_t id4) {
    struct public_key peer = {{0}};
    struct endpoint endpoint = network_endpoint(stage.network, 9);
    store_u32(peer.bytes, id4);
    cr_assert_eq(sampler_add(&parent->node->channels[0]->sampler, &parent->node->rng, &peer,
                             &endpoint, ORIGIN_NEIGHBOUR),
                 0);
}

/* The id of whom it would dial; 0: nobody. */
static uint32_t chosen(void) {
    const struct candidate *c = climb_choose(parent->node->channels[0], stage_now(&stage));
    return c == NULL ? 0 : load_u32(c->peer.bytes);
}

Test(climb, chooses_the_known_ancestor_that_is_nearest_to_the_source_and_not_the_source) {
    (void)serving_relay(COPY_BPS);
    set_ancestors(7);
    cr_assert_eq(chosen(), 0, "nobody is known");
    know(102);
    cr_assert_eq(chosen(), 102);
    know(103);
    know(106);
    know(7);
    cr_assert_eq(chosen(), 103);
}

Test(climb, chooses_nobody_who_is_linked_or_was_dialled_in_vain) {
    (void)serving_relay(COPY_BPS);
    set_ancestors(7);
    know(103);
    struct channel *c = parent->node->channels[0];
    c->sampler.candidates[c->sampler.len - 1].not_before_us = stage_now(&stage) + 1;
    cr_assert_eq(chosen(), 0);
    c->sampler.candidates[c->sampler.len - 1].not_before_us = 0;
    c->sampler.candidates[c->sampler.len - 1].is_linked = true;
    cr_assert_eq(chosen(), 0);
}

Test(climb, is_not_for_who_is_near_or_passes_little_on) {
    (void)serving_relay(COPY_BPS);
    know(101);
    set_ancestors(5);
    cr_assert_eq(chosen(), 0);
    set_ancestors(6);
    cr_assert_eq(chosen(), 101);
    parent->node->uplink.capacity.most_bps = COPY_BPS / 4;
    cr_assert_eq(chosen(), 0);
}

Test(climb, leaves_places_to_newcomers) {
    (void)serving_relay(COPY_BPS);
    know(103);
    set_ancestors(7);
    parent->node->neighbours_max = 5;
    cr_assert_eq(chosen(), 103);
    parent->node->neighbours_max = 4;
    cr_assert_eq(chosen(), 0);
}
