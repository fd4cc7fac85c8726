#include "media/cmaf_join.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "tests/lib/test_media.h"

static uint32_t number_behind(const uint8_t *data, size_t len, const char *type, size_t offset) {
    const uint8_t *at = memmem(data, len, type, 4);
    cr_assert_not_null(at, "%s", type);
    cr_assert_leq((size_t)(at - data) + 4 + offset + 4, len);
    return load_u32(at + 4 + offset);
}

Test(cmaf_join, one_moov_holds_both_tracks_under_numbers_of_their_own) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    struct cmaf_join j;
    cr_assert_eq(cmaf_join_init(&j, m->tracks, m->tracks_len), 0);
    cr_expect_eq(j.tracks_len, 2u);
    const uint8_t *first = memmem(j.init, j.init_len, "tkhd", 4);
    cr_assert_not_null(first);
    size_t left = j.init_len - (size_t)(first + 4 - j.init);
    cr_expect_eq(number_behind(j.init, j.init_len, "tkhd", 12), 1u);
    cr_expect_eq(number_behind(first + 4, left, "tkhd", 12), 2u);
    cr_expect_eq(number_behind(j.init, j.init_len, "trex", 4), 1u);
    cr_expect_eq(number_behind(j.init, j.init_len, "mvhd", 96), 3u, "the next free number");
    test_media_free(m);
}

Test(cmaf_join, a_track_that_is_not_listed_is_not_found) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    struct cmaf_join j;
    cr_assert_eq(cmaf_join_init(&j, m->tracks, m->tracks_len), 0);
    cr_expect_eq(cmaf_join_find(&j, 0), 0);
    cr_expect_eq(cmaf_join_find(&j, 1), 1);
    cr_expect_eq(cmaf_join_find(&j, 2), -1);
    test_media_free(m);
}

Test(cmaf_join, a_fragment_gets_its_new_track_and_place_and_keeps_its_payload) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 10});
    struct cmaf_join j;
    cr_assert_eq(cmaf_join_init(&j, m->tracks, m->tracks_len), 0);
    const struct fragment *f = m->fragments[test_media_find(m, TRACK_AUDIO, 0, false)];
    struct cmaf_piece piece;
    cr_assert_eq(cmaf_join_split(&j, 1, f->data, f->len, &piece), 0);
    cr_expect_eq(piece.end, f->len);
    size_t len = piece.payload - piece.start;
    uint8_t *head = malloc(len);
    cr_assert_not_null(head);
    memcpy(head, f->data + piece.start, len);
    cmaf_join_patch(head, len, 1, 4711);
    cr_expect_eq(number_behind(head, len, "mfhd", 4), 4711u);
    cr_expect_eq(number_behind(head, len, "tfhd", 4), 2u);
    size_t differing = 0;
    for (size_t i = 0; i < len; i++) differing += head[i] != f->data[piece.start + i];
    cr_expect_leq(differing, 8u, "nothing else is touched");
    free(head);
    test_media_free(m);
}

Test(cmaf_join, initialisation_segments_cut_anywhere_are_refused) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    uint16_t whole = m->tracks[1].init_len;
    struct cmaf_join j;
    for (uint16_t len = 0; len < whole; len++) {
        m->tracks[1].init_len = len;
        cr_expect_lt(cmaf_join_init(&j, m->tracks, m->tracks_len), 0, "%u bytes", len);
    }
    test_media_free(m);
}

Test(cmaf_join, without_a_track_there_is_nothing_to_join) {
    struct cmaf_join j;
    cr_expect_eq(cmaf_join_init(&j, NULL, 0), ERR_ARGUMENT);
}
