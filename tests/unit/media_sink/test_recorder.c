#include "media/recorder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/recorder_output.h"
#include "tests/lib/test_media.h"
#include "tests/unit/media_sink/probe.h"

#define DEADLINE_MS 20000

TestSuite(recorder, .fini = probe_clean, .timeout = 60);

static struct recorder *open_recorder(const char *path, const struct test_media *m) {
    struct recorder *r = NULL;
    char why[RECORDER_WHY_MAX] = "";
    int err = recorder_open(&r, &(struct recorder_config){.path = path}, m->tracks, m->tracks_len,
                            why, sizeof why);
    cr_assert_eq(err, 0, "%s", why);
    return r;
}

/* Waits for the end, whichever it is. */
static enum recorder_state wait_end(struct recorder *r, char *why) {
    struct pollfd p = {.fd = recorder_fd(r), .events = POLLIN};
    for (;;) {
        enum recorder_state state = recorder_state(r, why, RECORDER_WHY_MAX);
        if (state != RECORDER_RUNNING) return state;
        cr_assert_gt(poll(&p, 1, DEADLINE_MS), 0, "no end in time");
    }
}

static void finish(struct recorder *r, enum recorder_state expected) {
    char why[RECORDER_WHY_MAX];
    recorder_finish(r);
    cr_assert_eq(wait_end(r, why), expected, "%s", why);
}

/* Waits until nothing that was pushed is waiting any more: written and dropped add up. */
static void wait_frames(struct recorder *r, uint64_t frames) {
    struct recorder_stats s;
    uint64_t until_us = monotonic_us() + DEADLINE_MS * US_PER_MS;
    do {
        recorder_stats(r, &s);
        cr_assert_lt(monotonic_us(), until_us, "%lu frames of %lu", s.frames_written, frames);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (s.frames_written + s.frames_dropped < frames);
}

static void push_range(struct recorder *r, const struct test_media *m, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) recorder_push(r, m->fragments[i]);
}

/* All of it, and waits for most to be written, so that what is pushed next finds an empty queue. */
static void push_all(struct recorder *r, const struct test_media *m) {
    struct recorder_stats before;
    recorder_stats(r, &before);
    push_range(r, m, 0, m->len);
    wait_frames(r, before.frames_written + before.frames_dropped + 150);
}

static void expect_clean(const char *path) {
    char *said = probe_complaints(path);
    cr_expect_str_empty(said, "%s: %s", path, said);
    free(said);
}

/* The frames of the recording are those of the broadcast, bit for bit, and their times grow. */
static void expect_same(const struct test_media *m, enum track_kind kind, const char *recording) {
    const char *stream = kind == TRACK_VIDEO ? "v:0" : "a:0";
    const char *source = probe_path("source.mp4");
    test_media_write_file(m, kind, source);
    char *a = probe_frame_hashes(source, kind == TRACK_VIDEO ? "v:0" : "a:0");
    char *b = probe_frame_hashes(recording, stream);
    cr_expect_gt(probe_count_lines(a), 20u);
    cr_expect_str_eq(b, a, "%s differs", stream);
    free(a);
    free(b);
    static double dts[4096];
    size_t n = probe_dts(recording, stream, dts, ARRAY_LEN(dts));
    cr_expect_gt(n, 20u);
    cr_expect(probe_is_growing(dts, n), "times of %s grow", stream);
    /* Matroska has no decode times; the first that is known stands behind the reordered frames. */
    cr_expect_lt(dts[0], 0.1, "starts at %f", dts[0]);
}

