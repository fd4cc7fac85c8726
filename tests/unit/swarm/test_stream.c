#include "core/swarm/stream.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/neighbour.h"

static struct stream s;

static void init(uint8_t kind, uint32_t bitrate_bps) {
    struct track track = {.kind = kind, .bitrate_bps = bitrate_bps};
    stream_init(&s, 3, &track);
}

static void put(uint32_t number, bool complete) {
    struct head h = {.number = number, .size = 100, .cell_size = CELL_SIZE};
    struct chunk *c = chunk_new(NULL, &h, "", 0);
    if (complete) c->have = 1;
    struct slot *slot = window_slot(&s.window, number, 1);
    cr_assert_eq(window_set_chunk(&s.window, slot, c), 0);
    if (complete) window_set_whole(&s.window, slot, 1);
    chunk_unref(c);
}

Test(stream, has_substreams_for_its_rate) {
    cr_assert_eq(substreams_for(TRACK_AUDIO, 10000000), 2);
    cr_assert_eq(substreams_for(TRACK_VIDEO, 0), 4);
    cr_assert_eq(substreams_for(TRACK_VIDEO, 499999), 4);
    cr_assert_eq(substreams_for(TRACK_VIDEO, 500000), 8);
    cr_assert_eq(substreams_for(TRACK_VIDEO, 2000000), 8);
    cr_assert_eq(substreams_for(TRACK_VIDEO, 2000001), 16);
    cr_assert_eq(substreams_for(TRACK_VIDEO, UINT32_MAX), 16);
}

Test(stream, starts_without_parents_or_chunks) {
    init(TRACK_VIDEO, 3000000);
    cr_assert_eq(s.track, 3);
    cr_assert_eq(s.substream_bps, 3000000 / 16);
    cr_assert_eq(stream_all_substreams(&s), 0xffff);
    for (size_t i = 0; i < SUPPLIES; i++) cr_assert_null(s.supplies[i].parent);
    cr_assert_eq(stream_first_hole(&s), 0);
    stream_release(&s);
}

Test(stream, gives_every_cell_to_exactly_one_substream) {
    const uint32_t rates[] = {100000, 1000000, 3000000};
    for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
        init(TRACK_VIDEO, rates[r]);
        const uint32_t numbers[] = {0, 1, 17, UINT32_MAX};
        for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
            uint64_t all = 0;
            for (unsigned i = 0; i < s.substreams; i++) {
                uint64_t mine = stream_cells_of(&s, numbers[n], 64, 1u << i);
                cr_assert_eq(all & mine, 0);
                all |= mine;
            }
            cr_assert_eq(all, UINT64_MAX);
        }
    }
}

Test(stream, names_no_cell_that_the_chunk_does_not_have) {
    init(TRACK_VIDEO, 3000000);
    cr_assert_eq(stream_cells_of(&s, 5, 0, 0xffff), 0);
    cr_assert_eq(stream_cells_of(&s, 5, 1, 0xffff), 1);
    cr_assert_eq(stream_cells_of(&s, 5, 63, 0xffff), UINT64_MAX >> 1);
    cr_assert_eq(stream_cells_of(&s, 5, 64, 0), 0);
}

Test(stream, spreads_the_first_cells_of_chunks_over_the_substreams) {
    init(TRACK_VIDEO, 3000000);
    uint32_t seen = 0;
    for (uint32_t n = 0; n < 16; n++) seen |= 1u << stream_substream(&s, n, 0);
    cr_assert_eq(seen, 0xffff);
}

Test(stream, finds_the_first_hole_from_its_start_on) {
    init(TRACK_VIDEO, 3000000);
    s.start = 2;
    cr_assert_eq(stream_first_hole(&s), 2);
    put(2, true);
    put(3, true);
    cr_assert_eq(stream_first_hole(&s), 4);
    put(5, true);
    cr_assert_eq(stream_first_hole(&s), 4);
    put(4, false);
    cr_assert_eq(stream_first_hole(&s), 4);
    window_set_whole(&s.window, window_find(&s.window, 4), 1);
    cr_assert_eq(stream_first_hole(&s), 6);
    stream_close_hole(&s);
    cr_assert(window_drop_oldest(&s.window));
    cr_assert_eq(stream_first_hole(&s), 6, "what was there and is gone is no hole");
    stream_release(&s);
}

Test(stream, looks_for_holes_no_further_back_than_the_window) {
    init(TRACK_VIDEO, 3000000);
    put(WINDOW_CHUNKS + 99, true);
    cr_assert_eq(stream_first_hole(&s), 100);
    s.start = 10000;
    cr_assert_eq(stream_first_hole(&s), 10000);
    stream_release(&s);
}

Test(stream, forgets_a_neighbour_everywhere) {
    init(TRACK_VIDEO, 3000000);
    static struct neighbour gone, stays;
    for (size_t i = 0; i < SUPPLIES; i++) {
        s.supplies[i].parent = i % 2 == 0 ? &gone : &stays;
        s.supplies[i].next = i % 3 == 0 ? &gone : &stays;
        s.supplies[i].is_granted = true;
        s.supplies[i].ancestors_len = 4;
    }
    stream_forget_neighbour(&s, &gone);
    for (size_t i = 0; i < SUPPLIES; i++) {
        cr_assert_neq(s.supplies[i].parent, &gone);
        cr_assert_neq(s.supplies[i].next, &gone);
        cr_assert_eq(s.supplies[i].is_granted, i % 2 == 1);
        cr_assert_eq(s.supplies[i].ancestors_len, i % 2 == 0 ? 0 : 4);
    }
}
