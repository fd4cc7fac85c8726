#include "media/cmaf_reader.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "tests/lib/test_media.h"

static struct cmaf_track read_track(const struct test_media *m, size_t index) {
    struct cmaf_track t;
    cr_assert_eq(cmaf_read_init(m->tracks[index].init, m->tracks[index].init_len, &t), 0);
    return t;
}

/* A copy that ends where the bytes end, so that a read behind them is seen by a sanitizer. */
static uint8_t *tight(const void *data, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    cr_assert(copy != NULL);
    if (len > 0) memcpy(copy, data, len);
    return copy;
}

static size_t find_bytes(const uint8_t *data, size_t len, const char *type) {
    for (size_t i = 0; i + 4 <= len; i++)
        if (memcmp(data + i, type, 4) == 0) return i;
    cr_assert_fail("no %s", type);
    return 0;
}

Test(cmaf_reader, reads_the_configuration_of_a_video_track) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    struct cmaf_track t = read_track(m, 0);
    cr_expect_eq(t.kind, TRACK_VIDEO);
    cr_expect_eq(t.width, 320);
    cr_expect_eq(t.height, 180);
    cr_expect_eq(t.config[0], 1);
    cr_expect_gt(t.timescale, 0);
    test_media_free(m);
}

Test(cmaf_reader, reads_the_configuration_of_an_audio_track) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    struct cmaf_track t = read_track(m, 1);
    cr_expect_eq(t.kind, TRACK_AUDIO);
    cr_expect_eq(t.sample_rate, 48000);
    cr_expect_eq(t.channels, 2);
    cr_expect_eq(t.config[0] >> 3, 2, "AAC LC");
    test_media_free(m);
}

Test(cmaf_reader, samples_follow_each_other_in_time_and_fill_the_payload) {
    struct test_media *m =
        test_media_new(&(struct test_media_config){.frames = 50, .start_us = 7 * US_PER_S});
    struct cmaf_track tracks[2] = {read_track(m, 0), read_track(m, 1)};
    int64_t next[2] = {7 * (int64_t)tracks[0].timescale, 7 * (int64_t)tracks[1].timescale};
    size_t count[2] = {0};
    for (size_t i = 0; i < m->len; i++) {
        const struct fragment *f = m->fragments[i];
        struct cmaf_fragment parsed;
        cr_assert_eq(cmaf_read_fragment(&tracks[f->track], f->data, f->len, &parsed), 0);
        uint32_t at = parsed.samples[0].offset;
        for (size_t k = 0; k < parsed.len; k++) {
            const struct cmaf_sample *s = &parsed.samples[k];
            cr_assert_eq(s->dts, next[f->track]);
            cr_assert_eq(s->offset, at);
            next[f->track] += s->duration;
            at += s->size;
        }
        cr_assert_eq(at, (uint32_t)f->len, "the last sample ends the fragment");
        cr_assert_eq(parsed.samples[0].keyframe, f->random_access);
        count[f->track] += parsed.len;
    }
    cr_expect_eq(count[0], 50);
    cr_expect_geq(count[1], 2 * 48000 / 1024);
    test_media_free(m);
}

Test(cmaf_reader, frames_shown_out_of_order_keep_their_offsets) {
    struct test_media *m =
        test_media_new(&(struct test_media_config){.frames = 25, .bframes = 2, .no_audio = true});
    struct cmaf_track t = read_track(m, 0);
    bool seen[25] = {0};
    uint32_t frame = t.timescale / 25;
    for (size_t i = 0; i < m->len; i++) {
        struct cmaf_fragment p;
        const struct fragment *f = m->fragments[i];
        cr_assert_eq(cmaf_read_fragment(&t, f->data, f->len, &p), 0);
        int64_t pts = p.samples[0].dts + p.samples[0].cts_offset;
        cr_assert_geq(pts, 0);
        cr_assert_lt(pts / frame, 25);
        seen[pts / frame] = true;
    }
    for (size_t i = 0; i < 25; i++) cr_expect(seen[i], "frame %zu", i);
    test_media_free(m);
}

Test(cmaf_reader, an_initialisation_segment_cut_anywhere_is_refused) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    for (size_t track = 0; track < 2; track++) {
        const struct track *t = &m->tracks[track];
        for (size_t len = 0; len < t->init_len; len++) {
            uint8_t *cut = tight(t->init, len);
            struct cmaf_track ret;
            cr_expect_lt(cmaf_read_init(cut, len, &ret), 0, "%zu bytes", len);
            free(cut);
        }
    }
    test_media_free(m);
}

