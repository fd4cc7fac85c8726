#include "media/cmaf_writer.h"

#include <criterion/criterion.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <malloc.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define TIMESCALE 15360
#define FRAME 512 /* at 30 a second */

static struct fragment *got[64];
static size_t got_len;
static uint64_t got_total;

static void keep(void *owner, struct fragment *f) {
    (void)owner;
    got_total++;
    if (got_len == ARRAY_LEN(got)) fragment_unref(got[--got_len]);
    got[got_len++] = f;
}

static void forget(void) {
    while (got_len > 0) fragment_unref(got[--got_len]);
}

static struct cmaf_writer *open_writer(uint8_t track) {
    AVCodecParameters *p = avcodec_parameters_alloc();
    p->codec_type = AVMEDIA_TYPE_VIDEO;
    p->codec_id = AV_CODEC_ID_H264;
    p->width = 320;
    p->height = 180;
    static const uint8_t avcc[] = {1,    0x64, 0,    0x14, 0xff, 0xe1, 0,    4,    0x67,
                                   0x64, 0,    0x14, 1,    0,    2,    0x68, 0xea, 0};
    p->extradata = av_mallocz(sizeof avcc + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(p->extradata, avcc, sizeof avcc);
    p->extradata_size = sizeof avcc;
    struct cmaf_writer *w = NULL;
    struct cmaf_config c = {.track = track,
                            .codec = p,
                            .timescale = TIMESCALE,
                            .fragment_bytes = 4096,
                            .fragment_us = 100 * US_PER_MS,
                            .emit = keep};
    cr_assert_eq(cmaf_writer_open(&w, &c), 0);
    avcodec_parameters_free(&p);
    return w;
}

static int add(struct cmaf_writer *w, int64_t frame, size_t len, bool random_access) {
    static uint8_t bytes[8 << 20];
    return cmaf_writer_add(w, &(struct cmaf_sample){.data = bytes,
                                                    .len = len,
                                                    .pts = frame * FRAME,
                                                    .duration = FRAME,
                                                    .random_access = random_access,
                                                    .capture_us = 1000 + (uint64_t)frame});
}

/* A field of `len` bytes, `at` bytes behind the name of the first box of that name. */
static uint64_t field(const struct fragment *f, const char *box, size_t at, size_t len) {
    const uint8_t *found = memmem(f->data, f->len, box, 4);
    cr_assert_not_null(found, "%s", box);
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) v = v << 8 | found[4 + at + i];
    return v;
}

Test(cmaf_writer, writes_a_fragment_for_each_large_frame) {
    struct cmaf_writer *w = open_writer(3);
    for (int64_t n = 0; n < 4; n++) {
        cr_assert_eq(add(w, n + 60, 5000, n == 0), 0);
        cr_assert_eq(got_len, (size_t)n + 1, "at once, not with the next");
        const struct fragment *f = got[n];
        cr_assert_eq(f->track, 3);
        cr_assert_eq(f->random_access, n == 0);
        cr_assert_eq(f->pts_us, (uint64_t)(n + 60) * 1000000 / 30 + (n % 3 == 2));
        cr_assert(f->duration_us == 33333 || f->duration_us == 33334);
        cr_assert_eq(f->capture_us, 1060 + (uint64_t)n);
        cr_assert_eq(field(f, "tfdt", 4, 8), (uint64_t)(n + 60) * FRAME);
        cr_assert_eq(field(f, "tfhd", 4, 4), 4, "the track's number and one");
        cr_assert_eq(field(f, "trun", 4, 4), 1);
        cr_assert_arr_eq(f->data + 4, "moof", 4);
    }
    forget();
    cmaf_writer_free(w);
}

Test(cmaf_writer, collects_small_frames_up_to_the_time) {
    struct cmaf_writer *w = open_writer(0);
    for (int64_t n = 0; n < 6; n++) cr_assert_eq(add(w, n, 100, false), 0);
    cr_assert_eq(got_len, 2);
    cr_assert_eq(got[0]->duration_us, 100000);
    cr_assert_eq(field(got[0], "trun", 4, 4), 3);
    cr_assert_eq(got[1]->pts_us, 100000);
    forget();
    cmaf_writer_free(w);
}

Test(cmaf_writer, starts_a_fragment_at_a_random_access_point_and_behind_a_hole) {
    struct cmaf_writer *w = open_writer(0);
    cr_assert_eq(add(w, 0, 100, true), 0);
    cr_assert_eq(add(w, 1, 100, false), 0);
    cr_assert_eq(add(w, 2, 4096, true), 0);
    cr_assert_eq(got_len, 2);
    cr_assert_eq(got[0]->duration_us, 66667);
    cr_assert(got[1]->random_access);
    cr_assert_eq(add(w, 3, 100, false), 0);
    cr_assert_eq(add(w, 9, 100, false), 0);
    cr_assert_eq(got_len, 3);
    cr_assert_eq(got[2]->duration_us, 33333);
    cr_assert_eq(cmaf_writer_end(w), 0);
    cr_assert_eq(got_len, 5);
    cr_assert_eq(got[3]->pts_us, 300000);
    cr_assert_eq(field(got[3], "tfdt", 4, 8), 9 * FRAME);
    cr_assert(got[4]->end && got[4]->len == 0 && !got[4]->random_access);
    cr_assert_eq(got[4]->pts_us, 333333);
    forget();
    cmaf_writer_free(w);
}

Test(cmaf_writer, refuses_times_that_do_not_grow_and_samples_too_large) {
    struct cmaf_writer *w = open_writer(0);
    cr_assert_eq(add(w, 5, 100, true), 0);
    cr_assert_eq(add(w, 5, 100, false), ERR_RANGE);
    cr_assert_eq(add(w, -1, 100, false), ERR_RANGE);
    cr_assert_eq(add(w, 6, FRAGMENT_SIZE_MAX, false), ERR_RANGE);
    cr_assert_eq(add(w, 7, FRAGMENT_SIZE_MAX - 5000, false), 0);
    cr_assert_leq(got[got_len - 1]->len, FRAGMENT_SIZE_MAX);
    cr_assert_eq(add(w, 8, 100, false), 0);
    forget();
    cmaf_writer_free(w);
}

Test(cmaf_writer, keeps_its_initialisation_segment_small) {
    struct cmaf_writer *w = open_writer(0);
    size_t len;
    const uint8_t *init = cmaf_writer_init_segment(w, &len);
    cr_assert_leq(len, INIT_SIZE_MAX);
    cr_assert_arr_eq(init + 4, "ftyp", 4);
    cr_assert_arr_eq(init + load_u32(init) + 4, "moov", 4);
    cr_assert_eq(got_len, 0);
    cmaf_writer_free(w);
}

/* Two hours at 30 fragments a second. An index of 16 bytes each would be 3.4 MB. */
Test(cmaf_writer, does_not_grow_with_hours_of_fragments, .timeout = 300) {
    struct cmaf_writer *w = open_writer(0);
    int64_t n = 0;
    for (; n < 10000; n++) cr_assert_eq(add(w, n, 5000, n % 30 == 0), 0);
    size_t before = mallinfo2().uordblks;
    for (; n < 2 * 3600 * 30; n++) cr_assert_eq(add(w, n, 5000, n % 30 == 0), 0);
    size_t after = mallinfo2().uordblks;
    cr_assert_eq(got_total, 2 * 3600 * 30);
    cr_assert_lt(after, before + 100000);
    cr_assert_eq(field(got[got_len - 1], "tfdt", 4, 8), (2 * 3600 * 30 - 1) * (uint64_t)FRAME);
    forget();
    cmaf_writer_free(w);
}
