#include "media/http_live.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test_media.h"
#include "tests/unit/media_sink/http_client.h"
#include "tests/unit/media_sink/probe.h"

#define STREAM_MAX (64u << 20)

TestSuite(http_live, .fini = probe_clean, .timeout = 60);

static struct http_test t;

static void expect_refused(const char *request) {
    const char *answer = http_test_ask(&t, request);
    cr_expect_eq(strncmp(answer, "HTTP/1.1 503 ", 13), 0, "%s", answer);
}

struct viewer {
    int fd;
    char *text;
    size_t len;
    bool is_open;
};

static struct viewer watch(const char *version) {
    struct viewer v = {.fd = http_test_connect(&t), .text = calloc(1, STREAM_MAX), .is_open = true};
    cr_assert_not_null(v.text);
    char request[256];
    snprintf(request, sizeof request, "GET /live.mp4 HTTP/%s\r\nHost: %s\r\n\r\n", version,
             http_server_address(t.server));
    http_test_send(v.fd, request);
    return v;
}

static void receive(struct viewer *v) {
    if (v->is_open) v->is_open = http_test_receive(v->fd, v->text, &v->len, STREAM_MAX);
}

static void forget(struct viewer *v) {
    close(v->fd);
    free(v->text);
}

static bool has_text(struct viewer *v, const char *text) {
    receive(v);
    return memmem(v->text, v->len, text, strlen(text)) != NULL;
}

/* The body of an answer to HTTP/1.0, which is not cut into chunks, as a file. */
static void write_body(const struct viewer *v, const char *path) {
    const char *body = memmem(v->text, v->len, "\r\n\r\n", 4);
    cr_assert_not_null(body);
    FILE *out = fopen(path, "wb");
    cr_assert_not_null(out);
    size_t len = v->len - (size_t)(body + 4 - v->text);
    cr_assert_eq(fwrite(body + 4, 1, len, out), len);
    cr_assert_eq(fclose(out), 0);
}

/* Pushes and lets the loop run, so that viewers that read keep up. */
static void push_range(const struct test_media *m, size_t from, size_t to, struct viewer *v) {
    for (size_t i = from; i < to; i++) {
        http_server_push(t.server, m->fragments[i]);
        http_test_step(&t);
        if (v != NULL) receive(v);
    }
}

static void set_tracks(const struct test_media *m) {
    cr_assert_eq(http_server_set_tracks(t.server, m->tracks, m->tracks_len), 0);
}

static void end_stream(struct viewer *v) {
    cr_expect_lt(http_server_set_tracks(t.server, NULL, 0), 0);
    http_test_until(&t, (receive(v), !v->is_open));
}

Test(http_live, live_mp4_is_a_file_that_decodes_to_the_frames_of_the_broadcast) {
    struct test_media *m = test_media_new(&(struct test_media_config){.start_us = 3600 * US_PER_S});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.0");
    http_test_until(&t, has_text(&v, "moov"));
    cr_expect_eq(http_server_viewers(t.server), 1u);
    push_range(m, 0, m->len, &v);
    end_stream(&v);
    const char *path = probe_path("live.mp4"), *source = probe_path("source.mp4");
    write_body(&v, path);
    char *said = probe_complaints(path);
    cr_expect_str_empty(said, "%s", said);
    free(said);
    static const char *const streams[] = {"v:0", "a:0"};
    for (size_t i = 0; i < 2; i++) {
        test_media_write_file(m, i == 0 ? TRACK_VIDEO : TRACK_AUDIO, source);
        char *a = probe_frame_hashes(source, streams[i]);
        char *b = probe_frame_hashes(path, streams[i]);
        cr_expect_gt(probe_count_lines(a), 20u);
        cr_expect_str_eq(a, b, "%s", streams[i]);
        free(a);
        free(b);
    }
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, a_newcomer_starts_at_the_newest_random_access_point) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 65});
    http_test_open(&t, true);
    set_tracks(m);
    push_range(m, 0, m->len, NULL);
    struct viewer v = watch("1.0");
    http_test_until(&t, has_text(&v, "moof"));
    end_stream(&v);
    const char *path = probe_path("newcomer.mp4");
    write_body(&v, path);
    char *said = probe_complaints(path);
    cr_expect_str_empty(said, "%s", said);
    free(said);
    char *hashes = probe_frame_hashes(path, "v:0");
    cr_expect_eq(probe_count_lines(hashes), 15u, "frames 50 to 64: %zu", probe_count_lines(hashes));
    free(hashes);
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, audio_alone_is_live_too) {
    struct test_media *m = test_media_new(&(struct test_media_config){.no_video = true});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.0");
    http_test_until(&t, has_text(&v, "moov"));
    push_range(m, 0, m->len, &v);
    end_stream(&v);
    write_body(&v, probe_path("audio.mp4"));
    char *said = probe_complaints(probe_path("audio.mp4"));
    cr_expect_str_empty(said, "%s", said);
    free(said);
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, another_broadcast_ends_the_answer) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 25});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.1");
    http_test_until(&t, has_text(&v, "moov"));
    push_range(m, 0, m->len, &v);
    set_tracks(m);
    http_test_until(&t, (receive(&v), !v.is_open));
    cr_expect_str_eq(v.text + v.len - 5, "0\r\n\r\n", "the last chunk was sent");
    cr_expect_eq(http_server_viewers(t.server), 0u);
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, off_air_there_is_no_live_mp4) {
    http_test_open(&t, true);
    expect_refused("GET /live.mp4 HTTP/1.1\r\nHost: HOST");
    expect_refused("HEAD /live.mp4 HTTP/1.1\r\nHost: HOST");
    http_test_close(&t);
}

