#include "core/proto/head.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "tests/lib/hex.h"

static struct sign_key key;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    sign_key_from_seed(&key, (const uint8_t[SIGN_SEED_BYTES]){1});
}

TestSuite(head, .init = start);

static const uint8_t payload[CHUNK_SIZE_MAX] = {1, 2, 3};

/* A head of `size` payload bytes in cells of `cell_size`, with their hashes. */
static struct head head_of(uint32_t size, uint16_t cell_size) {
    struct head h = {.broadcast = 0x0102030405060708,
                     .number = 1000,
                     .track = 2,
                     .flags = size == 0 ? HEAD_END : HEAD_FIRST | HEAD_LAST,
                     .init = 1,
                     .random_access = 30,
                     .pts_us = 33 * US_PER_S,
                     .duration_us = 100000,
                     .capture_us = 1700000000 * US_PER_S,
                     .manifest_version = 4,
                     .size = size,
                     .cell_size = cell_size};
    for (uint32_t i = 0; i < head_cells(&h); i++)
        hash_cell(h.hashes[i], payload + i * cell_size, head_cell_len(&h, i));
    return h;
}

static size_t encode(struct head *h, uint8_t *ret) {
    int len = head_sign(h, &key, ret, HEAD_SIZE_MAX);
    cr_assert_gt(len, 0);
    return (size_t)len;
}

static void expect_equal(const struct head *a, const struct head *b) {
    cr_assert_eq(a->broadcast, b->broadcast);
    cr_assert_eq(a->number, b->number);
    cr_assert_eq(a->track, b->track);
    cr_assert_eq(a->flags, b->flags);
    cr_assert_eq(a->init, b->init);
    cr_assert_eq(a->random_access, b->random_access);
    cr_assert_eq(a->pts_us, b->pts_us);
    cr_assert_eq(a->duration_us, b->duration_us);
    cr_assert_eq(a->capture_us, b->capture_us);
    cr_assert_eq(a->manifest_version, b->manifest_version);
    cr_assert_eq(a->size, b->size);
    cr_assert_eq(a->cell_size, b->cell_size);
    cr_assert_arr_eq(a->hashes, b->hashes, sizeof a->hashes);
    cr_assert_arr_eq(a->signature, b->signature, sizeof a->signature);
}

Test(head, comes_back_as_it_was_signed) {
    static const uint32_t sizes[] = {0, 1, 1119, 1120, 1121, 5000, 64 * 1120};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct head h = head_of(sizes[i], 1120), got;
        uint8_t data[HEAD_SIZE_MAX];
        size_t len = encode(&h, data);
        cr_assert_eq(len, 47 + 16 * head_cells(&h) + SIGNATURE_BYTES);
        cr_assert_eq(head_decode(data, len, &got), 0);
        expect_equal(&h, &got);
        cr_assert_eq(head_verify(data, len, &key.public), 0);
    }
}

Test(head, stands_on_the_wire_as_its_struct_says) {
    struct head h = head_of(0, 1120);
    uint8_t data[HEAD_SIZE_MAX], expected[47];
    encode(&h, data);
    cr_assert_eq(hex_read("0102030405060708"
                          "000003e8"
                          "02"
                          "08"
                          "01"
                          "001e"
                          "0000000001f78a40"
                          "000186a0"
                          "00060a24181e4000"
                          "00000004"
                          "00000000"
                          "0460",
                          expected, sizeof expected),
                 47);
    cr_assert_arr_eq(data, expected, sizeof expected);
}

Test(head, counts_and_measures_its_cells) {
    struct head h = head_of(2500, 1000);
    cr_assert_eq(head_cells(&h), 3);
    cr_assert_eq(head_cell_len(&h, 0), 1000);
    cr_assert_eq(head_cell_len(&h, 1), 1000);
    cr_assert_eq(head_cell_len(&h, 2), 500);
    cr_assert_eq(head_all_cells(&h), 7);
    h = head_of(2000, 1000);
    cr_assert_eq(head_cells(&h), 2);
    cr_assert_eq(head_cell_len(&h, 1), 1000);
    h = head_of(CHUNK_SIZE_MAX, CELL_SIZE_MAX);
    cr_assert_eq(head_cells(&h), CHUNK_CELLS_MAX);
    cr_assert_eq(head_all_cells(&h), UINT64_MAX);
    h = head_of(0, 1000);
    cr_assert_eq(head_cells(&h), 0);
    cr_assert_eq(head_all_cells(&h), 0);
}

/* A cut head must not be read behind its end, and leaves the struct alone. */
Test(head, is_refused_when_cut_at_any_byte_or_longer_by_one) {
    struct head h = head_of(3000, 1120), got, before;
    uint8_t data[HEAD_SIZE_MAX + 1];
    size_t len = encode(&h, data);
    memset(&got, 0xaa, sizeof got);
    memset(&before, 0xaa, sizeof before);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, data, cut);
        cr_assert_eq(head_decode(copy, cut, &got), ERR_TRUNCATED, "cut at %zu", cut);
        cr_assert_eq(head_verify(copy, cut, &key.public), ERR_SIGNATURE);
        free(copy);
    }
    data[len] = 0;
    cr_assert_eq(head_decode(data, len + 1, &got), ERR_TRAILING);
    cr_assert_eq(memcmp(&got, &before, sizeof got), 0);
}

