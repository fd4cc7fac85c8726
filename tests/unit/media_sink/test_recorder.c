#include "media/recorder.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/media_sink/probe.h"
#include "tests/unit/media_sink/recording.h"

TestSuite(recorder, .fini = probe_clean, .timeout = 60);

static void record_all(const char *name, const struct test_media_config *config) {
    struct test_media *m = test_media_new(config);
    const char *path = probe_path(name);
    struct recorder *r = recording_open(path, m);
    recording_push(r, m, 0, m->len);
    recording_finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_eq(s.frames_dropped, 0u);
    cr_expect_gt(s.first_output_us, 0u);
    recorder_free(r);
    recording_expect_clean(path);
    if (!config->no_video) recording_expect_same(m, TRACK_VIDEO, path);
    if (!config->no_audio) recording_expect_same(m, TRACK_AUDIO, path);
    test_media_free(m);
}

static const struct test_media_config both = {.start_us = 5 * US_PER_S};

Test(recorder, a_transport_stream_holds_every_frame_of_the_broadcast) { record_all("a.ts", &both); }
Test(recorder, an_mp4_holds_every_frame_of_the_broadcast) { record_all("a.mp4", &both); }
Test(recorder, a_matroska_file_holds_every_frame_of_the_broadcast) { record_all("a.mkv", &both); }

Test(recorder, frames_shown_out_of_order_survive_in_every_format) {
    struct test_media_config c = {.bframes = 2, .no_audio = true};
    record_all("b.ts", &c);
    record_all("b.mp4", &c);
    record_all("b.mkv", &c);
}

Test(recorder, audio_alone_is_recorded_in_every_format) {
    struct test_media_config c = {.no_video = true, .start_us = US_PER_S};
    record_all("c.ts", &c);
    record_all("c.mp4", &c);
    record_all("c.mkv", &c);
}

Test(recorder, starts_with_the_first_random_access_point) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("late.ts");
    struct recorder *r = recording_open(path, m);
    size_t keyframe = test_media_find(m, TRACK_VIDEO, 1, true);
    size_t from = test_media_find(m, TRACK_VIDEO, 1, false);
    recording_push(r, m, from, m->len);
    recording_finish(r, RECORDER_DONE);
    recorder_free(r);
    recording_expect_clean(path);
    double video[256], audio[256];
    size_t frames = probe_dts(path, "v:0", video, 256);
    cr_expect_eq(frames, 50u, "%zu frames", frames);
    cr_expect_lt(video[0], 0.001);
    cr_assert_gt(probe_dts(path, "a:0", audio, 256), 20u);
    cr_expect_lt(audio[0], 0.03, "audio from %f", audio[0]);
    cr_expect_gt(keyframe, from);
    test_media_free(m);
}

Test(recorder, what_was_skipped_leaves_a_gap_and_what_follows_is_in_time) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 100});
    static const char *const names[] = {"gap.ts", "gap.mp4", "gap.mkv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]);
        struct recorder *r = recording_open(path, m);
        size_t stop = test_media_find(m, TRACK_VIDEO, 10, false);
        size_t next = test_media_find(m, TRACK_VIDEO, stop, true);
        next = test_media_find(m, TRACK_VIDEO, next + 1, true); /* frame 50 */
        recording_push(r, m, 0, stop);
        m->fragments[next]->discontinuity = true;
        recording_push(r, m, next, m->len);
        recording_finish(r, RECORDER_DONE);
        recorder_free(r);
        recording_expect_clean(path);
        double dts[256];
        size_t n = probe_dts(path, "v:0", dts, 256), gaps = 0;
        cr_expect(probe_is_growing(dts, n));
        for (size_t k = 1; k < n; k++) {
            if (dts[k] - dts[k - 1] < 0.1) continue;
            gaps++;
            cr_expect_float_eq(dts[k], 2.0, 0.002, "%s: goes on at %f", names[i], dts[k]);
        }
        cr_expect_eq(gaps, 1u);
    }
    test_media_free(m);
}

Test(recorder, video_after_a_gap_waits_for_the_next_random_access_point) {
    struct test_media *m = test_media_new(&(struct test_media_config){.no_audio = true});
    const char *path = probe_path("broken.ts");
    struct recorder *r = recording_open(path, m);
    recording_push(r, m, 0, 10);
    m->fragments[20]->discontinuity = true;
    recording_push(r, m, 20, m->len);
    recording_finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_eq(s.frames_written, 10u + 50u);
    cr_expect_eq(s.frames_dropped, 5u);
    recorder_free(r);
    recording_expect_clean(path);
    test_media_free(m);
}

