#include "core/swarm/window.h"

#include <criterion/criterion.h>
#include <string.h>

#define CHUNK_BYTES 64u

static struct window w;

static void start(void) { window_init(&w); }
static void end(void) { window_clear(&w); }

TestSuite(window, .init = start, .fini = end);

/* The window looks at numbers, times, flags and cells; signatures are others' business. */
static struct chunk *make(uint32_t number, uint64_t capture_us, bool random_access) {
    struct head h = {.number = number,
                     .capture_us = capture_us,
                     .flags = random_access ? HEAD_RANDOM_ACCESS : 0,
                     .size = CHUNK_BYTES,
                     .cell_size = CELL_SIZE};
    struct chunk *c = chunk_new(NULL, &h, "", 0);
    cr_assert_not_null(c);
    c->have = head_all_cells(&h);
    return c;
}

static struct slot *put_at(uint32_t number, uint64_t capture_us, bool random_access) {
    struct slot *s = window_slot(&w, number, 1);
    if (s == NULL) return NULL;
    struct chunk *c = make(number, capture_us, random_access);
    cr_assert_eq(window_set_chunk(&w, s, c), 0);
    chunk_unref(c);
    return s;
}

static struct slot *put(uint32_t number) { return put_at(number, US_PER_S, false); }

static size_t held(void) {
    size_t n = 0;
    for (size_t i = 0; i < w.chunks_capacity; i++) n += w.chunks[i] != NULL;
    return n;
}

Test(window, is_empty_at_first) {
    cr_assert_null(window_find(&w, 0));
    cr_assert_null(window_newest_random_access(&w));
    cr_assert_null(window_next_random_access(&w, 0));
    cr_assert_not(window_drop_oldest(&w));
    cr_assert_eq(w.bytes, 0);
}

Test(window, finds_what_it_was_given_and_nothing_else) {
    struct slot *s = put(10);
    cr_assert_eq(window_find(&w, 10), s);
    cr_assert_eq(s->chunk->references, 1);
    cr_assert_null(window_find(&w, 9));
    cr_assert_null(window_find(&w, 11));
    cr_assert_null(window_find(&w, 10 + WINDOW_CHUNKS));
    cr_assert_null(window_find(&w, UINT32_MAX));
}

Test(window, gives_the_same_slot_again) {
    struct slot *s = window_slot(&w, 5, 111);
    cr_assert_eq(window_slot(&w, 5, 222), s);
    cr_assert_eq(s->seen_us, 111);
}

Test(window, takes_older_numbers_while_they_fit) {
    put(1000);
    cr_assert_not_null(window_slot(&w, 1000 - WINDOW_CHUNKS + 1, 1));
    cr_assert_null(window_slot(&w, 1000 - WINDOW_CHUNKS, 1));
    cr_assert_eq(w.newest, 1000);
}

Test(window, forgets_chunks_older_than_the_ring) {
    for (uint32_t i = 0; i < WINDOW_CHUNKS + 10; i++) put(i);
    cr_assert_eq(window_oldest(&w), 10);
    cr_assert_null(window_find(&w, 9));
    cr_assert_not_null(window_find(&w, 10));
    cr_assert_eq(held(), WINDOW_CHUNKS);
    cr_assert_eq(w.bytes, WINDOW_CHUNKS * chunk_size(window_find(&w, 10)->chunk));
}

Test(window, forgets_exactly_what_a_jump_passes_over) {
    for (uint32_t i = 0; i < 100; i++) put(i);
    put(WINDOW_CHUNKS + 49);
    cr_assert_null(window_find(&w, 49));
    cr_assert_not_null(window_find(&w, 50));
    cr_assert_eq(held(), 51);
}

Test(window, forgets_everything_at_a_jump_beyond_the_ring) {
    const uint32_t jumps[] = {WINDOW_CHUNKS, WINDOW_CHUNKS + 1, 1u << 31, UINT32_MAX - 101};
    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        window_clear(&w);
        for (uint32_t k = 0; k <= 100; k++) put(k);
        put(100 + jumps[i]);
        cr_assert_eq(held(), 1);
        cr_assert_eq(w.newest, 100 + jumps[i]);
        cr_assert_eq(w.bytes, chunk_size(window_find(&w, w.newest)->chunk));
    }
}