static void record_all(const char *name, const struct test_media_config *config) {
    struct test_media *m = test_media_new(config);
    const char *path = probe_path(name);
    struct recorder *r = open_recorder(path, m);
    push_range(r, m, 0, m->len);
    finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_eq(s.frames_dropped, 0u);
    cr_expect_gt(s.first_output_us, 0u);
    recorder_free(r);
    expect_clean(path);
    if (!config->no_video) expect_same(m, TRACK_VIDEO, path);
    if (!config->no_audio) expect_same(m, TRACK_AUDIO, path);
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
    struct recorder *r = open_recorder(path, m);
    size_t keyframe = test_media_find(m, TRACK_VIDEO, 1, true);
    size_t from = test_media_find(m, TRACK_VIDEO, 1, false);
    push_range(r, m, from, m->len);
    finish(r, RECORDER_DONE);
    recorder_free(r);
    expect_clean(path);
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
        struct recorder *r = open_recorder(path, m);
        size_t stop = test_media_find(m, TRACK_VIDEO, 10, false);
        size_t next = test_media_find(m, TRACK_VIDEO, stop, true);
        next = test_media_find(m, TRACK_VIDEO, next + 1, true); /* frame 50 */
        push_range(r, m, 0, stop);
        m->fragments[next]->discontinuity = true;
        push_range(r, m, next, m->len);
        finish(r, RECORDER_DONE);
        recorder_free(r);
        expect_clean(path);
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
    struct recorder *r = open_recorder(path, m);
    push_range(r, m, 0, 10);
    m->fragments[20]->discontinuity = true;
    push_range(r, m, 20, m->len);
    finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_eq(s.frames_written, 10u + 50u);
    cr_expect_eq(s.frames_dropped, 5u);
    recorder_free(r);
    expect_clean(path);
    test_media_free(m);
}

Test(recorder, a_restarted_source_of_the_same_format_continues_the_recording) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.shade = 3});
    static const char *const names[] = {"again.ts", "again.mp4", "again.mkv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]);
        struct recorder *r = open_recorder(path, a);
        push_all(r, a);
        cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
        push_range(r, b, 0, b->len);
        finish(r, RECORDER_DONE);
        struct recorder_stats s;
        recorder_stats(r, &s);
        cr_expect_eq(s.parts, 1u);
        cr_expect_eq(s.frames_dropped, 0u);
        recorder_free(r);
        expect_clean(path);
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
    struct recorder *r = open_recorder(path, a);
    push_all(r, a);
    cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
    push_range(r, b, 0, b->len);
    finish(r, RECORDER_DONE);
    recorder_free(r);
    expect_clean(path);
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
        struct recorder *r = open_recorder(probe_path(names[i][0]), a);
        push_all(r, a);
        cr_assert_eq(recorder_switch(r, b->tracks, b->tracks_len), 0);
        push_range(r, b, 0, b->len);
        recorder_finish(r);
        char why[RECORDER_WHY_MAX];
        cr_expect_eq(wait_end(r, why), RECORDER_DONE, "%s", why);
        struct recorder_stats s;
        recorder_stats(r, &s);
        cr_expect_eq(s.parts, 2u);
        recorder_free(r);
        expect_clean(probe_path(names[i][0]));
        expect_same(a, TRACK_VIDEO, probe_path(names[i][0]));
        expect_same(b, TRACK_VIDEO, probe_path(names[i][1]));
    }
    test_media_free(a);
    test_media_free(b);
}

Test(recorder, says_where_the_recording_goes_on) {
    struct test_media *a = test_media_new(&both);
    struct test_media *b = test_media_new(&(struct test_media_config){.width = 160, .height = 96});
    struct recorder *r = open_recorder(probe_path("said.mp4"), a);
    push_all(r, a);
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
    struct recorder *r = open_recorder(probe_path("silent.ts"), m);
    size_t frames = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (m->fragments[i]->track != 0) continue;
        recorder_push(r, m->fragments[i]);
        frames++;
    }
    wait_frames(r, frames);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder, a_killed_recording_plays_up_to_its_last_second) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 100});
    static const char *const names[] = {"killed.ts", "killed.mp4", "killed.mkv"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]), *copy = probe_path("copy");
        struct recorder *r = open_recorder(path, m);
        push_range(r, m, 0, m->len);
        wait_frames(r, 100);
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

/* --- standard output --- */

/* Puts a pipe in the place of standard output; returns its reading end. */
static int pipe_as_stdout(void) {
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    fflush(stdout);
    cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
    close(fds[1]);
    return fds[0];
}