Test(head, is_refused_with_any_bit_changed) {
    struct head h = head_of(3000, 1120);
    uint8_t data[HEAD_SIZE_MAX];
    size_t len = encode(&h, data);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(head_verify(data, len, &key.public), ERR_SIGNATURE, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(head_verify(data, len, &key.public), 0);
}

Test(head, is_refused_when_signed_by_another_key_or_for_another_purpose) {
    struct head h = head_of(3000, 1120);
    struct sign_key other;
    uint8_t data[HEAD_SIZE_MAX];
    sign_key_from_seed(&other, (const uint8_t[SIGN_SEED_BYTES]){2});
    size_t len = encode(&h, data);
    cr_assert_eq(head_verify(data, len, &other.public), ERR_SIGNATURE);
    sign_message(&key, "another purpose", data, len - SIGNATURE_BYTES,
                 data + len - SIGNATURE_BYTES);
    cr_assert_eq(head_verify(data, len, &key.public), ERR_SIGNATURE);
}

Test(head, that_is_longer_than_any_is_no_signed_one) {
    static const uint8_t data[2 * SIGN_MESSAGE_MAX];
    cr_assert_eq(head_verify(data, sizeof data, &key.public), ERR_SIGNATURE);
}

/* Changes one field after signing: the decoder looks at the fields alone. */
static void expect_range(size_t offset, const char *bytes) {
    struct head h = head_of(3000, 1120), got;
    uint8_t data[HEAD_SIZE_MAX];
    size_t len = encode(&h, data);
    cr_assert_gt(hex_read(bytes, data + offset, 8), 0);
    cr_assert_eq(head_decode(data, len, &got), ERR_RANGE, "%s at %zu", bytes, offset);
}

Test(head, is_refused_with_fields_out_of_range) {
    expect_range(12, "08");       /* track */
    expect_range(13, "10");       /* flags */
    expect_range(13, "08");       /* an end with a payload */
    expect_range(15, "03e9");     /* random access before chunk 0 */
    expect_range(25, "00989681"); /* 10 s and 1 us */
    expect_range(41, "00000000"); /* no payload, and no end */
    expect_range(41, "00011801"); /* 64 cells and a byte */
    expect_range(41, "ffffffff");
    expect_range(45, "0000"); /* cells of no bytes */
    expect_range(45, "0579"); /* CELL_SIZE_MAX + 1 */
    expect_range(45, "0001"); /* 3,000 cells of one byte */
}

static void expect_not_signed(struct head h) {
    uint8_t data[HEAD_SIZE_MAX];
    cr_assert_eq(head_sign(&h, &key, data, sizeof data), ERR_RANGE);
}

Test(head, is_not_signed_where_it_would_be_refused) {
    struct head h = head_of(3000, 1120);
    h.duration_us = HEAD_DURATION_MAX_US + 1;
    expect_not_signed(h);
    h.duration_us = HEAD_DURATION_MAX_US;
    h.track = TRACKS_MAX;
    expect_not_signed(h);
    h.track = TRACKS_MAX - 1;
    h.size = 64 * 1120 + 1;
    expect_not_signed(h);
    h.size = 3000;
    h.cell_size = 0;
    expect_not_signed(h);
    h.cell_size = 1120;
    uint8_t data[HEAD_SIZE_MAX];
    cr_assert_gt(head_sign(&h, &key, data, sizeof data), 0);
}

Test(head, is_not_written_where_there_is_no_room) {
    struct head h = head_of(3000, 1120);
    uint8_t data[HEAD_SIZE_MAX];
    size_t len = encode(&h, data);
    for (size_t capacity = 0; capacity < len; capacity++)
        cr_assert_eq(head_sign(&h, &key, data, capacity), ERR_FULL);
}

Test(head, knows_its_cells_by_their_hashes) {
    struct head h = head_of(2500, 1000);
    uint8_t cell[1000];
    cr_assert_eq(head_check_cell(&h, 0, payload, 1000), 0);
    cr_assert_eq(head_check_cell(&h, 2, payload + 2000, 500), 0);
    cr_assert_eq(head_check_cell(&h, 1, payload, 1000), ERR_HASH);
    cr_assert_eq(head_check_cell(&h, 0, payload, 999), ERR_RANGE);
    cr_assert_eq(head_check_cell(&h, 2, payload + 2000, 1000), ERR_RANGE);
    cr_assert_eq(head_check_cell(&h, 3, payload, 1000), ERR_RANGE);
    cr_assert_eq(head_check_cell(&h, UINT32_MAX, payload, 1000), ERR_RANGE);
    for (size_t bit = 0; bit < 8 * sizeof cell; bit++) {
        memcpy(cell, payload, sizeof cell);
        cell[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(head_check_cell(&h, 0, cell, sizeof cell), ERR_HASH);
    }
}

/* Two signatures over one head would name the same chunk. */
Test(head, has_a_tag_that_depends_on_all_but_the_signature) {
    struct head h = head_of(3000, 1120);
    uint8_t data[HEAD_SIZE_MAX], hash[16];
    size_t len = encode(&h, data);
    uint32_t tag = head_tag(data, len);
    hash_context(hash, sizeof hash, "shoal head tag 1", data, len - SIGNATURE_BYTES);
    cr_assert_eq(tag, load_u32(hash));
    for (size_t i = 0; i < len; i++) {
        data[i] ^= 1;
        cr_assert_eq(head_tag(data, len) == tag, i >= len - SIGNATURE_BYTES, "byte %zu", i);
        data[i] ^= 1;
    }
    (void)head_tag(data, 3); /* shorter than a signature: some tag, and no step outside */
}
