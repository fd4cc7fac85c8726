#include "core/swarm/publisher.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/broadcast.h"

#define ROOM (CHUNK_CELLS_MAX * CELL_SIZE) /* of one public chunk */
#define SEALED_ROOM (ROOM - READ_KEY_OVERHEAD)

static struct broadcast b;

struct cut {
    size_t len, max; /* emits fail from the max-th on */
    struct chunk *chunks[FRAGMENT_CHUNKS_MAX + 1];
};

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(publisher, .init = start);

static int collect(void *ctx, struct chunk *chunk) {
    struct cut *cut = ctx;
    if (cut->len == cut->max) {
        chunk_unref(chunk);
        return ERR_FULL;
    }
    cut->chunks[cut->len++] = chunk;
    return 0;
}

static void release(struct cut *cut) {
    for (size_t i = 0; i < cut->len; i++) chunk_unref(cut->chunks[i]);
    cut->len = 0;
}

static int cut_into(struct cut *cut, uint32_t number, size_t len, bool random_access) {
    *cut = (struct cut){.max = ARRAY_LEN(cut->chunks)};
    struct fragment *f = broadcast_fragment(BROADCAST_VIDEO, number, len, 1000, random_access);
    int n = publisher_cut(&b.publisher, f, collect, cut);
    fragment_unref(f);
    return n;
}

/* Signature, hashes and tag as a stranger would check them. */
static void assert_verifies(const struct chunk *c) {
    struct head h;
    cr_assert_eq(head_decode(chunk_encoded(c), c->encoded_len, &h), 0);
    cr_assert_eq(head_verify(chunk_encoded(c), c->encoded_len, &b.key.public), 0);
    cr_assert_eq(c->tag, head_tag(chunk_encoded(c), c->encoded_len));
    cr_assert(chunk_is_complete(c));
    for (uint32_t i = 0; i < head_cells(&h); i++)
        cr_assert_eq(head_check_cell(&h, i, chunk_cell(c, i), head_cell_len(&h, i)), 0);
}

static void assert_cut(size_t len, const uint32_t *sizes, size_t parts) {
    struct cut cut;
    cr_assert_eq(cut_into(&cut, 5, len, true), (int)parts, "%zu bytes", len);
    cr_assert_eq(cut.len, parts);
    size_t at = 0;
    for (size_t i = 0; i < parts; i++) {
        const struct head *h = cut.chunks[i]->head;
        cr_assert_eq(h->size, sizes[i]);
        cr_assert_eq((h->flags & HEAD_FIRST) != 0, i == 0);
        cr_assert_eq((h->flags & HEAD_LAST) != 0, i + 1 == parts);
        cr_assert_eq((h->flags & HEAD_RANDOM_ACCESS) != 0, i == 0);
        cr_assert_leq(head_cells(h), CHUNK_CELLS_MAX);
        assert_verifies(cut.chunks[i]);
        if (!b.is_private)
            for (size_t k = 0; k < h->size; k++, at++)
                cr_assert_eq(chunk_payload(cut.chunks[i])[k], broadcast_byte(0, 5, at));
    }
    release(&cut);
}

Test(publisher, cuts_around_the_border_of_64_cells) {
    broadcast_init(&b, 1, 7, false, 0);
    assert_cut(1, (const uint32_t[]){1}, 1);
    assert_cut(CELL_SIZE, (const uint32_t[]){CELL_SIZE}, 1);
    assert_cut(ROOM - 1, (const uint32_t[]){ROOM - 1}, 1);
    assert_cut(ROOM, (const uint32_t[]){ROOM}, 1);
    assert_cut(ROOM + 1, (const uint32_t[]){ROOM, 1}, 2);
    assert_cut(2 * ROOM, (const uint32_t[]){ROOM, ROOM}, 2);
    assert_cut(2 * ROOM + 1, (const uint32_t[]){ROOM, ROOM, 1}, 3);
}

