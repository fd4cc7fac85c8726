#include "media/recorder_order.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/lib/test_media.h"

static struct order o;
static struct cmaf_track tracks[ORDER_KINDS];

static struct test_media *start(const struct test_media_config *config) {
    struct test_media *m = test_media_new(config);
    memset(&o, 0, sizeof o);
    for (size_t i = 0; i < m->tracks_len; i++)
        cr_assert_eq(cmaf_read_init(m->tracks[i].init, m->tracks[i].init_len, &tracks[i]), 0);
    order_start(&o, &tracks[0], &tracks[1], 0, true);
    return m;
}

static void push(const struct test_media *m, size_t i, uint64_t now_us) {
    enum order_kind kind = m->fragments[i]->track == 0 ? ORDER_VIDEO : ORDER_AUDIO;
    order_push(&o, kind, fragment_ref(m->fragments[i]), now_us);
}

static double seconds(const struct order_frame *f) {
    return (double)f->sample.dts / tracks[f->kind].timescale;
}

Test(recorder_order, frames_of_both_tracks_come_in_the_order_of_their_times) {
    struct test_media *m = start(&(struct test_media_config){.start_us = 9 * US_PER_S});
    struct order_frame f;
    uint64_t deadline_us;
    double last = 0;
    size_t count[ORDER_KINDS] = {0};
    for (size_t i = 0; i < m->len; i++) {
        push(m, i, i);
        while (order_next(&o, i + 1 == m->len, i, &f, &deadline_us)) {
            cr_assert_geq(seconds(&f) + 1e-4, last);
            last = seconds(&f);
            count[f.kind]++;
        }
    }
    cr_expect_eq(count[ORDER_VIDEO], 75u);
    cr_expect_gt(count[ORDER_AUDIO], 130u);
    order_release(&o);
    test_media_free(m);
}

Test(recorder_order, the_first_frame_waits_for_nothing) {
    struct test_media *m = start(&(struct test_media_config){.start_us = 9 * US_PER_S});
    struct order_frame f;
    uint64_t deadline_us;
    push(m, test_media_find(m, TRACK_VIDEO, 0, true), 0);
    cr_assert(order_next(&o, false, 0, &f, &deadline_us));
    cr_expect_eq(f.sample.dts, 0);
    cr_expect_not(order_next(&o, false, 0, &f, &deadline_us));
    order_release(&o);
    test_media_free(m);
}

Test(recorder_order, a_silent_track_is_waited_for_once_and_heard_again) {
    struct test_media *m = start(&(struct test_media_config){.frames = 50});
    struct order_frame f;
    uint64_t deadline_us, start_us = 1000;
    size_t first = test_media_find(m, TRACK_VIDEO, 0, true);
    size_t second = test_media_find(m, TRACK_VIDEO, first + 1, false);
    size_t third = test_media_find(m, TRACK_VIDEO, second + 1, false);
    push(m, first, start_us);
    cr_assert(order_next(&o, false, start_us, &f, &deadline_us));
    push(m, second, start_us);
    cr_assert_not(order_next(&o, false, start_us, &f, &deadline_us));
    cr_expect_eq(deadline_us, start_us + ORDER_WAIT_US);
    cr_assert_not(order_next(&o, false, deadline_us - 1, &f, &deadline_us));
    cr_assert(order_next(&o, false, start_us + ORDER_WAIT_US, &f, &deadline_us));
    push(m, third, start_us + ORDER_WAIT_US);
    cr_assert(order_next(&o, false, start_us + ORDER_WAIT_US, &f, &deadline_us), "not again");

    push(m, test_media_find(m, TRACK_AUDIO, 0, false), start_us + ORDER_WAIT_US);
    cr_assert(order_next(&o, false, start_us + ORDER_WAIT_US, &f, &deadline_us));
    cr_expect_eq(f.kind, ORDER_AUDIO);
    cr_expect_not(o.tracks[ORDER_AUDIO].is_silent);
    order_release(&o);
    test_media_free(m);
}

Test(recorder_order, a_track_that_has_ended_is_not_waited_for) {
    struct test_media *m = start(&(struct test_media_config){.frames = 50});
    struct order_frame f;
    uint64_t deadline_us;
    struct fragment *end = fragment_new(0);
    cr_assert_not_null(end);
    end->end = true;
    order_push(&o, ORDER_AUDIO, end, 0);
    size_t at = 0, n = 0;
    for (int i = 0; i < 10; i++, at++) {
        at = test_media_find(m, TRACK_VIDEO, at, false);
        push(m, at, 0);
        n += order_next(&o, false, 0, &f, &deadline_us);
    }
    cr_expect_eq(n, 10u);
    order_release(&o);
    test_media_free(m);
}

Test(recorder_order, audio_alone_never_fills_it_before_the_video_starts) {
    struct test_media *m = start(&(struct test_media_config){.frames = 500, .no_video = true});
    struct order_frame f;
    uint64_t deadline_us;
    order_release(&o);
    order_start(&o, &tracks[0], &tracks[0], 0, true); /* video is announced and never comes */
    for (size_t i = 0; i < m->len; i++) {
        cr_assert_not(order_is_full(&o));
        order_push(&o, ORDER_AUDIO, fragment_ref(m->fragments[i]), i);
        cr_assert_not(order_next(&o, false, i, &f, &deadline_us));
    }
    cr_expect_gt(o.dropped, 0u);
    order_release(&o);
    for (size_t i = 0; i < m->len; i++) cr_expect_eq(atomic_load(&m->fragments[i]->references), 1u);
    test_media_free(m);
}

/* The media time of a fragment, moved by hours (tfdt, version 1). */
static void move(struct fragment *f, uint64_t ticks) {
    uint8_t *tfdt = memmem(f->data, f->len, "tfdt", 4);
    cr_assert_not_null(tfdt);
    uint64_t v = (uint64_t)load_u32(tfdt + 8) << 32 | load_u32(tfdt + 12);
    store_u32(tfdt + 8, (uint32_t)((v + ticks) >> 32));
    store_u32(tfdt + 12, (uint32_t)(v + ticks));
}

Test(recorder_order, a_source_whose_clock_jumps_by_hours_goes_on_where_it_was) {
    struct test_media *m = start(&(struct test_media_config){.no_audio = true});
    order_start(&o, &tracks[0], NULL, 0, true);
    struct order_frame f = {0};
    uint64_t deadline_us;
    int64_t last = -1;
    for (size_t i = 0; i < m->len; i++) {
        if (i >= 30) move(m->fragments[i], 7ull * 3600 * tracks[0].timescale);
        push(m, i, i);
        cr_assert(order_next(&o, false, i, &f, &deadline_us));
        cr_assert_gt(f.sample.dts, last);
        cr_assert_leq(f.sample.dts - last, (int64_t)tracks[0].timescale / 24);
        last = f.sample.dts;
    }
    order_release(&o);
    test_media_free(m);
}
