#include "core/swarm/neighbour.h"

#include <criterion/criterion.h>
#include <string.h>

static struct neighbour *nb;
static struct peer peer; /* its link is not looked at by anything tested here */

static void start(void) {
    nb = neighbour_new(&peer, NULL, 5 * US_PER_S);
    cr_assert_not_null(nb);
}
static void end(void) { neighbour_free(nb); }

TestSuite(neighbour, .init = start, .fini = end);

static bool keep(uint16_t number_low) {
    struct pending_cell cell = {.len = 4, .number_low = number_low};
    return neighbour_keep_pending(nb, &cell, (const uint8_t *)"cell");
}

static void take(uint32_t newest, uint64_t complete, uint64_t now_us) {
    struct held held = {.track = 1, .newest = newest, .complete = complete};
    neighbour_take_held(nb, &held, now_us);
}

Test(neighbour, keeps_at_most_64_cells_without_their_head) {
    for (uint16_t i = 0; i < PENDING_CELLS_MAX; i++) cr_assert(keep(i));
    cr_assert_eq(PENDING_CELLS_MAX, 64);
    cr_assert_not(keep(1000));
    cr_assert_eq(nb->pending_len, PENDING_CELLS_MAX);
    neighbour_drop_pending(nb, &nb->pending[30]);
    cr_assert(keep(1000));
    cr_assert_eq(nb->pending[30].number_low, 1000);
    cr_assert_not(keep(1001));
    neighbour_drop_all_pending(nb);
    cr_assert_eq(nb->pending_len, 0);
    cr_assert(keep(1));
}

Test(neighbour, keeps_its_own_copy_of_a_pending_cell) {
    uint8_t bytes[] = "abcd";
    struct pending_cell cell = {.len = 4};
    cr_assert(neighbour_keep_pending(nb, &cell, bytes));
    memset(bytes, 0, sizeof bytes);
    cr_assert_arr_eq(nb->pending[0].payload, "abcd", 4);
}

Test(neighbour, remembers_what_was_asked_until_it_is_over) {
    cr_assert(neighbour_ask(nb, 1, 7, 0x5, false, 2000, 1000));
    cr_assert(neighbour_expects_cell(nb, 1, 7, 0, 0, 2000));
    cr_assert(neighbour_expects_cell(nb, 1, 7, 2, 0, 2000));
    cr_assert_not(neighbour_expects_cell(nb, 1, 7, 1, 0, 2000));
    cr_assert_not(neighbour_expects_cell(nb, 1, 8, 0, 0, 2000));
    cr_assert_not(neighbour_expects_cell(nb, 2, 7, 0, 0, 2000));
    cr_assert_not(neighbour_expects_cell(nb, 1, 7, 0, 0, 2001));
    cr_assert_not(neighbour_expects_head(nb, 1, 7, 2000));
}

Test(neighbour, adds_to_what_was_asked_of_the_same_chunk) {
    cr_assert(neighbour_ask(nb, 1, 7, 1, false, 3000, 1000));
    cr_assert(neighbour_ask(nb, 1, 7, 2, true, 2000, 1000));
    const struct asked_cells *a = neighbour_asked(nb, 1, 7);
    cr_assert_eq(a->cells, 3);
    cr_assert_eq(a->until_us, 3000);
    cr_assert(neighbour_expects_head(nb, 1, 7, 3000));
    cr_assert_not(neighbour_expects_head(nb, 1, 7, 3001));
}

Test(neighbour, asks_for_at_most_32_chunks_at_a_time) {
    for (uint32_t i = 0; i < ASKED_CELLS_MAX; i++)
        cr_assert(neighbour_ask(nb, 0, i, 1, false, 2000, 1000));
    cr_assert_not(neighbour_ask(nb, 0, 100, 1, false, 2000, 2000));
    cr_assert(neighbour_ask(nb, 0, 5, 2, false, 2000, 2000));
    cr_assert(neighbour_ask(nb, 0, 100, 1, false, 9000, 2001));
    cr_assert_null(neighbour_asked(nb, 0, 0));
    cr_assert_not_null(neighbour_asked(nb, 0, 100));
}

