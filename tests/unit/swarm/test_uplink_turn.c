/* Who is sent the next datagram. Nothing is sent here: a turn that was given is taken for it. */
#include <criterion/criterion.h>

#include "core/swarm/uplink_turn.h"
#include "tests/unit/swarm/serving.h"

TestSuite(uplink_turn, .init = serving_start, .fini = serving_end);

static struct neighbour *neighbour_of(const struct hostile_peer *p) {
    return channel_neighbour(parent->node->channels[0], &p->identity.public);
}

static void queue(const struct hostile_peer *p, enum send_class class, uint64_t waited_us) {
    struct neighbour *nb = neighbour_of(p);
    struct send_item item = {.queued_us = (uint32_t)(stage_now(&stage) - waited_us)};
    cr_assert(send_queue_push(&nb->queue, class, &item));
    uplink_wants(nb, class);
}

static void set_up(void) {
    serving_source(ONE_COPY_BPS);
    for (unsigned i = 0; i < 3; i++) serving_offer(serving_child(), i == 1 ? 3000000 : 0, 16);
}

static const struct neighbour *next(enum send_class class) {
    return uplink_turn_next(parent->node, class, stage_now(&stage));
}

/* Of the next 24 datagrams, three bursts. */
static unsigned turns_of(const struct hostile_peer *p, enum send_class class) {
    unsigned turns = 0;
    for (unsigned i = 0; i < 24; i++) turns += next(class) == neighbour_of(p);
    return turns;
}

Test(uplink_turn, comes_to_all_as_often) {
    set_up();
    for (unsigned i = 0; i < 3; i++) queue(children[i], SEND_REPAIR, 0);
    for (unsigned i = 0; i < 3; i++) cr_assert_eq(turns_of(children[i], SEND_REPAIR), 8);
}

Test(uplink_turn, comes_first_to_who_passes_a_picture_on) {
    set_up();
    for (unsigned i = 0; i < 3; i++) queue(children[i], SEND_FRESH, 0);
    cr_assert_eq(turns_of(children[1], SEND_FRESH), 24);
    send_queue_clear(&neighbour_of(children[1])->queue);
    uplink_forget(neighbour_of(children[1]));
    cr_assert_geq(turns_of(children[0], SEND_FRESH), 8);
    serving_offer(children[2], 3000000, 16);
    for (unsigned i = 0; i < 3; i += 2) queue(children[i], SEND_FRESH, 0);
    cr_assert_eq(turns_of(children[2], SEND_FRESH), 24, "it does now");
    serving_offer(children[2], 0, 16);
    for (unsigned i = 0; i < 3; i += 2) queue(children[i], SEND_FRESH, 0);
    cr_assert_neq(turns_of(children[0], SEND_FRESH), 0, "and no longer");
}

/* A path that lets one datagram go in each turn would never catch up. */
Test(uplink_turn, comes_first_to_who_has_waited_for_long) {
    set_up();
    queue(children[0], SEND_FRESH, 0);
    queue(children[2], SEND_FRESH, 60 * US_PER_MS);
    uplink_turn_tick(parent->node, stage_now(&stage));
    cr_assert_eq(turns_of(children[2], SEND_FRESH), 24);
    queue(children[1], SEND_FRESH, 0);
    cr_assert_eq(turns_of(children[1], SEND_FRESH), 24, "it passes it on");
    queue(children[1], SEND_REPAIR, 0);
    queue(children[0], SEND_REPAIR, 60 * US_PER_MS);
    uplink_turn_tick(parent->node, stage_now(&stage));
    cr_assert_geq(turns_of(children[1], SEND_REPAIR), 8, "that goes for what is fresh");
}
