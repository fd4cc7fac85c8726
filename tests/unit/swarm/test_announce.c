/* When holders are looked up, and when we say that we are one. */
#include <criterion/criterion.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

static struct stage stage;
static struct origin source;
static struct broadcast b;
static struct actor *a;

static void start(void) {
    stage_init(&stage, 1, 5 * US_PER_MS);
    broadcast_init(&b, 1, 7, false, STAGE_UTC_US);
    a = stage_node(&stage, 0, &b, NULL);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    broadcast_release(&b);
}

TestSuite(announce, .init = start, .fini = end);

#define VIEWERS_MAX 30

/* A source, and the node with so many more viewers who know one another. */
static void gather(unsigned others) {
    struct actor *viewers[VIEWERS_MAX] = {a};
    source.video_len = 200;
    origin_start(&source, &stage, 1, 7, false);
    for (unsigned i = 1; i <= others; i++)
        viewers[i] = stage_node(&stage, 1 + i, &source.broadcast, NULL);
    for (unsigned i = 0; i <= others; i++) {
        stage_introduce(viewers[i], source.actor);
        for (unsigned k = 0; k < i; k++) stage_introduce(viewers[k], viewers[i]);
    }
    stage_run(&stage, 10 * US_PER_S);
}

/* Look-ups so far, of the node and so many more viewers. */
static unsigned finds(unsigned others) {
    unsigned sum = a->finds;
    for (unsigned i = 1; i <= others; i++) sum += stage.actors[1 + i].finds;
    return sum;
}

Test(announce, looks_for_holders_again_and_again_but_ever_more_slowly) {
    stage_run(&stage, 10 * US_PER_S);
    unsigned early = a->finds;
    cr_assert_geq(early, 2);
    stage_run(&stage, 300 * US_PER_S);
    cr_assert_leq(a->finds - early, 300 / 20);
    cr_assert_geq(a->finds - early, 300 / 40);
}

/* Neighbours tell of others, and a look-up takes uplink. */
Test(announce, hardly_looks_for_holders_with_neighbours_enough) {
    gather(7);
    cr_assert_geq(a->node->channels[0]->neighbours_len, 8);
    unsigned early = a->finds;
    stage_run(&stage, 120 * US_PER_S);
    cr_assert_eq(a->finds, early);
}

Test(announce, announces_itself_once_an_epoch_while_it_holds_something) {
    origin_start(&source, &stage, 1, 7, false);
    stage_introduce(a, source.actor);
    struct endpoint e = network_endpoint(stage.network, 0);
    stage_run(&stage, 10 * US_PER_S);
    cr_assert_eq(a->announces, 0); /* nobody said under which address */
    node_set_endpoints(a->node, &e, 1);
    stage_run(&stage, 60 * US_PER_S);
    cr_assert_geq(a->announces, 2);
    cr_assert_leq(a->announces, 4);
    cr_assert_eq(a->entries, 0);
}

/* An encoder that hangs is no reason to ask the DHT: nobody has more than we have. */
Test(announce, looks_for_nobody_while_the_source_rests_for_a_moment) {
    gather(20);
    unsigned before = finds(20);
    origin_stop(&source);
    stage_run(&stage, 4 * US_PER_S);
    origin_resume(&source);
    stage_run(&stage, 10 * US_PER_S);
    cr_assert_eq(finds(20), before);
    cr_assert_geq(a->played[0].last, source.number - 4);
}

/* It may have come back elsewhere. One who finds it tells the others, so one looks, then another:
 * a whole swarm at once would be more than the DHT can bear. */
Test(announce, takes_turns_in_looking_for_a_source_that_is_silent) {
    gather(20);
    unsigned before = finds(20);
    origin_stop(&source);
    stage_run(&stage, 9 * US_PER_S);
    unsigned early = finds(20) - before;
    cr_assert_geq(early, 1);
    cr_assert_leq(early, 8);
    stage_run(&stage, 120 * US_PER_S);
    unsigned late = finds(20) - before - early;
    cr_assert_geq(late, 120 / 6);
    cr_assert_leq(late, 120);
}

/* Four neighbours who know of more and more chunks, and give none. */
Test(announce, looks_for_others_when_the_neighbours_do_not_serve) {
    for (unsigned i = 0; i < 4; i++) hostile_meet(stage_hostile(&stage, 10 + i), a, &b);
    stage_run(&stage, US_PER_S);
    unsigned before = a->finds;
    for (uint32_t k = 0; k < 8; k++) {
        struct have m = {.broadcast = 7,
                         .held_len = 1,
                         .held = {{.track = 0, .newest = 100 + 15 * k, .complete = ~0ull}}};
        for (unsigned i = 0; i < 4; i++) cr_assert(hostile_send_have(&stage.hostiles[10 + i], &m));
        stage_run(&stage, US_PER_S / 2);
    }
    cr_assert_gt(a->finds, before);
}