Test(http_live, a_viewer_that_leaves_is_forgotten) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 50});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.1");
    http_test_until(&t, has_text(&v, "moov"));
    push_range(m, 0, m->len / 2, &v);
    forget(&v);
    push_range(m, m->len / 2, m->len, NULL);
    http_test_until(&t, http_server_viewers(t.server) == 0);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, the_server_may_end_before_its_viewers) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 25});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.1");
    http_test_until(&t, has_text(&v, "moov"));
    push_range(m, 0, m->len, NULL);
    http_test_close(&t);
    for (size_t i = 0; i < m->len; i++)
        cr_expect_eq(atomic_load(&m->fragments[i]->references), 1u, "fragment %zu", i);
    forget(&v);
    test_media_free(m);
}

Test(http_live, more_viewers_than_the_maximum_are_told_so) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 2});
    http_test_open(&t, true);
    set_tracks(m);
    int fds[LIVE_CLIENTS_MAX];
    char request[256];
    snprintf(request, sizeof request, "GET /live.mp4 HTTP/1.1\r\nHost: %s\r\n\r\n",
             http_server_address(t.server));
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++) {
        fds[i] = http_test_connect(&t);
        http_test_send(fds[i], request);
        http_test_until(&t, http_server_viewers(t.server) == i + 1);
    }
    expect_refused("GET /live.mp4 HTTP/1.1\r\nHost: HOST");
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++) close(fds[i]);
    http_test_until(&t, http_server_viewers(t.server) == 0);
    http_test_close(&t);
    test_media_free(m);
}

/* Each fragment is pushed many times over, so a viewer's buffer holds it many times: with the head
 * and the payload each is two references. */
static uint64_t held_bytes(const struct test_media *m) {
    uint64_t held = 0;
    for (size_t i = 0; i < m->len; i++) {
        unsigned references = atomic_load(&m->fragments[i]->references);
        held += (uint64_t)m->fragments[i]->len * (references - 1);
    }
    return held;
}

/* The broadcast says that it has 1 Mb/s, so the buffer is the least there is. */
Test(http_live, a_viewer_that_stands_still_costs_a_bounded_buffer_and_skips_ahead) {
    struct test_media *m = test_media_new(
        &(struct test_media_config){.frames = 150, .width = 1280, .height = 720, .no_audio = true});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.0");
    http_test_until(&t, has_text(&v, "moov"));
    struct http_server_stats s = {0};
    for (size_t round = 0; s.skips == 0 && round < 200; round++) {
        push_range(m, 0, m->len, NULL);
        http_server_stats(t.server, &s);
    }
    cr_assert_eq(s.skips, 1u);
    for (size_t round = 0; round < 10; round++) push_range(m, 0, m->len, NULL);
    /* What newcomers start with, the viewer's buffer, and what made that too full. */
    cr_expect_lt(held_bytes(m), 3 * (uint64_t)LIVE_BUFFER_MIN, "%lu bytes", held_bytes(m));
    http_server_stats(t.server, &s);
    cr_expect_eq(s.skips, 1u);
    cr_expect_eq(s.viewers, 1u);

    /* It reads again, and the stream goes on behind what was skipped. */
    size_t stood_at = v.len;
    uint64_t until_us = http_test_deadline();
    while (v.len < stood_at + 8 * (size_t)LIVE_BUFFER_MIN) {
        push_range(m, 0, m->len, &v);
        cr_assert(http_test_before(until_us), "the stream goes on");
    }
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_live, broken_fragments_do_not_reach_a_viewer) {
    struct test_media *m = test_media_new(&(struct test_media_config){.frames = 10});
    http_test_open(&t, true);
    set_tracks(m);
    memset(m->fragments[3]->data, 0xee, m->fragments[3]->len);
    m->fragments[4]->track = 7;
    push_range(m, 0, m->len, NULL);
    struct http_server_stats s;
    http_server_stats(t.server, &s);
    cr_expect_eq(s.broken_fragments, 1u);
    http_test_close(&t);
    test_media_free(m);
}
