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

static struct chunk *make_in(struct chunk_pool *pool) {
    struct chunk *c = chunk_new(pool, &head, encoded, encoded_len);
    cr_assert_not_null(c);
    return c;
}

static struct chunk *make(void) { return make_in(NULL); }

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
    struct chunk *c = chunk_new(NULL, &end, bytes, (size_t)len);
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

Test(chunk, is_whole_once_the_source_has_filled_it) {
    struct chunk *c = make();
    chunk_fill(c, payload);
    cr_assert(chunk_is_complete(c));
    cr_assert_arr_eq(chunk_payload(c), payload, SIZE);
    cr_assert_eq(add(c, 0), ERR_DUPLICATE);
    chunk_unref(c);
}

/* What is multiplied by the nodes of a process. */
Test(chunk, is_small_beside_its_body) { cr_assert_leq(sizeof(struct chunk), 48); }

Test(chunk_pool, gives_two_chunks_one_body_and_each_its_own_cells, .init = start) {
    struct chunk_pool *pool = chunk_pool_new();
    struct chunk *a = make_in(pool), *b = make_in(pool), *alone = make();
    cr_assert_eq(chunk_pool_len(pool), 1);
    cr_assert_eq(chunk_payload(a), chunk_payload(b));
    cr_assert_neq(chunk_payload(a), chunk_payload(alone));
    for (uint32_t i = 0; i < 3; i++) cr_assert_eq(add(a, i), 0);
    cr_assert(chunk_is_complete(a));
    cr_assert_eq(b->have, 0);
    cr_assert_eq(add(b, 1), 0);
    cr_assert_eq(add(b, 1), ERR_DUPLICATE);
    cr_assert_eq(chunk_missing(b), 5);
    cr_assert_arr_eq(chunk_payload(a), payload, SIZE);
    cr_assert_eq(chunk_size(a), chunk_size(b));
    cr_assert_eq(chunk_size(a), chunk_size(alone));
    cr_assert_gt(chunk_size(a), encoded_len + SIZE);
    chunk_unref(a);
    chunk_unref(b);
    chunk_unref(alone);
    chunk_pool_free(pool);
}

Test(chunk_pool, lets_a_bad_cell_reach_no_other_chunk, .init = start) {
    struct chunk_pool *pool = chunk_pool_new();
    struct chunk *a = make_in(pool), *b = make_in(pool);
    cr_assert_eq(add(a, 0), 0);
    static uint8_t bad[SIZE];
    for (size_t i = 0; i < SIZE; i++) bad[i] = (uint8_t)~payload[i];
    /* A cell that the body has, and one that it has not. */
    cr_assert_eq(chunk_add_cell(b, 0, bad, CELL_SIZE), ERR_HASH);
    cr_assert_eq(chunk_add_cell(b, 1, bad + CELL_SIZE, CELL_SIZE), ERR_HASH);
    cr_assert_eq(b->have, 0);
    cr_assert_arr_eq(chunk_cell(a, 0), payload, CELL_SIZE);
    cr_assert_eq(add(a, 1), 0);
    cr_assert_arr_eq(chunk_cell(a, 1), payload + CELL_SIZE, CELL_SIZE);
    chunk_unref(a);
    chunk_unref(b);
    chunk_pool_free(pool);
}

Test(chunk_pool, keeps_a_body_until_its_last_chunk_goes, .init = start) {
    struct chunk_pool *pool = chunk_pool_new();
    struct chunk *a = make_in(pool);
    chunk_fill(a, payload);
    struct chunk *b = make_in(pool);
    chunk_unref(a);
    cr_assert_eq(chunk_pool_len(pool), 1);
    cr_assert_eq(b->have, 0);
    cr_assert_eq(add(b, 2), 0);
    cr_assert_arr_eq(chunk_payload(b), payload, SIZE);
    chunk_unref(b);
    cr_assert_eq(chunk_pool_len(pool), 0);
    chunk_pool_free(pool);
}

/* Also where they differ in the signature alone, which the tag leaves out. */
Test(chunk_pool, keeps_heads_that_differ_in_one_byte_apart, .init = start) {
    struct chunk_pool *pool = chunk_pool_new();
    struct chunk *chunks[HEAD_SIZE_MAX];
    size_t same_tag = 0;
    for (size_t i = 0; i < encoded_len; i++) {
        encoded[i] ^= 1;
        chunks[i] = make_in(pool);
        encoded[i] ^= 1;
        same_tag += chunks[i]->tag == head_tag(encoded, encoded_len);
        cr_assert_eq(chunk_pool_len(pool), i + 1);
    }
    cr_assert_eq(same_tag, SIGNATURE_BYTES);
    for (size_t i = 0; i < encoded_len; i += 2) chunk_unref(chunks[i]);
    for (size_t i = 1; i < encoded_len; i += 2) chunk_unref(chunks[i]);
    cr_assert_eq(chunk_pool_len(pool), 0);
    chunk_pool_free(pool);
}
