/* A source that signs what is absurd: true, and still to be survived. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (5 * US_PER_MS)

static struct stage stage;
static struct origin source, other;
static struct actor *viewer;
static struct hostile_peer *hostile;

static void start(void) {
    stage_init(&stage, 1, DELAY_US);
    origin_start(&source, &stage, 0, 7, false);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    hostile = stage_hostile(&stage, 2);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    origin_release(&other);
}

TestSuite(node_absurd, .init = start, .fini = end);

/* NULL: a head cannot say it. */
static struct chunk *absurd(uint32_t number, uint16_t cell_size, uint32_t size) {
    struct head h = {.broadcast = 7,
                     .number = number,
                     .flags = HEAD_FIRST | HEAD_LAST | HEAD_RANDOM_ACCESS,
                     .capture_us = STAGE_UTC_US + stage_now(&stage),
                     .size = size,
                     .cell_size = cell_size};
    static uint8_t payload[CHUNK_SIZE_MAX];
    for (uint32_t i = 0; i < head_cells(&h); i++)
        hash_cell(h.hashes[i], payload, head_cell_len(&h, i));
    uint8_t encoded[HEAD_SIZE_MAX];
    int len = head_sign(&h, &source.broadcast.key, encoded, sizeof encoded);
    if (len < 0) return NULL;
    struct chunk *c = chunk_new(NULL, &h, encoded, (size_t)len);
    cr_assert_not_null(c);
    chunk_fill(c, payload);
    return c;
}

static void publish(uint32_t number, uint16_t cell_size, uint32_t size) {
    struct chunk *c = absurd(number, cell_size, size);
    if (c != NULL && hostile->link != NULL) hostile_send_chunk(hostile, c);
    chunk_unref(c);
    stage_run(&stage, 300 * US_PER_MS);
}

/* A viewer that has its media from the hostile source alone, and a child below it. */
static struct actor *set_up_absurd_source(void) {
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    stage_kill(&stage, viewer);
    viewer = stage_node(&stage, 11, &source.broadcast, NULL);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    struct actor *child = stage_node(&stage, 12, &source.broadcast, NULL);
    stage_introduce(child, viewer);
    stage_run(&stage, 100 * US_PER_MS);
    return child;
}

Test(node_absurd, absurd_numbers_from_the_source_itself_do_not_hold_a_viewer_up, .timeout = 60) {
    struct actor *child = set_up_absurd_source();
    const uint32_t numbers[] = {
        5, 6, 1000, 100000, 1u << 31, UINT32_MAX - 1, UINT32_MAX, UINT32_MAX - 2, 3};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) publish(numbers[i], CELL_SIZE, 100);
    stage_run(&stage, 3 * US_PER_S);
    cr_assert_geq(viewer->played[0].fragments, 2);
    cr_assert_geq(child->played[0].fragments, 2);
    cr_assert_eq(viewer->bans + child->bans, 0);
}

Test(node_absurd, cells_that_no_datagram_carries_do_not_hold_a_node_up) {
    struct actor *child = set_up_absurd_source();
    publish(5, CELL_SIZE, 100);
    /* Up to the largest that arrives in a datagram of 1,200 bytes. */
    for (uint16_t size = 1121; size <= 1167; size++) publish(6 + (size - 1121u), size, 2u * size);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_geq(viewer->played[0].fragments, 1);
    cr_assert_geq(child->played[0].fragments, 1);
}

Test(node_absurd, a_chunk_of_larger_cells_is_left_out_and_what_follows_is_sent) {
    origin_stop(&source);
    uint32_t number = source.broadcast.publisher.next[0];
    const uint16_t sizes[] = {CELL_SIZE_MAX, 1168, CELL_SIZE};
    for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct chunk *c = absurd(number + i, sizes[i], 3u * sizes[i]);
        cr_assert_eq(node_publish(source.actor->node, 0, c, stage_now(&stage)), 0);
        chunk_unref(c);
    }
    network_wake(stage.network, 0);
    stage_run(&stage, 200 * US_PER_MS);
    const struct chunk *last =
        window_chunk(&viewer->node->channels[0]->streams[0].window, number + 2);
    cr_assert_not_null(last);
    cr_assert(chunk_is_complete(last));
}

Test(node_absurd, the_largest_fragment_of_a_private_channel_is_played) {
    stage_kill(&stage, viewer);
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    other.video_len = FRAGMENT_SIZE_MAX / 4; /* random access points are four times that */
    other.keyint = 1;
    origin_start(&other, &stage, 10, 8, true);
    viewer = stage_node(&stage, 11, &other.broadcast, NULL);
    origin_stop(&other);
    stage_introduce(viewer, other.actor);
    stage_run(&stage, 8 * US_PER_S);
    cr_assert_eq(viewer->played[0].fragments, 1);
    cr_assert_eq(viewer->played[0].wrong, 0);
}