Test(neighbour, expects_what_it_subscribed_to_and_for_a_while_what_it_did) {
    struct neighbour_stream *ns = &nb->streams[2];
    ns->asked = 1u << 3;
    cr_assert(neighbour_expects_cell(nb, 2, 99, 0, 3, 0));
    cr_assert_not(neighbour_expects_cell(nb, 2, 99, 0, 4, 0));
    cr_assert_not(neighbour_expects_head(nb, 2, 99, 0));
    ns->asked_heads = true;
    cr_assert(neighbour_expects_head(nb, 2, 99, 0));
    *ns = (struct neighbour_stream){.former = 1u << 3, .former_heads = true, .former_until_us = 10};
    cr_assert(neighbour_expects_cell(nb, 2, 99, 0, 3, 9));
    cr_assert(neighbour_expects_head(nb, 2, 99, 9));
    cr_assert_not(neighbour_expects_cell(nb, 2, 99, 0, 3, 10));
    cr_assert_not(neighbour_expects_head(nb, 2, 99, 10));
}

Test(neighbour, may_request_a_burst_and_then_what_time_earns) {
    uint64_t now_us = 5 * US_PER_S;
    for (unsigned i = 0; i < REQUESTS_BURST / 64; i++)
        cr_assert(neighbour_spend_requests(nb, 64, now_us));
    cr_assert_not(neighbour_spend_requests(nb, 1, now_us));
    unsigned granted = 0;
    for (unsigned ms = 1; ms <= 1000; ms++)
        for (unsigned i = 0; i < 10; i++)
            granted += neighbour_spend_requests(nb, 1, now_us + ms * US_PER_MS);
    cr_assert_leq(granted, REQUESTS_PER_S);
    cr_assert_geq(granted, REQUESTS_PER_S - 1);
    /* An hour of silence earns no more than a burst. */
    now_us += 3600 * US_PER_S;
    cr_assert_not(neighbour_spend_requests(nb, REQUESTS_BURST + 1, now_us));
    cr_assert(neighbour_spend_requests(nb, REQUESTS_BURST, now_us));
}

Test(neighbour, marks_each_head_once) {
    for (uint32_t i = 100; i < 300; i++) cr_assert(neighbour_mark_head(nb, 0, i));
    for (uint32_t i = 300 - 64; i < 300; i++) cr_assert_not(neighbour_mark_head(nb, 0, i));
    cr_assert(neighbour_mark_head(nb, 1, 299));
}

Test(neighbour, marks_heads_across_the_border_of_64) {
    const uint32_t steps[] = {1, 62, 63, 64, 65, 1000};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        memset(&nb->streams[0], 0, sizeof nb->streams[0]);
        cr_assert(neighbour_mark_head(nb, 0, 500));
        cr_assert(neighbour_mark_head(nb, 0, 500 + steps[i]));
        cr_assert_not(neighbour_mark_head(nb, 0, 500 + steps[i]));
        /* One that has left the marks is sent again rather than never. */
        cr_assert_eq(neighbour_mark_head(nb, 0, 500), steps[i] >= 64, "step %u", steps[i]);
    }
}

Test(neighbour, marks_an_older_head_that_was_passed_over) {
    cr_assert(neighbour_mark_head(nb, 0, 10));
    cr_assert(neighbour_mark_head(nb, 0, 20));
    cr_assert(neighbour_mark_head(nb, 0, 15));
    cr_assert_not(neighbour_mark_head(nb, 0, 15));
    cr_assert_not(neighbour_mark_head(nb, 0, 10));
}