Test(window, works_up_to_the_last_number_but_one) {
    for (uint32_t i = 0; i < 20; i++) put_at(UINT32_MAX - 20 + i, US_PER_S, i == 3);
    cr_assert_eq(w.newest, UINT32_MAX - 1);
    window_set_whole(&w, window_find(&w, UINT32_MAX - 17), 1);
    cr_assert_eq(window_newest_random_access(&w)->head->number, UINT32_MAX - 17);
    cr_assert_null(window_next_random_access(&w, UINT32_MAX - 16));
    cr_assert_eq(held(), 20);
}

Test(window, cuts_what_was_captured_10_s_before_the_newest) {
    for (uint32_t i = 0; i < 20; i++) put_at(i, (100 + i) * US_PER_S, false);
    for (uint32_t i = 0; i < 20; i++)
        cr_assert_eq(window_find(&w, i) != NULL, i >= 9, "chunk %u", i);
}

Test(window, cuts_nothing_by_time_in_the_first_10_s_of_the_clock) {
    put_at(0, 0, false);
    put_at(1, WINDOW_US - 1, false);
    cr_assert_not_null(window_find(&w, 0));
}

Test(window, does_not_cut_newer_numbers_for_an_older_chunk) {
    put_at(5, 100 * US_PER_S, false);
    put_at(4, 300 * US_PER_S, false);
    cr_assert_not_null(window_find(&w, 5));
}

Test(window, drops_the_oldest_chunks_but_never_the_newest_number) {
    for (uint32_t i = 3; i < 6; i++) put(i);
    size_t one = chunk_size(window_find(&w, 3)->chunk);
    cr_assert(window_drop_oldest(&w));
    cr_assert_null(window_find(&w, 3));
    cr_assert_eq(w.bytes, 2 * one);
    cr_assert(window_drop_oldest(&w));
    cr_assert_not(window_drop_oldest(&w));
    cr_assert_not_null(window_find(&w, 5));
    cr_assert_eq(w.bytes, one);
}

Test(window, does_not_take_an_empty_slot_for_a_chunk_to_drop) {
    cr_assert_not_null(window_slot(&w, 1, 1));
    put(2);
    cr_assert_not(window_drop_oldest(&w));
    cr_assert_not_null(window_find(&w, 1));
}

Test(window, finds_random_access_only_where_a_chunk_is_whole) {
    for (uint32_t i = 0; i < 10; i++) put_at(i, US_PER_S, i % 4 == 0);
    cr_assert_null(window_newest_random_access(&w));
    cr_assert_null(window_next_random_access(&w, 0));
    window_set_whole(&w, window_find(&w, 0), 1);
    window_set_whole(&w, window_find(&w, 3), 1);
    cr_assert_eq(window_newest_random_access(&w)->head->number, 0);
    cr_assert_null(window_next_random_access(&w, 1));
    window_set_whole(&w, window_find(&w, 4), 1);
    cr_assert_eq(window_newest_random_access(&w)->head->number, 4);
    cr_assert_eq(window_next_random_access(&w, 1)->head->number, 4);
    cr_assert_eq(window_next_random_access(&w, 4)->head->number, 4);
    cr_assert_null(window_next_random_access(&w, 5));
    cr_assert_null(window_next_random_access(&w, UINT32_MAX));
}

Test(window, finds_random_access_across_the_ends_of_its_ring) {
    const uint32_t starts[] = {0, 1, 63, 64, 500, WINDOW_CHUNKS - 1, 1023, 70000};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        window_clear(&w);
        uint32_t first = starts[i];
        for (uint32_t k = 0; k < WINDOW_CHUNKS; k++)
            window_set_whole(&w, put_at(first + k, US_PER_S, k % 70 == 5), 1);
        for (uint32_t k = 0; k < WINDOW_CHUNKS; k++) {
            const struct chunk *next = window_next_random_access(&w, first + k);
            uint32_t number = k <= 5 ? 5 : (k - 6) / 70 * 70 + 75;
            cr_assert_eq(next == NULL, number >= WINDOW_CHUNKS, "%u", k);
            if (next != NULL) cr_assert_eq(next->head->number, first + number, "%u", k);
        }
        cr_assert_eq(window_newest_random_access(&w)->head->number, first + 495);
    }
}