Test(cmaf_reader, a_fragment_cut_anywhere_is_refused) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 3});
    struct cmaf_track tracks[2] = {read_track(m, 0), read_track(m, 1)};
    struct cmaf_fragment p;
    for (size_t i = 0; i < m->len; i++) {
        const struct fragment *f = m->fragments[i];
        for (size_t len = 0; len < f->len; len++) {
            uint8_t *cut = tight(f->data, len);
            cr_assert_lt(cmaf_read_fragment(&tracks[f->track], cut, len, &p), 0,
                         "fragment %zu, %zu bytes", i, len);
            free(cut);
        }
    }
    test_media_free(m);
}

Test(cmaf_reader, samples_never_leave_the_fragment_whatever_bit_flips) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    for (size_t i = 0; i < m->len; i++) {
        const struct fragment *f = m->fragments[i];
        struct cmaf_track t = read_track(m, f->track);
        size_t headers = find_bytes(f->data, f->len, "mdat") + 4;
        for (size_t bit = 0; bit < headers * 8; bit++) {
            uint8_t *copy = tight(f->data, f->len);
            copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            struct cmaf_fragment p;
            int err = cmaf_read_fragment(&t, copy, f->len, &p);
            for (size_t k = 0; err == 0 && k < p.len; k++) {
                cr_assert_leq((uint64_t)p.samples[k].offset + p.samples[k].size, f->len);
                cr_assert_geq(p.samples[k].dts, 0);
            }
            free(copy);
        }
    }
    test_media_free(m);
}

/* Writes `value` at `at` bytes behind the type of the first such box of the first video fragment,
 * and returns what the reader says. */
static int read_patched(const char *box, size_t at, uint32_t value) {
    struct test_media *m =
        test_media_new(&(struct test_media_config){.frames = 1, .no_audio = true});
    struct cmaf_track t = read_track(m, 0);
    struct fragment *f = m->fragments[0];
    store_u32(f->data + find_bytes(f->data, f->len, box) + 4 + at, value);
    struct cmaf_fragment p;
    int err = cmaf_read_fragment(&t, f->data, f->len, &p);
    test_media_free(m);
    return err;
}

Test(cmaf_reader, a_count_of_samples_over_the_maximum_is_refused) {
    cr_expect_eq(read_patched("trun", 4, CMAF_SAMPLES_MAX + 1), ERR_RANGE);
    cr_expect_eq(read_patched("trun", 4, UINT32_MAX), ERR_RANGE);
}

Test(cmaf_reader, an_offset_outside_the_payload_is_refused) {
    cr_expect_eq(read_patched("trun", 8, 0), ERR_RANGE);
    cr_expect_eq(read_patched("trun", 8, UINT32_MAX), ERR_RANGE);
    cr_expect_eq(read_patched("trun", 8, INT32_MAX), ERR_RANGE);
}

Test(cmaf_reader, a_decode_time_beyond_a_lifetime_is_refused) {
    cr_expect_eq(read_patched("tfdt", 4, UINT32_MAX), ERR_RANGE);
}

Test(cmaf_reader, a_fragment_of_another_track_is_refused) {
    cr_expect_eq(read_patched("tfhd", 4, 77), ERR_RANGE);
}

Test(cmaf_reader, two_fragments_in_one_are_refused) {
    struct test_media *m =
        test_media_new(&(struct test_media_config){.frames = 1, .no_audio = true});
    struct cmaf_track t = read_track(m, 0);
    const struct fragment *f = m->fragments[0];
    uint8_t *twice = malloc(2 * f->len);
    cr_assert(twice != NULL);
    memcpy(twice, f->data, f->len);
    memcpy(twice + f->len, f->data, f->len);
    struct cmaf_fragment p;
    cr_expect_eq(cmaf_read_fragment(&t, twice, 2 * f->len, &p), ERR_UNSUPPORTED);
    free(twice);
    test_media_free(m);
}

Test(cmaf_reader, tracks_are_compatible_with_themselves_and_not_with_another_size) {
    struct test_media *a = test_media_new(&(struct test_media_config){.frames = 2});
    struct test_media *b = test_media_new(&(struct test_media_config){.frames = 2, .width = 160});
    struct cmaf_track x = read_track(a, 0), y = read_track(b, 0), sound = read_track(a, 1);
    cr_expect(cmaf_track_is_compatible(&x, &x));
    cr_expect_not(cmaf_track_is_compatible(&x, &y));
    cr_expect_not(cmaf_track_is_compatible(&x, &sound));
    test_media_free(a);
    test_media_free(b);
}