Test(publisher, leaves_room_for_the_tag_of_a_private_channel) {
    broadcast_init(&b, 1, 7, true, 0);
    assert_cut(1, (const uint32_t[]){1 + READ_KEY_OVERHEAD}, 1);
    assert_cut(SEALED_ROOM, (const uint32_t[]){ROOM}, 1);
    assert_cut(SEALED_ROOM + 1, (const uint32_t[]){ROOM, 1 + READ_KEY_OVERHEAD}, 2);
}

Test(publisher, seals_each_chunk_of_a_private_channel_under_its_own_number) {
    broadcast_init(&b, 1, 7, true, 0);
    struct cut cut;
    cr_assert_eq(cut_into(&cut, 9, SEALED_ROOM + 100, true), 2);
    static uint8_t plain[ROOM];
    size_t at = 0;
    for (size_t i = 0; i < cut.len; i++) {
        const struct chunk *c = cut.chunks[i];
        const uint8_t *sealed = chunk_payload(cut.chunks[i]);
        int len = read_key_unseal(&b.read_key, 7, 0, c->head->number, sealed, c->head->size, plain);
        cr_assert_eq(len, (int)c->head->size - READ_KEY_OVERHEAD);
        for (int k = 0; k < len; k++, at++) cr_assert_eq(plain[k], broadcast_byte(0, 9, at));
        cr_assert_eq(
            read_key_unseal(&b.read_key, 7, 0, c->head->number + 1, sealed, c->head->size, plain),
            ERR_DECRYPT);
    }
    cr_assert_eq(at, SEALED_ROOM + 100);
    release(&cut);
}

Test(publisher, numbers_the_chunks_of_each_track_from_0_without_a_gap) {
    broadcast_init(&b, 1, 7, false, 0);
    struct cut cut = {.max = ARRAY_LEN(cut.chunks)};
    for (uint32_t i = 0; i < 6; i++) {
        struct fragment *f =
            broadcast_fragment((uint8_t)(i % 2), i, i % 2 == 0 ? ROOM + 1 : 10, 1000, true);
        cr_assert_gt(publisher_cut(&b.publisher, f, collect, &cut), 0);
        fragment_unref(f);
    }
    uint32_t next[2] = {0, 0};
    cr_assert_eq(cut.len, 9);
    for (size_t i = 0; i < cut.len; i++)
        cr_assert_eq(cut.chunks[i]->head->number, next[cut.chunks[i]->head->track]++);
    release(&cut);
}

Test(publisher, says_how_far_back_decoding_can_start) {
    broadcast_init(&b, 1, 7, false, 0);
    for (uint32_t i = 0; i < 12; i++) {
        struct cut cut;
        /* Two chunks each; a random access point every fourth fragment. */
        cr_assert_eq(cut_into(&cut, i, ROOM + 1, i % 4 == 0), 2);
        cr_assert_eq(cut.chunks[0]->head->random_access, i % 4 * 2);
        cr_assert_eq(cut.chunks[1]->head->random_access, i % 4 * 2 + 1);
        release(&cut);
    }
}

Test(publisher, says_at_most_65535_chunks_back) {
    broadcast_init(&b, 1, 7, false, 0);
    b.publisher.next[0] = 65535;
    const uint16_t back[] = {65535, 65535, 65535};
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        struct cut cut;
        cr_assert_eq(cut_into(&cut, (uint32_t)i, 1, false), 1);
        cr_assert_eq(cut.chunks[0]->head->random_access, back[i]);
        release(&cut);
    }
}

Test(publisher, passes_on_what_the_fragment_says) {
    broadcast_init(&b, 1, 7, false, 0);
    struct fragment *f = broadcast_fragment(BROADCAST_AUDIO, 11, 100, 123456789, false);
    struct cut cut = {.max = 1};
    b.publisher.manifest_version = 4;
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), 1);
    const struct head *h = cut.chunks[0]->head;
    cr_assert_eq(h->broadcast, 7);
    cr_assert_eq(h->track, BROADCAST_AUDIO);
    cr_assert_eq(h->pts_us, 11 * BROADCAST_INTERVAL_US);
    cr_assert_eq(h->duration_us, BROADCAST_INTERVAL_US);
    cr_assert_eq(h->capture_us, 123456789);
    cr_assert_eq(h->manifest_version, 4);
    cr_assert_eq(h->flags, HEAD_FIRST | HEAD_LAST);
    fragment_unref(f);
    release(&cut);
}

