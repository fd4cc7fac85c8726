#include "tests/unit/media_sink/recording.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "media/recorder_output.h"
#include "tests/unit/media_sink/probe.h"

struct recorder *recording_open(const char *path, const struct test_media *m) {
    struct recorder *r = NULL;
    char why[RECORDER_WHY_MAX] = "";
    int err = recorder_open(&r, &(struct recorder_config){.path = path}, m->tracks, m->tracks_len,
                            why, sizeof why);
    cr_assert_eq(err, 0, "%s", why);
    return r;
}

enum recorder_state recording_wait_end(struct recorder *r, char *why) {
    struct pollfd p = {.fd = recorder_fd(r), .events = POLLIN};
    for (;;) {
        enum recorder_state state = recorder_state(r, why, RECORDER_WHY_MAX);
        if (state != RECORDER_RUNNING) return state;
        cr_assert_gt(poll(&p, 1, DEADLINE_MS), 0, "no end in time");
    }
}

void recording_finish(struct recorder *r, enum recorder_state expected) {
    char why[RECORDER_WHY_MAX];
    recorder_finish(r);
    cr_assert_eq(recording_wait_end(r, why), expected, "%s", why);
}

/* Waits until nothing that was pushed is waiting any more: written and dropped add up. */
void recording_wait_frames(struct recorder *r, uint64_t frames) {
    struct recorder_stats s;
    uint64_t until_us = monotonic_us() + DEADLINE_MS * US_PER_MS;
    do {
        recorder_stats(r, &s);
        cr_assert_lt(monotonic_us(), until_us, "%lu frames of %lu", s.frames_written, frames);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (s.frames_written + s.frames_dropped < frames);
}

void recording_push(struct recorder *r, const struct test_media *m, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) recorder_push(r, m->fragments[i]);
}

void recording_push_all(struct recorder *r, const struct test_media *m) {
    struct recorder_stats before;
    recorder_stats(r, &before);
    recording_push(r, m, 0, m->len);
    recording_wait_frames(r, before.frames_written + before.frames_dropped + 150);
}

void recording_expect_clean(const char *path) {
    char *said = probe_complaints(path);
    cr_expect_str_empty(said, "%s: %s", path, said);
    free(said);
}

void recording_expect_same(const struct test_media *m, enum track_kind kind,
                           const char *recording) {
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