Test(window, searches_random_access_no_further_back_than_the_ring) {
    put_at(0, US_PER_S, true);
    for (uint32_t i = 1; i < 2 * WINDOW_CHUNKS; i++) put(i);
    cr_assert_null(window_next_random_access(&w, 0));
    cr_assert_null(window_newest_random_access(&w));
}

Test(window, frees_all_that_it_holds_when_cleared) {
    struct chunk *c = make(1, US_PER_S, false);
    cr_assert_eq(window_set_chunk(&w, window_slot(&w, 1, 1), c), 0);
    cr_assert_eq(c->references, 2);
    window_clear(&w);
    cr_assert_eq(c->references, 1);
    cr_assert_eq(w.bytes, 0);
    cr_assert_eq(held(), 0);
    cr_assert_null(window_find(&w, 1));
    chunk_unref(c);
}

static void put_whole(uint32_t number) { window_set_whole(&w, put(number), 7); }

Test(window, knows_which_chunks_are_whole_across_the_ends_of_its_ring) {
    const uint32_t starts[] = {0, 1, 63, 64, 500, WINDOW_CHUNKS - 1, 1023, 70000};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        window_clear(&w);
        cr_assert_eq(window_recent(&w), 0);
        uint32_t first = starts[i];
        for (uint32_t k = 0; k < 200; k++)
            if (k % 5 != 3)
                put_whole(first + k);
            else
                put(first + k);
        for (uint32_t k = 0; k <= 200; k++) {
            uint32_t hole = k % 5 <= 3 ? k - k % 5 + 3 : k - k % 5 + 8;
            cr_assert_eq(window_next_hole(&w, first + k), first + (hole < 200 ? hole : 200));
        }
        for (uint32_t k = 0; k < 64; k++)
            cr_assert_eq(window_recent(&w) >> k & 1, (199 - k) % 5 != 3, "%u", k);
    }
}

Test(window, keeps_a_slot_until_its_chunk_is_whole_and_counted_and_old) {
    for (uint32_t i = 0; i < 100; i++) window_set_whole(&w, put(i), 1);
    cr_assert_geq(w.slots_capacity, 64, "nothing was counted");
    w.settled = 100;
    uint32_t capacity = w.slots_capacity;
    uint64_t now_us = WINDOW_SETTLED_US;
    for (uint32_t i = 100; i < 1000; i++, now_us += WINDOW_SETTLED_US) {
        struct slot *s = window_slot(&w, i, now_us);
        s->head_us = now_us;
        struct chunk *c = make(i, US_PER_S, false);
        cr_assert_eq(window_set_chunk(&w, s, c), 0);
        chunk_unref(c);
        if (i % 200 != 7) window_set_whole(&w, s, now_us); /* some never are */
        w.settled = i;
    }
    cr_assert_eq(w.slots_capacity, capacity);
    for (uint32_t i = window_oldest(&w); i < 1000; i++) {
        cr_assert_eq(window_chunk(&w, i)->head->number, i);
        if (i % 200 == 7) cr_assert_not_null(window_find(&w, i), "%u is a hole", i);
    }
    cr_assert_null(window_find(&w, 800));
    cr_assert_null(window_slot(&w, 800, now_us), "there is nothing to collect");
}

Test(window, has_room_for_any_number_of_holes) {
    for (uint32_t i = 0; i < 3 * WINDOW_CHUNKS; i++) {
        cr_assert_not_null(window_slot(&w, i, i * US_PER_S));
        w.settled = i;
    }
    for (uint32_t i = window_oldest(&w); i < 3 * WINDOW_CHUNKS; i++)
        cr_assert_eq(window_find(&w, i)->number, i);
    cr_assert_leq(w.slots_capacity, WINDOW_CHUNKS);
}

Test(window, finds_all_of_a_full_ring_whole) {
    for (uint32_t i = 0; i < 700; i++) put_whole(i);
    cr_assert_eq(window_recent(&w), UINT64_MAX);
    cr_assert_eq(window_next_hole(&w, window_oldest(&w)), 700);
    cr_assert_eq(window_next_hole(&w, 700), 700);
    cr_assert_eq(window_next_hole(&w, 800), 800);
    cr_assert_eq(window_next_hole(&w, 0), 0, "what has left it is not whole");
    cr_assert(window_drop_oldest(&w));
    cr_assert_eq(window_next_hole(&w, window_oldest(&w)), window_oldest(&w));
}
