#include "core/swarm/chunk.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"

#define SIZE 2500 /* two full cells of 1,120 bytes and one of 260 */

static struct sign_key key;
static uint8_t payload[SIZE];
static uint8_t encoded[HEAD_SIZE_MAX];
static size_t encoded_len;
static struct head head;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    sign_key_generate(&key, &random);
    random_bytes(&random, payload, sizeof payload);
    head = (struct head){
        .broadcast = 7, .number = 3, .flags = HEAD_LAST, .size = SIZE, .cell_size = CELL_SIZE};
    for (uint32_t i = 0; i < head_cells(&head); i++)
        hash_cell(head.hashes[i], payload + i * CELL_SIZE, head_cell_len(&head, i));
    int len = head_sign(&head, &key, encoded, sizeof encoded);
    cr_assert_gt(len, 0);
    encoded_len = (size_t)len;
}

TestSuite(chunk, .init = start);

static struct chunk *make(void) {
    struct chunk *c = chunk_new(&head, encoded, encoded_len);
    cr_assert_not_null(c);
    return c;
}

static int add(struct chunk *c, uint32_t index) {
    return chunk_add_cell(c, index, payload + index * CELL_SIZE, head_cell_len(&head, index));
}

Test(chunk, is_complete_when_its_last_cell_was_verified) {
    struct chunk *c = make();
    cr_assert_eq(chunk_missing(c), 7);
    cr_assert_eq(add(c, 2), 0);
    cr_assert_eq(add(c, 0), 0);
    cr_assert_not(chunk_is_complete(c));
    cr_assert_eq(chunk_missing(c), 2);
    cr_assert_eq(add(c, 1), 0);
    cr_assert(chunk_is_complete(c));
    cr_assert_arr_eq(chunk_payload(c), payload, SIZE);
    cr_assert_arr_eq(chunk_cell(c, 2), payload + 2 * CELL_SIZE, 260);
    chunk_unref(c);
}

Test(chunk, keeps_the_encoded_head_and_its_tag) {
    struct chunk *c = make();
    cr_assert_eq(c->encoded_len, encoded_len);
    cr_assert_arr_eq(chunk_encoded(c), encoded, encoded_len);
    cr_assert_eq(c->tag, head_tag(encoded, encoded_len));
    cr_assert_eq(chunk_size(c), sizeof *c + encoded_len + SIZE);
    chunk_unref(c);
}

Test(chunk, refuses_a_cell_that_is_there) {
    struct chunk *c = make();
    cr_assert_eq(add(c, 1), 0);
    cr_assert_eq(add(c, 1), ERR_DUPLICATE);
    cr_assert_eq(c->have, 2);
    chunk_unref(c);
}

Test(chunk, refuses_every_index_that_the_head_does_not_have) {
    struct chunk *c = make();
    const uint32_t indices[] = {3, 63, 64, 255, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(indices); i++)
        cr_assert_eq(chunk_add_cell(c, indices[i], payload, CELL_SIZE), ERR_RANGE);
    cr_assert_eq(c->have, 0);
    chunk_unref(c);
}

Test(chunk, refuses_every_other_length) {
    struct chunk *c = make();
    for (size_t len = 0; len <= CELL_SIZE_MAX; len++)
        if (len != CELL_SIZE) cr_assert_eq(chunk_add_cell(c, 0, payload, len), ERR_RANGE);
    cr_assert_eq(chunk_add_cell(c, 2, payload + 2 * CELL_SIZE, CELL_SIZE), ERR_RANGE);
    cr_assert_eq(c->have, 0);
    chunk_unref(c);
}

Test(chunk, refuses_a_flip_of_any_byte) {
    struct chunk *c = make();
    for (size_t i = 0; i < CELL_SIZE; i += 37) {
        payload[i] ^= 1;
        cr_assert_eq(add(c, 0), ERR_HASH);
        payload[i] ^= 1;
    }
    cr_assert_eq(c->have, 0);
    cr_assert_eq(add(c, 0), 0);
    chunk_unref(c);
}

Test(chunk, refuses_a_true_cell_in_the_place_of_another) {
    struct chunk *c = make();
    cr_assert_eq(chunk_add_cell(c, 0, payload + CELL_SIZE, CELL_SIZE), ERR_HASH);
    chunk_unref(c);
}

Test(chunk, without_payload_is_complete_at_once) {
    struct head end = {.broadcast = 7, .number = 4, .flags = HEAD_END, .cell_size = CELL_SIZE};
    uint8_t bytes[HEAD_SIZE_MAX];
    int len = head_sign(&end, &key, bytes, sizeof bytes);
    cr_assert_gt(len, 0);
    struct chunk *c = chunk_new(&end, bytes, (size_t)len);
    cr_assert(chunk_is_complete(c));
    cr_assert_eq(chunk_add_cell(c, 0, payload, 1), ERR_RANGE);
    chunk_unref(c);
}

Test(chunk, lives_as_long_as_its_last_reference) {
    struct chunk *c = make();
    cr_assert_eq(chunk_ref(c), c);
    chunk_unref(c);
    cr_assert_eq(c->references, 1);
    cr_assert_eq(add(c, 0), 0);
    chunk_unref(c);
    chunk_unref(NULL);
}
