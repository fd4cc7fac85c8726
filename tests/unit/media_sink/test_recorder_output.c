#include "media/recorder_output.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/recorder.h"
#include "tests/unit/media_sink/probe.h"
#include "tests/unit/media_sink/recording.h"

TestSuite(recorder_output, .fini = probe_clean, .timeout = 60);

static const struct test_media_config both = {.start_us = 5 * US_PER_S};

/* Puts a pipe in the place of standard output; returns its reading end. */
static int pipe_as_stdout(void) {
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    fflush(stdout);
    cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
    close(fds[1]);
    return fds[0];
}

Test(recorder_output, standard_output_is_a_transport_stream) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = recording_open("-", m);
    recording_push(r, m, 0, m->len);
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
    recording_expect_clean(path);
    recording_expect_same(m, TRACK_VIDEO, path);
    test_media_free(m);
}

Test(recorder_output, the_first_frame_goes_out_before_anything_follows_it) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = recording_open("-", m);
    recorder_push(r, m->fragments[test_media_find(m, TRACK_VIDEO, 0, true)]);
    struct pollfd p = {.fd = in, .events = POLLIN};
    cr_expect_gt(poll(&p, 1, DEADLINE_MS), 0);
    recording_wait_frames(r, 1);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_gt(s.first_output_us, 0u);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder_output, a_closed_pipe_ends_the_recording_quietly) {
    struct test_media *m = test_media_new(&both);
    int in = pipe_as_stdout();
    struct recorder *r = recording_open("-", m);
    close(in);
    recording_push(r, m, 0, m->len);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(recording_wait_end(r, why), RECORDER_BROKEN_PIPE, "%s", why);
    recording_push(r, m, 0, m->len);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder_output, a_reader_that_stands_still_costs_frames_but_not_memory) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 500});
    int in = pipe_as_stdout();
    struct recorder *r = recording_open("-", m);
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
    cr_expect_eq(recording_wait_end(r, why), RECORDER_FAILED);
    cr_expect_not_null(strstr(why, "takes nothing"), "%s", why);
    recorder_free(r);
    close(in);
    test_media_free(m);
}

Test(recorder_output, what_a_slow_reader_gets_can_be_decoded) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 500});
    int in = pipe_as_stdout();
    struct recorder *r = recording_open("-", m);
    recording_push(r, m, 0, 10);
    recording_wait_frames(r, 1);
    recording_push(r, m, 10, m->len);
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
    recording_expect_clean(path);
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

Test(recorder_output, an_existing_recording_is_not_touched_unless_allowed) {
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
    recording_push(r, m, 0, m->len);
    recording_finish(r, RECORDER_DONE);
    recorder_free(r);
    recording_expect_same(m, TRACK_VIDEO, path);
    test_media_free(m);
}

Test(recorder_output, an_empty_file_may_be_written_to) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("empty.ts");
    char why[RECORDER_WHY_MAX];
    write_text(path, "");
    cr_expect_eq(try_open(path, false, m, why), 0, "%s", why);
    cr_expect_eq(access(path, F_OK), 0, "it was not ours to remove");
    test_media_free(m);
}

Test(recorder_output, a_name_with_another_ending_is_refused_and_the_allowed_ones_are_named) {
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

Test(recorder_output, a_folder_that_does_not_exist_is_named) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(try_open(probe_path("no/such/folder.ts"), false, m, why), ERR_SYSTEM);
    cr_expect_not_null(strstr(why, "no/such/folder.ts"), "%s", why);
    test_media_free(m);
}

Test(recorder_output, tracks_that_cannot_be_recorded_leave_no_file) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("none.ts");
    m->tracks[0].init_len = 30;
    cr_expect_lt(try_open(path, false, m, why), 0);
    cr_expect_neq(access(path, F_OK), 0);
    test_media_free(m);
}

Test(recorder_output, a_recording_without_a_frame_leaves_no_file) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("nothing.mkv");
    cr_expect_eq(try_open(path, false, m, why), 0, "%s", why);
    cr_expect_neq(access(path, F_OK), 0);
    test_media_free(m);
}

Test(recorder_output, a_named_pipe_that_nobody_reads_is_refused) {
    struct test_media *m = test_media_new(&both);
    char why[RECORDER_WHY_MAX];
    const char *path = probe_path("fifo.ts");
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(try_open(path, false, m, why), ERR_SYSTEM);
    cr_expect_not_null(strstr(why, "nobody reads"), "%s", why);
    test_media_free(m);
}

Test(recorder_output, a_full_disk_ends_the_recording_and_says_so) {
    struct test_media *m = test_media_new(&both);
    const char *path = probe_path("full.ts");
    cr_assert_eq(symlink("/dev/full", path), 0);
    struct recorder *r = recording_open(path, m);
    recording_push(r, m, 0, m->len);
    char why[RECORDER_WHY_MAX];
    cr_expect_eq(recording_wait_end(r, why), RECORDER_FAILED);
    cr_expect_not_null(strstr(why, "No space left"), "%s", why);
    recorder_free(r);
    test_media_free(m);
}

Test(recorder_output, broken_fragments_are_counted_and_left_out) {
    struct test_media *m = test_media_new(&(struct test_media_config){.no_audio = true});
    const char *path = probe_path("holes.ts");
    struct recorder *r = recording_open(path, m);
    memset(m->fragments[25]->data, 0xff, 16);
    recording_push(r, m, 0, m->len);
    recording_finish(r, RECORDER_DONE);
    struct recorder_stats s;
    recorder_stats(r, &s);
    cr_expect_geq(s.frames_dropped, 1u);
    recorder_free(r);
    test_media_free(m);
}