Test(recorder, standard_output_is_a_transport_stream) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = open_recorder("-", m);
    push_range(r, m, 0, m->len);
    recorder_finish(r);
    const char *path = probe_path("stdout.ts");
    FILE *copy = fopen(path, "wb");
    cr_assert_not_null(copy);
    char buffer[65536];
    struct pollfd p[2] = {{.fd = in, .events = POLLIN}, {.fd = recorder_fd(r), .events = POLLIN}};
    char why[RECORDER_WHY_MAX];
    for (bool running = true; running;) {
        cr_assert_gt(poll(p, 2, DEADLINE_MS), 0);
        running = recorder_state(r, why, sizeof why) == RECORDER_RUNNING;
        while (poll(p, 1, 0) > 0) {
            ssize_t n = read(in, buffer, sizeof buffer);
            cr_assert_gt(n, 0);
            cr_assert_eq(fwrite(buffer, (size_t)n, 1, copy), 1u);
        }
    }
    fclose(copy);
    cr_expect_eq(recorder_state(r, why, sizeof why), RECORDER_DONE, "%s", why);
    recorder_free(r);
    expect_clean(path);
    expect_same(m, TRACK_VIDEO, path);
    test_media_free(m);
}

Test(recorder, the_first_frame_goes_out_before_anything_follows_it) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = open_recorder("-", m);
    recorder_push(r, m->fragments[test_media_find(m, TRACK_VIDEO, 0, true)]);
    struct pollfd p = {.fd = in, .events = POLLIN};
    cr_expect_gt(poll(&p, 1, DEADLINE_MS), 0);
    wait_frames(r, 1);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_gt(s.first_output_us, 0u);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder, a_closed_pipe_ends_the_recording_quietly) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = open_recorder("-", m);
    close(in);
    push_range(r, m, 0, m->len);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(wait_end(r, why), RECORDER_BROKEN_PIPE, "%s", why);
    push_range(r, m, 0, m->len);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder, a_reader_that_stands_still_costs_frames_but_not_memory) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 500});
    int in = pipe_as_stdout();
    struct recorder *r = open_recorder("-", m);
    for (size_t i = 0; i < m->len; i++) {
        recorder_push(r, m->fragments[i]);
        struct recorder_stats s;
        recorder_stats(r, &s);
        cr_assert_leq(s.bytes_written, 70000u, "more than a pipe holds");
    }
    size_t held = 0;
    for (size_t i = 0; i < m->len; i++) held += atomic_load(&m->fragments[i]->references) > 1;
    /* 4 s of the queue, a few fragments in the thread's hands: of 20 s. */
    cr_expect_lt(held, 220u, "%zu fragments of %zu are held", held, m->len);
    cr_expect_gt(held, 0u);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_gt(s.frames_dropped, 200u);
    char why[RECORDER_WHY_MAX];
    recorder_finish(r);
    cr_expect_eq(wait_end(r, why), RECORDER_FAILED);
    cr_expect_not_null(strstr(why, "takes nothing"), "%s", why);
    recorder_free(r);
    close(in);
    test_media_free(m);
}

Test(recorder, what_a_slow_reader_gets_can_be_decoded) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 500});
    int in = pipe_as_stdout();
    struct recorder *r = open_recorder("-", m);
    push_range(r, m, 0, 10);
    wait_frames(r, 1);
    push_range(r, m, 10, m->len);
    recorder_finish(r);
    const char *path = probe_path("slow.ts");
    FILE *copy = fopen(path, "wb");
    char buffer[65536], why[RECORDER_WHY_MAX];
    struct pollfd p[2] = {{.fd = in, .events = POLLIN}, {.fd = recorder_fd(r), .events = POLLIN}};
    for (bool running = true; running;) {
        cr_assert_gt(poll(p, 2, DEADLINE_MS), 0);
        running = recorder_state(r, why, sizeof why) == RECORDER_RUNNING;
        while (poll(p, 1, 0) > 0) {
            ssize_t n = read(in, buffer, sizeof buffer);
            cr_assert_gt(n, 0);
            cr_assert_eq(fwrite(buffer, (size_t)n, 1, copy), 1u);
        }
    }
    fclose(copy);
    recorder_free(r);
    expect_clean(path);
    double dts[1024];
    size_t n = probe_dts(path, "v:0", dts, 1024);
    cr_expect(probe_is_growing(dts, n));
    cr_expect_float_eq(dts[n - 1], 19.96, 0.01, "the newest frame is there: %f", dts[n - 1]);
    test_media_free(m);
}

/* --- what cannot be opened --- */