Test(publisher, makes_one_chunk_without_payload_of_an_end_public_or_private) {
    for (int is_private = 0; is_private < 2; is_private++) {
        broadcast_init(&b, 1, 7, is_private, 0);
        struct fragment *f = broadcast_end(0, 3, 1000);
        struct cut cut = {.max = 1};
        cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), 1);
        const struct head *h = cut.chunks[0]->head;
        cr_assert_eq(h->size, 0);
        cr_assert_eq(h->flags, HEAD_FIRST | HEAD_LAST | HEAD_END);
        cr_assert(chunk_is_complete(cut.chunks[0]));
        assert_verifies(cut.chunks[0]);
        fragment_unref(f);
        release(&cut);
    }
}

Test(publisher, ignores_what_an_end_fragment_carries) {
    broadcast_init(&b, 1, 7, false, 0);
    struct fragment *f = broadcast_fragment(0, 3, 2 * ROOM, 1000, false);
    f->end = true;
    struct cut cut = {.max = 2};
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), 1);
    cr_assert_eq(cut.chunks[0]->head->size, 0);
    fragment_unref(f);
    release(&cut);
}

Test(publisher, takes_the_largest_fragment_and_none_larger) {
    for (int is_private = 0; is_private < 2; is_private++) {
        broadcast_init(&b, 1, 7, is_private, 0);
        struct cut cut;
        int n = cut_into(&cut, 1, FRAGMENT_SIZE_MAX, true);
        cr_assert_gt(n, 0);
        cr_assert_leq((size_t)n, FRAGMENT_CHUNKS_MAX);
        release(&cut);
        struct fragment *f = broadcast_fragment(0, 0, FRAGMENT_SIZE_MAX, 1000, false);
        f->len = FRAGMENT_SIZE_MAX + 1;
        cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), ERR_RANGE);
        cr_assert_eq(cut.len, 0);
        fragment_unref(f);
    }
}

Test(publisher, refuses_a_track_that_cannot_be_and_an_empty_fragment) {
    broadcast_init(&b, 1, 7, false, 0);
    struct cut cut = {.max = 1};
    struct fragment *f = broadcast_fragment(TRACKS_MAX, 0, 10, 1000, true);
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), ERR_RANGE);
    fragment_unref(f);
    f = broadcast_fragment(0, 0, 0, 1000, true);
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), ERR_RANGE);
    fragment_unref(f);
    cr_assert_eq(b.publisher.next[0], 0);
    cr_assert_eq(cut.len, 0);
}

Test(publisher, refuses_what_a_head_cannot_say) {
    broadcast_init(&b, 1, 7, false, 0);
    struct cut cut = {.max = 1};
    struct fragment *f = broadcast_fragment(0, 0, 10, 1000, true);
    f->duration_us = HEAD_DURATION_MAX_US + 1;
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), ERR_RANGE);
    cr_assert_eq(b.publisher.next[0], 0);
    fragment_unref(f);
}

Test(publisher, stops_at_the_first_error_of_its_taker) {
    broadcast_init(&b, 1, 7, false, 0);
    struct cut cut = {.max = 1};
    struct fragment *f = broadcast_fragment(0, 0, 3 * ROOM, 1000, true);
    cr_assert_eq(publisher_cut(&b.publisher, f, collect, &cut), ERR_FULL);
    cr_assert_eq(cut.len, 1);
    fragment_unref(f);
    release(&cut);
}

Test(publisher, erases_its_keys) {
    broadcast_init(&b, 1, 7, true, 0);
    publisher_release(&b.publisher);
    static const struct publisher empty;
    cr_assert_arr_eq((const uint8_t *)&b.publisher, (const uint8_t *)&empty, sizeof empty);
}