Test(neighbour, marks_heads_at_both_ends_of_the_numbers) {
    cr_assert(neighbour_mark_head(nb, 0, 0));
    cr_assert_not(neighbour_mark_head(nb, 0, 0));
    cr_assert(neighbour_mark_head(nb, 0, UINT32_MAX));
    cr_assert_not(neighbour_mark_head(nb, 0, UINT32_MAX));
    cr_assert(neighbour_mark_head(nb, 0, UINT32_MAX - 63));
    cr_assert_not(neighbour_mark_head(nb, 0, UINT32_MAX - 63));
}

Test(neighbour, holds_what_it_said_and_nothing_else) {
    cr_assert_not(neighbour_holds(nb, 1, 0));
    take(100, 0x5, 1000);
    cr_assert(neighbour_holds(nb, 1, 100));
    cr_assert_not(neighbour_holds(nb, 1, 99));
    cr_assert(neighbour_holds(nb, 1, 98));
    cr_assert_not(neighbour_holds(nb, 1, 101));
    cr_assert_not(neighbour_holds(nb, 0, 100));
    take(200, UINT64_MAX, 2000);
    cr_assert(neighbour_holds(nb, 1, 137));
    cr_assert_not(neighbour_holds(nb, 1, 136));
    cr_assert_eq(nb->streams[1].newest_us, 2000);
}

Test(neighbour, takes_from_a_state_that_was_overtaken_only_what_it_adds) {
    take(100, 0x1, 1000);
    take(90, 0x3, 2000);
    cr_assert_eq(nb->streams[1].newest, 100);
    cr_assert_eq(nb->streams[1].complete, 0x1 | 0x3ull << 10);
    cr_assert_eq(nb->streams[1].newest_us, 1000);
    take(100 - 63, 0x1, 2000);
    cr_assert(neighbour_holds(nb, 1, 37));
    take(100 - 64, UINT64_MAX, 2000);
    cr_assert_eq(nb->streams[1].complete, 0x1 | 0x3ull << 10 | 1ull << 63);
}

Test(neighbour, takes_the_state_again_for_the_same_newest) {
    take(100, 0xff, 1000);
    take(100, 0x1, 2000);
    cr_assert_eq(nb->streams[1].complete, 0x1);
    cr_assert_eq(nb->streams[1].newest_us, 1000);
}

Test(neighbour, survives_absurd_claims) {
    take(UINT32_MAX, UINT64_MAX, 1000);
    cr_assert(neighbour_holds(nb, 1, UINT32_MAX));
    cr_assert_not(neighbour_holds(nb, 1, UINT32_MAX - 64));
    cr_assert_not(neighbour_holds(nb, 1, 0));
    take(0, UINT64_MAX, 2000);
    cr_assert_not(neighbour_holds(nb, 1, 0));
}

Test(neighbour, forgets_the_old_broadcast_but_not_its_generations) {
    struct neighbour_stream *ns = &nb->streams[1];
    ns->generation = 5;
    ns->child_generation = 6;
    ns->child_revision = 7;
    ns->asked = ns->child_granted = 0xffff;
    take(100, 1, 1000);
    cr_assert(neighbour_ask(nb, 1, 7, 1, true, 2000, 1000));
    cr_assert(keep(1));
    cr_assert(send_queue_push(&nb->queue, SEND_FRESH, &(struct send_item){.number = 1}));
    neighbour_reset_streams(nb);
    cr_assert_eq(ns->generation, 5);
    cr_assert_eq(ns->child_generation, 6);
    cr_assert_eq(ns->child_revision, 7);
    cr_assert_eq(ns->asked | ns->child_granted, 0);
    cr_assert_not(neighbour_holds(nb, 1, 100));
    cr_assert_null(neighbour_asked(nb, 1, 7));
    cr_assert_eq(nb->pending_len, 0);
    cr_assert_null(send_queue_peek(&nb->queue, SEND_FRESH));
}

Test(neighbour, frees_nothing_for_nobody) { neighbour_free(NULL); }
