/* What a child gets of what it has subscribed to. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "core/swarm/serve.h"
#include "tests/lib/stage.h"

#define ALL 0xffffu

static struct stage stage;
static struct origin source;

static void start(void) {
    stage_init(&stage, 1, 20 * US_PER_MS);
    origin_start(&source, &stage, 0, 7, false);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
}

TestSuite(serve, .init = start, .fini = end);

/* Which cells of the chunk have come. */
static uint64_t cells_of(const struct hostile_peer *p, uint32_t number) {
    uint64_t cells = 0;
    for (size_t i = 0; i < p->kept_len; i++) {
        struct cell cell;
        if (!p->kept[i].is_cell || cell_read(p->kept[i].data, p->kept[i].len, &cell) != 0) continue;
        if (chunk_number_expand((uint16_t)cell.number, number) == number)
            cells |= 1ull << cell.index;
    }
    return cells;
}

Test(serve, sends_again_what_was_lost_before_a_child_goes_to_another_parent) {
    struct hostile_peer *child = stage_hostile(&stage, 1);
    hostile_meet(child, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    struct subscribe m = {.generation = 1, .substreams = ALL, .from = FROM_RANDOM_ACCESS};
    (void)hostile_send_subscribe(child, &m);
    stage_run(&stage, US_PER_S);
    network_set_path(stage.network, 0, 1,
                     &(struct network_path){.delay_us = 20 * US_PER_MS, .loss = 0.3});
    uint32_t first = source.number, until = first + 20;
    (void)hostile_send_subscribe(child, &(struct subscribe){.generation = 2, .until = until});
    stage_run(&stage, 3 * US_PER_S);
    for (uint32_t i = first; i < until; i++) {
        const struct chunk *c = source.chunks[0][i];
        cr_assert_eq(cells_of(child, i), head_all_cells(c->head), "chunk %u", i);
    }
    cr_assert_eq(cells_of(child, until + 1), 0, "the other parent's");
}

/* When the head, or (the last) cell, of a chunk of the picture came. */
static uint64_t came_us(const struct hostile_peer *p, const struct chunk *c, bool is_head) {
    uint64_t at_us = 0;
    for (size_t i = 0; i < p->kept_len; i++) {
        const struct hostile_kept *k = &p->kept[i];
        struct head_message m;
        struct cell cell;
        if (!k->is_cell && head_message_read(k->data, k->len, &m) == 0) {
            bool is_its = m.head.len == c->encoded_len &&
                          memcmp(m.head.data, chunk_encoded(c), m.head.len) == 0;
            if (is_head && is_its) at_us = k->at_us;
        } else if (k->is_cell && cell_read(k->data, k->len, &cell) == 0) {
            bool is_its =
                cell.track == 0 && cell.head_tag == c->tag &&
                chunk_number_expand((uint16_t)cell.number, c->head->number) == c->head->number;
            if (!is_head && is_its) at_us = k->at_us;
        }
    }
    cr_assert_neq(at_us, 0, "chunk %u", c->head->number);
    return at_us;
}

/* No cell goes further before it. */
Test(serve, sends_a_head_to_all_before_the_cells_to_anybody) {
    struct hostile_peer *children[2];
    source.video_len = 12500;
    source.actor->node->uplink.capacity.most_bps = 8000000;
    for (unsigned i = 0; i < 2; i++) {
        children[i] = stage_hostile(&stage, 1 + i);
        hostile_meet(children[i], source.actor, &source.broadcast);
        stage_run(&stage, 100 * US_PER_MS);
        (void)hostile_send_subscribe(children[i], &(struct subscribe){.generation = 1,
                                                                      .flags = SUBSCRIBE_HEADS,
                                                                      .substreams = ALL,
                                                                      .from = FROM_RANDOM_ACCESS});
    }
    stage_run(&stage, US_PER_S);
    for (uint32_t number = source.number - 10; number < source.number - 5; number++) {
        const struct chunk *c = source.chunks[0][number];
        for (unsigned i = 0; i < 2; i++)
            cr_assert_lt(came_us(children[i], c, true),
                         came_us(children[1 - i], c, false) - 2 * US_PER_MS, "chunk %u, child %u",
                         number, i);
    }
}

/* The class in which a cell of the chunk waits again, once the link takes it for lost. */
static enum send_class class_of_lost(struct neighbour *nb, uint32_t number) {
    size_t before[SEND_CLASSES];
    for (unsigned i = 0; i < SEND_CLASSES; i++) before[i] = send_queue_len(&nb->queue, i);
    serve_lost(nb, 0, number, 0, false, stage_now(&stage));
    for (unsigned i = 0; i < SEND_CLASSES; i++)
        if (send_queue_len(&nb->queue, i) > before[i]) return i;
    return SEND_CLASSES;
}

static struct neighbour *subscribed_child(uint32_t substreams) {
    struct hostile_peer *child = stage_hostile(&stage, 1);
    hostile_meet(child, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    (void)hostile_send_subscribe(
        child,
        &(struct subscribe){.generation = 1, .substreams = substreams, .from = FROM_RANDOM_ACCESS});
    stage_run(&stage, 3 * US_PER_S);
    return channel_neighbour(source.actor->node->channels[0], &child->identity.public);
}

Test(serve, what_was_lost_goes_before_what_is_fresh) {
    struct neighbour *nb = subscribed_child(ALL);
    cr_expect_eq(class_of_lost(nb, source.number - 2), SEND_FIRST);
}

Test(serve, what_was_lost_waits_where_fresh_cells_wait_for_long) {
    struct neighbour *nb = subscribed_child(ALL);
    source.actor->node->uplink.short_us = stage_now(&stage);
    cr_expect_eq(class_of_lost(nb, source.number - 2), SEND_REPAIR);
}

Test(serve, what_was_lost_waits_where_it_would_come_too_late) {
    struct neighbour *nb = subscribed_child(ALL);
    cr_expect_eq(class_of_lost(nb, source.number - 25), SEND_REPAIR, "0.8 s old");
    cr_expect_eq(class_of_lost(nb, source.number - 75), SEND_CLASSES, "2.5 s: not at all");
}

Test(serve, what_was_lost_is_not_sent_again_to_whom_it_is_not_served) {
    struct neighbour *nb = subscribed_child(0);
    cr_expect_eq(class_of_lost(nb, source.number - 2), SEND_CLASSES);
}

Test(serve, a_child_that_loses_everything_is_not_served_before_the_others) {
    struct neighbour *nb = subscribed_child(ALL);
    unsigned first = 0;
    for (unsigned i = 0; i < 100; i++) first += class_of_lost(nb, source.number - 2) == SEND_FIRST;
    cr_expect_eq(first, 64);
}

static uint64_t cells_sent(void) {
    struct node_stats stats;
    node_stats(source.actor->node, &stats);
    return stats.cells_out;
}

static void cut_child(bool is_cut) {
    struct network_path path = {.delay_us = 20 * US_PER_MS, .is_cut = is_cut};
    network_set_path(stage.network, 0, 1, &path);
    network_set_path(stage.network, 1, 0, &path);
}

/* What goes to one that has died is missing to all others. */
Test(serve, sends_no_cells_to_a_child_that_acknowledges_nothing_until_it_does) {
    struct actor *child = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(child, source.actor);
    stage_run(&stage, 3 * US_PER_S);
    cut_child(true);
    stage_run(&stage, 850 * US_PER_MS);
    uint64_t sent = cells_sent();
    stage_run(&stage, US_PER_S);
    cr_expect_eq(cells_sent(), sent);
    cut_child(false);
    stage_run(&stage, US_PER_S);
    cr_expect_gt(cells_sent(), sent);
    cr_expect_geq(child->played[0].last, source.number - 5, "%u", child->played[0].last);
}
