#include "core/proto/cell.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/proto/limits.h"
#include "tests/lib/hex.h"

Test(cell, comes_back_as_it_was_written) {
    struct rng rng = rng_init(1);
    for (int round = 0; round < 2000; round++) {
        uint8_t frame[CELL_HEADER_BYTES + 3] = {[CELL_HEADER_BYTES] = 1, 2, 3};
        struct cell got, c = {.slot = (uint8_t)rng_below(&rng, SLOTS_MAX),
                              .track = (uint8_t)rng_below(&rng, TRACKS_MAX),
                              .index = (uint8_t)rng_below(&rng, CHUNK_CELLS_MAX),
                              .number = (uint32_t)rng_u64(&rng),
                              .head_tag = (uint32_t)rng_u64(&rng)};
        cell_write_header(&c, frame);
        cr_assert(cell_is(frame[0]));
        cr_assert_eq(cell_read(frame, sizeof frame, &got), 0);
        cr_assert_eq(got.slot, c.slot);
        cr_assert_eq(got.track, c.track);
        cr_assert_eq(got.index, c.index);
        cr_assert_eq(got.number, c.number & 0xffff);
        cr_assert_eq(got.head_tag, c.head_tag);
        cr_assert_eq(got.len, 3);
        cr_assert_eq(got.payload, frame + CELL_HEADER_BYTES);
    }
}

Test(cell, stands_on_the_wire_as_its_header_says) {
    struct cell c = {.slot = 9, .track = 5, .index = 63, .number = 0x12345678, .head_tag = 1};
    uint8_t got[CELL_HEADER_BYTES], expected[CELL_HEADER_BYTES];
    cell_write_header(&c, got);
    cr_assert_eq(hex_read("cd3f567800000001", expected, sizeof expected), CELL_HEADER_BYTES);
    cr_assert_arr_eq(got, expected, sizeof expected);
}

Test(cell, is_refused_when_cut_before_its_payload) {
    static const uint8_t frame[CELL_HEADER_BYTES + 1] = {CELL_TYPE_BIT};
    struct cell c = {.slot = 77};
    for (size_t len = 0; len <= CELL_HEADER_BYTES; len++) {
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, frame, len);
        cr_assert_eq(cell_read(copy, len, &c), ERR_TRUNCATED);
        free(copy);
    }
    cr_assert_eq(c.slot, 77);
    cr_assert_eq(cell_read(frame, sizeof frame, &c), 0);
}

Test(cell, is_refused_without_its_type_bit_or_with_reserved_index_bits) {
    uint8_t frame[CELL_HEADER_BYTES + 1] = {0};
    struct cell c;
    cr_assert_eq(cell_read(frame, sizeof frame, &c), ERR_FORMAT);
    frame[0] = 0x7f;
    cr_assert_eq(cell_read(frame, sizeof frame, &c), ERR_FORMAT);
    frame[0] = CELL_TYPE_BIT;
    for (unsigned index = 0; index < 256; index++) {
        frame[1] = (uint8_t)index;
        cr_assert_eq(cell_read(frame, sizeof frame, &c), index < CHUNK_CELLS_MAX ? 0 : ERR_RANGE);
    }
}

Test(cell, is_refused_with_a_payload_over_the_maximum) {
    static uint8_t frame[CELL_HEADER_BYTES + CELL_SIZE_MAX + 1] = {CELL_TYPE_BIT};
    struct cell c;
    cr_assert_eq(cell_read(frame, sizeof frame - 1, &c), 0);
    cr_assert_eq(c.len, CELL_SIZE_MAX);
    cr_assert_eq(cell_read(frame, sizeof frame, &c), ERR_RANGE);
}

Test(cell, number_is_the_nearest_one) {
    cr_assert_eq(chunk_number_expand(5, 5), 5);
    cr_assert_eq(chunk_number_expand(0xffff, 0x10000), 0xffff);
    cr_assert_eq(chunk_number_expand(0, 0xffff), 0x10000);
    cr_assert_eq(chunk_number_expand(0x1234, 0xabcd1235), 0xabcd1234);
    cr_assert_eq(chunk_number_expand(0xfff0, 0xabcd0010), 0xabccfff0);
    cr_assert_eq(chunk_number_expand(0x0010, 0xabcdfff0), 0xabce0010);
}

Test(cell, number_never_leaves_its_range) {
    cr_assert_eq(chunk_number_expand(0xffff, 0), 0xffff);
    cr_assert_eq(chunk_number_expand(0x9000, 3), 0x9000);
    cr_assert_eq(chunk_number_expand(0, UINT32_MAX), 0xffff0000);
    cr_assert_eq(chunk_number_expand(0xffff, UINT32_MAX), UINT32_MAX);
}

Test(cell, number_is_found_from_anywhere_within_half_the_range) {
    struct rng rng = rng_init(2);
    for (int round = 0; round < 10000; round++) {
        uint32_t near = (uint32_t)(0x10000 + rng_below(&rng, UINT32_MAX - 0x20000));
        int64_t distance = (int64_t)rng_below(&rng, 0xffff) - 0x7fff;
        uint32_t number = (uint32_t)(near + distance);
        cr_assert_eq(chunk_number_expand((uint16_t)number, near), number, "%u near %u", number,
                     near);
    }
}
