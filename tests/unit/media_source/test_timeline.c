#include "media/timeline.h"

#include <criterion/criterion.h>

#define FRAME_US 40000

static struct timeline line;
static struct timeline_track video, audio;

static void start(void) {
    line = (struct timeline){.started = false};
    video = audio = (struct timeline_track){.started = false};
}

static int64_t map(struct timeline_track *t, int64_t us) {
    return timeline_map(&line, t, us, FRAME_US);
}

TestSuite(timeline, .init = start);

Test(timeline, starts_at_the_first_timestamp) {
    cr_assert_eq(map(&video, 5000000), 0);
    cr_assert_eq(map(&video, 5040000), 40000);
    cr_assert_eq(map(&audio, 5020000), 20000);
}

Test(timeline, starts_where_it_is_told) {
    timeline_start(&line, 1000000);
    cr_assert_eq(map(&video, 1080000), 80000);
    cr_assert_eq(map(&audio, 1000000), 0);
    cr_assert_lt(map(&audio, 990000), 0, "before the start: to be dropped");
}

Test(timeline, keeps_small_gaps_and_small_steps_back) {
    cr_assert_eq(map(&video, 0), 0);
    cr_assert_eq(map(&video, 1500000), 1500000);
    cr_assert_eq(map(&video, 1500000), 1500000);
    cr_assert_eq(map(&video, 1480000), 1480000);
}

Test(timeline, closes_a_jump_forward_and_back) {
    cr_assert_eq(map(&video, 0), 0);
    cr_assert_eq(map(&video, 7200000000), FRAME_US);
    cr_assert_eq(map(&video, 7200040000), 2 * FRAME_US);
    cr_assert_eq(map(&video, 100000), 3 * FRAME_US);
    cr_assert_eq(map(&video, 140000), 4 * FRAME_US);
}

Test(timeline, moves_all_tracks_by_the_same_jump) {
    map(&video, 10000000);
    map(&audio, 10000000);
    cr_assert_eq(map(&video, 50000000), FRAME_US);
    /* The sound from before the jump still comes, then its own side of it. */
    cr_assert_eq(map(&audio, 10040000), FRAME_US);
    cr_assert_eq(map(&video, 50040000), 2 * FRAME_US);
    cr_assert_eq(map(&audio, 50040000), 2 * FRAME_US);
    cr_assert_eq(map(&audio, 50080000), 3 * FRAME_US);
}

Test(timeline, goes_on_without_timestamps) {
    cr_assert_eq(map(&video, TIMELINE_NO_TIME), 0);
    cr_assert_eq(map(&video, TIMELINE_NO_TIME), FRAME_US);
    cr_assert_eq(map(&video, TIMELINE_NO_TIME), 2 * FRAME_US);
}

Test(timeline, takes_absurd_timestamps_for_missing) {
    cr_assert_eq(map(&video, 0), 0);
    cr_assert_eq(map(&video, INT64_MAX), FRAME_US);
    cr_assert_eq(map(&video, INT64_MIN + 1), 2 * FRAME_US);
    cr_assert_eq(timeline_map(&line, &video, 3 * FRAME_US, UINT64_MAX), 3 * FRAME_US);
    cr_assert_leq(video.next_us, 3 * FRAME_US + TIMELINE_GAP_MAX_US);
}

Test(timeline, lets_a_track_begin_late) {
    map(&audio, 1000000);
    cr_assert_eq(map(&video, 4000000), 3000000);
}

Test(timeline, goes_on_behind_the_longest_track_when_it_loops) {
    timeline_start(&line, 1000000);
    for (int64_t us = 1000000; us < 3000000; us += FRAME_US) map(&video, us);
    for (int64_t us = 1000000; us < 2000000; us += FRAME_US) map(&audio, us);
    timeline_loop(&line, 1000000);
    timeline_track_rejoin(&video);
    timeline_track_rejoin(&audio);
    cr_assert_eq(map(&audio, 1000000), 2000000);
    cr_assert_eq(map(&video, 1000000), 2000000);
    cr_assert_eq(map(&video, 1040000), 2040000);
}

Test(timeline, bounds_what_it_gives_for_any_timestamps) {
    uint64_t x = 88172645463325252; /* xorshift64 (Marsaglia 2003) */
    int64_t next_us[2] = {0};
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        struct timeline_track *t = x & 1 ? &video : &audio;
        int64_t input_us = x & 2 ? (int64_t)x : (int64_t)(x >> 34);
        int64_t us = map(t, input_us);
        if (next_us[x & 1] != 0) {
            cr_assert_geq(us, next_us[x & 1] - TIMELINE_BACK_MAX_US);
            cr_assert_leq(us, next_us[x & 1] + TIMELINE_GAP_MAX_US);
        }
        next_us[x & 1] = us + FRAME_US;
    }
}