static int try_open(const char *path, bool overwrite, const struct test_media *m, char *why) {
    struct recorder *r = NULL;
    int err = recorder_open(&r, &(struct recorder_config){.path = path, .overwrite = overwrite},
                            m->tracks, m->tracks_len, why, RECORDER_WHY_MAX);
    recorder_free(r);
    return err;
}

static void write_text(const char *path, const char *text) {
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    cr_assert_geq(fputs(text, out), 0);
    fclose(out);
}

Test(recorder, an_existing_recording_is_not_touched_unless_allowed) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("kept.mp4");
    char why[RECORDER_WHY_MAX];
    write_text(path, "precious");
    cr_expect_eq(try_open(path, false, m, why), ERR_EXISTS);
    cr_expect_not_null(strstr(why, "kept.mp4"), "%s", why);
    cr_expect_null(strchr(why, '\n'));
    cr_expect_eq(try_open(path, true, m, why), 0, "%s", why);
    char *text = probe_run("cat %s", path);
    cr_expect_str_eq(text, "precious", "no frame came, so nothing was lost");
    free(text);
    struct recorder *r = NULL;
    struct recorder_config c = {.path = path, .overwrite = true};
    cr_assert_eq(recorder_open(&r, &c, m->tracks, m->tracks_len, why, sizeof why), 0);
    push_range(r, m, 0, m->len);
    finish(r, RECORDER_DONE);
    recorder_free(r);
    expect_same(m, TRACK_VIDEO, path);
    test_media_free(m);
}

Test(recorder, an_empty_file_may_be_written_to) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("empty.ts");
    char why[RECORDER_WHY_MAX];
    write_text(path, "");
    cr_expect_eq(try_open(path, false, m, why), 0, "%s", why);
    cr_expect_eq(access(path, F_OK), 0, "it was not ours to remove");
    test_media_free(m);
}

Test(recorder, a_name_with_another_ending_is_refused_and_the_allowed_ones_are_named) {
    struct test_media *m = test_media_new(&both);
    static const char *const names[] = {"a.avi", "a", ".ts", "a.ts.part", "mp4"};
    char why[RECORDER_WHY_MAX];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = probe_path(names[i]);
        cr_expect_eq(try_open(path, false, m, why), ERR_ARGUMENT);
        cr_expect_not_null(strstr(why, ".mkv"), "%s", why);
        cr_expect_neq(access(path, F_OK), 0);
    }
    test_media_free(m);
}

Test(recorder, a_folder_that_does_not_exist_is_named) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(try_open(probe_path("no/such/folder.ts"), false, m, why), ERR_SYSTEM);
    cr_expect_not_null(strstr(why, "no/such/folder.ts"), "%s", why);
    test_media_free(m);
}

Test(recorder, tracks_that_cannot_be_recorded_leave_no_file) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("none.ts");
    m->tracks[0].init_len = 30;
    cr_expect_lt(try_open(path, false, m, why), 0);
    cr_expect_neq(access(path, F_OK), 0);
    test_media_free(m);
}

Test(recorder, a_recording_without_a_frame_leaves_no_file) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("nothing.mkv");
    cr_expect_eq(try_open(path, false, m, why), 0, "%s", why);
    cr_expect_neq(access(path, F_OK), 0);
    test_media_free(m);
}

Test(recorder, a_named_pipe_that_nobody_reads_is_refused) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("fifo.ts");
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(try_open(path, false, m, why), ERR_SYSTEM);
    cr_expect_not_null(strstr(why, "nobody reads"), "%s", why);
    test_media_free(m);
}

Test(recorder, a_full_disk_ends_the_recording_and_says_so) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("full.ts");
    cr_assert_eq(symlink("/dev/full", path), 0);
    struct recorder *r = open_recorder(path, m);
    push_range(r, m, 0, m->len);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(wait_end(r, why), RECORDER_FAILED);
    cr_expect_not_null(strstr(why, "No space left"), "%s", why);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder, broken_fragments_are_counted_and_left_out) {
    struct test_media *m = test_media_new(&(struct test_media_config){.no_audio = true});
    const char *path = probe_path("holes.ts");
    struct recorder *r = open_recorder(path, m);
    memset(m->fragments[25]->data, 0xff, 16);
    push_range(r, m, 0, m->len);
    finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_geq(s.frames_dropped, 1u);
    recorder_free(r);
    test_media_free(m);
}