Test(recorder, a_restarted_source_of_the_same_format_continues_the_recording) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.shade = 3});
    static const char *const names[] = {"again.ts", "again.mp4", "again.mkv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]);
        struct recorder *r = recording_open(path, a);
        recording_push_all(r, a);
        cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
        recording_push(r, b, 0, b->len);
        recording_finish(r, RECORDER_DONE);
        struct recorder_stats s;
        recorder_stats(r, &s);
        cr_expect_eq(s.parts, 1u);
        cr_expect_eq(s.frames_dropped, 0u);
        recorder_free(r);
        recording_expect_clean(path);
        double dts[512];
        size_t n = probe_dts(path, "v:0", dts, 512);
        cr_expect_eq(n, 150u);
        cr_expect(probe_is_growing(dts, n));
        cr_expect_lt(dts[n - 1], 6.2);
    }
    test_media_free(a);
    test_media_free(b);
}

Test(recorder, a_transport_stream_goes_on_through_a_change_of_format) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.width = 160, .height = 96});
    const char *path = probe_path("change.ts");
    struct recorder *r = recording_open(path, a);
    recording_push_all(r, a);
    cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
    recording_push(r, b, 0, b->len);
    recording_finish(r, RECORDER_DONE);
    recorder_free(r);
    recording_expect_clean(path);
    char *frames =
        probe_run("ffprobe -v error -select_streams v:0 -show_entries frame=width "
                  "-of csv=p=0 %s | tr -d , | grep . | sort | uniq -c | tr -s ' \\n' ' '",
                  path);
    cr_expect_str_eq(frames, " 75 160 75 320 ", "%s", frames);
    free(frames);
    double dts[512];
    size_t n = probe_dts(path, "v:0", dts, 512);
    cr_expect(probe_is_growing(dts, n));
    test_media_free(a);
    test_media_free(b);
}

Test(recorder, a_file_is_finished_and_a_second_one_begun_when_the_format_changes) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.width = 160, .height = 96});
    static const char *const names[][2] = {{"part.mp4", "part-2.mp4"}, {"part.mkv", "part-2.mkv"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct recorder *r = recording_open(probe_path(names[i][0]), a);
        recording_push_all(r, a);
        cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
        recording_push(r, b, 0, b->len);
        recorder_finish(r);
        char why[RECORDER_WHY_MAX];
        cr_expect_eq(recording_wait_end(r, why), RECORDER_DONE, "%s", why);
        struct recorder_stats s;
        recorder_stats(r, &s);
        cr_expect_eq(s.parts, 2u);
        recorder_free(r);
        recording_expect_clean(probe_path(names[i][0]));
        recording_expect_same(a, TRACK_VIDEO, probe_path(names[i][0]));
        recording_expect_same(b, TRACK_VIDEO, probe_path(names[i][1]));
    }
    test_media_free(a);
    test_media_free(b);
}

Test(recorder, says_where_the_recording_goes_on) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.width = 160, .height = 96});
    struct recorder *r = recording_open(probe_path("said.mp4"), a);
    recording_push_all(r, a);
    cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
    char why[RECORDER_WHY_MAX] = "";
    while (why[0] == '\0') {
        struct pollfd p = {.fd = recorder_fd(r), .events = POLLIN};
        cr_assert_gt(poll(&p, 1, DEADLINE_MS), 0);
        cr_assert_eq(recorder_state(r, why, sizeof why), RECORDER_RUNNING);
    }
    cr_expect_not_null(strstr(why, "said-2.mp4"), "%s", why);
    recorder_free(r);
    test_media_free(a);
    test_media_free(b);
}

Test(recorder, a_silent_audio_track_does_not_hold_up_the_video) {
    struct test_media *m = test_media_new(&both);
    struct recorder *r = recording_open(probe_path("silent.ts"), m);
    size_t frames = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (m->fragments[i]->track != 0) continue;
        recorder_push(r, m->fragments[i]);
        frames++;
    }
    recording_wait_frames(r, frames);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder, a_killed_recording_plays_up_to_its_last_second) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 100});
    static const char *const names[] = {"killed.ts", "killed.mp4", "killed.mkv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]), *copy = probe_path("copy");
        struct recorder *r = recording_open(path, m);
        recording_push(r, m, 0, m->len);
        recording_wait_frames(r, 100);
        struct recorder_stats s;
        recorder_stats(r, &s);
        char *said = probe_run("cp %s %s%s", path, copy, strrchr(names[i], '.'));
        free(said);
        char whole[300];
        snprintf(whole, sizeof whole, "%s%s", copy, strrchr(names[i], '.'));
        char *hashes = probe_frame_hashes(whole, "v:0");
        cr_expect_geq(probe_count_lines(hashes), 45u, "%s: %zu", names[i],
                      probe_count_lines(hashes));
        free(hashes);
        recorder_free(r);
    }
    test_media_free(m);
}
