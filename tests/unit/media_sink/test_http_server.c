#include "media/http_server.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/http_guard.h"
#include "media/http_live.h"
#include "tests/lib/test_media.h"
#include "tests/unit/media_sink/http_client.h"
#include "tests/unit/media_sink/probe.h"

#define STREAM_MAX (64u << 20)

TestSuite(http_server, .fini = probe_clean, .timeout = 60);

static struct http_test t;

static void expect_status(const char *request, int code) {
    const char *answer = http_test_ask(&t, request);
    int got = 0;
    cr_assert_eq(sscanf(answer, "HTTP/1.%*d %d", &got), 1, "%s: %s", request, answer);
    cr_expect_eq(got, code, "%s: %d", request, got);
}

/* --- what is let in --- */

Test(http_server, answers_to_localhost_and_to_its_own_address) {
    http_test_open(&t, true);
    const char *port = strrchr(http_server_address(t.server), ':') + 1;
    char request[256];
    static const char *const names[] = {"localhost", "LocalHost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s:%s", names[i], port);
        expect_status(request, 200);
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: HOST\r\nOrigin: http://%s:%s",
                 names[i], port);
        expect_status(request, 200);
    }
    http_test_close(&t);
}

Test(http_server, refuses_every_other_host) {
    http_test_open(&t, true);
    const char *port = strrchr(http_server_address(t.server), ':') + 1;
    static const char *const names[] = {"evil.example",           "localhost.evil.example",
                                        "127.0.0.1.evil.example", "192.0.2.7",
                                        "[2001:db8::1]",          "",
                                        "localhost:80@evil",      "0x7f.1"};
    char request[256];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(request, sizeof request, "GET /status.json HTTP/1.1\r\nHost: %s:%s", names[i],
                 port);
        expect_status(request, 403);
    }
    expect_status("GET / HTTP/1.1\r\nHost: localhost:1", 403);
    expect_status("GET / HTTP/1.1\r\nHost: localhost", 403);
    expect_status("GET / HTTP/1.0", 403);
    struct http_server_stats s;
    http_server_stats(t.server, &s);
    cr_expect_eq(s.refused, ARRAY_LEN(names) + 3);
    http_test_close(&t);
}

Test(http_server, refuses_every_other_origin) {
    http_test_open(&t, true);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST\r\nOrigin: http://evil.example", 403);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST\r\nOrigin: null", 403);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST\r\nOrigin: https://localhost", 403);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST\r\nOrigin: http://localhost", 403);
    http_test_close(&t);
}

Test(http_server, knows_only_get_and_head) {
    http_test_open(&t, true);
    expect_status("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0", 405);
    expect_status("PUT /live.mp4 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0", 405);
    expect_status("DELETE / HTTP/1.1\r\nHost: HOST", 405);
    expect_status("OPTIONS / HTTP/1.1\r\nHost: HOST", 405);
    const char *answer = http_test_ask(&t, "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0");
    cr_expect_not_null(strstr(answer, "Allow: GET, HEAD"));
    http_test_close(&t);
}

Test(http_server, takes_no_body) {
    http_test_open(&t, true);
    const char *answer =
        http_test_ask(&t, "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhello");
    cr_expect_null(strstr(answer, " 200 "), "%s", answer);
    expect_status("GET / HTTP/1.1\r\nHost: HOST", 200);
    http_test_close(&t);
}

Test(http_server, long_headers_are_refused) {
    http_test_open(&t, true);
    int fd = http_test_connect(&t);
    http_test_send(fd, "GET / HTTP/1.1\r\nX: ");
    char block[1025] = "";
    memset(block, 'x', 1024);
    for (int i = 0; i < 16; i++)
        if (send(fd, block, 1024, MSG_NOSIGNAL) < 0) break;
    char answer[4096] = "";
    size_t len = 0;
    http_test_until(&t, !http_test_receive(fd, answer, &len, sizeof answer));
    cr_expect_null(strstr(answer, " 200 "), "%s", answer);
    close(fd);
    http_test_close(&t);
}

Test(http_server, a_head_has_the_headers_and_no_body) {
    http_test_open(&t, true);
    const char *answer = http_test_ask(&t, "HEAD / HTTP/1.1\r\nHost: HOST");
    cr_expect_not_null(strstr(answer, " 200 OK"));
    cr_expect_not_null(strstr(answer, "Content-Length: "));
    cr_expect_null(strstr(answer, "<html"));
    cr_expect_str_eq(answer + strlen(answer) - 4, "\r\n\r\n");
    http_test_close(&t);
}

Test(http_server, every_answer_forbids_sniffing_storing_and_foreign_content) {
    http_test_open(&t, true);
    static const char *const paths[] = {"/", "/player.js", "/status.json", "/nothing", "/live.mp4"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char request[128];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: HOST", paths[i]);
        const char *answer = http_test_ask(&t, request);
        cr_expect_not_null(strstr(answer, "X-Content-Type-Options: nosniff"), "%s", answer);
        cr_expect_not_null(strstr(answer, "Cache-Control: no-store"));
        cr_expect_not_null(strstr(answer, "default-src 'none'"));
        cr_expect_not_null(strstr(answer, "Cross-Origin-Resource-Policy: same-origin"));
    }
    http_test_close(&t);
}

/* --- documents --- */

Test(http_server, serves_the_page_and_what_it_names) {
    http_test_open(&t, true);
    const char *answer = http_test_ask(&t, "GET / HTTP/1.1\r\nHost: HOST");
    cr_expect_not_null(strstr(answer, "text/html"));
    cr_expect_not_null(strstr(answer, "/player.js"));
    expect_status("GET /player.js HTTP/1.1\r\nHost: HOST", 200);
    expect_status("GET /player.css HTTP/1.1\r\nHost: HOST", 200);
    expect_status("GET /icon.svg HTTP/1.1\r\nHost: HOST", 200);
    expect_status("GET /?a=b HTTP/1.1\r\nHost: HOST", 200);
    expect_status("GET /player.html HTTP/1.1\r\nHost: HOST", 404);
    expect_status("GET /../etc/passwd HTTP/1.1\r\nHost: HOST", 404);
    http_test_close(&t);
}

Test(http_server, serves_what_the_owner_writes) {
    http_test_open(&t, true);
    const char *answer = http_test_ask(&t, "GET /status.json HTTP/1.1\r\nHost: HOST");
    cr_expect_not_null(strstr(answer, "{\"state\":\"on_air\"}"));
    cr_expect_not_null(strstr(answer, "application/json"));
    answer = http_test_ask(&t, "GET /metrics HTTP/1.1\r\nHost: HOST");
    cr_expect_not_null(strstr(answer, "shoal_links 3\n"));
    expect_status("GET /healthz HTTP/1.1\r\nHost: HOST", 200);
    t.healthy = false;
    expect_status("GET /healthz HTTP/1.1\r\nHost: HOST", 503);
    t.status_result = ERR_FULL;
    expect_status("GET /status.json HTTP/1.1\r\nHost: HOST", 503);
    http_test_close(&t);
}

Test(http_server, a_relay_has_no_player) {
    http_test_open(&t, false);
    expect_status("GET / HTTP/1.1\r\nHost: HOST", 404);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST", 404);
    expect_status("GET /metrics HTTP/1.1\r\nHost: HOST", 200);
    http_test_close(&t);
}

/* --- opening --- */

static int try_open(const char *listen, char *why) {
    struct event_base *base = event_base_new();
    struct http_server *s = NULL;
    struct http_server_config c = {.listen = listen, .has_player = true};
    int err = http_server_open(&s, base, &c, why, HTTP_WHY_MAX);
    http_server_free(s);
    event_base_free(base);
    return err;
}

Test(http_server, a_port_in_use_is_named) {
    char why[HTTP_WHY_MAX];
    http_test_open(&t, true);
    cr_expect_eq(try_open(http_server_address(t.server), why), ERR_EXISTS);
    cr_expect_not_null(strstr(why, http_server_address(t.server)), "%s", why);
    cr_expect_null(strchr(why, '\n'));
    http_test_close(&t);
}

Test(http_server, a_malformed_address_is_quoted) {
    static const char *const bad[] = {
        "", "8080", "localhost:80", "127.0.0.1", "1.2.3.4:99999", "[::1]", "::1:80"};
    char why[HTTP_WHY_MAX];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(try_open(bad[i], why), ERR_ARGUMENT, "%s", bad[i]);
        cr_expect_not_null(strstr(why, "127.0.0.1:8080"), "%s", why);
    }
}

Test(http_server, an_address_that_is_not_ours_is_refused) {
    char why[HTTP_WHY_MAX];
    cr_expect_lt(try_open("192.0.2.1:0", why), 0);
    cr_expect_not_null(strstr(why, "192.0.2.1:0"), "%s", why);
}

/* --- live.mp4 --- */

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

Test(http_server, live_mp4_is_a_file_that_decodes_to_the_frames_of_the_broadcast) {
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

Test(http_server, a_newcomer_starts_at_the_newest_random_access_point) {
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

Test(http_server, audio_alone_is_live_too) {
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

Test(http_server, another_broadcast_ends_the_answer) {
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

Test(http_server, off_air_there_is_no_live_mp4) {
    http_test_open(&t, true);
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST", 503);
    expect_status("HEAD /live.mp4 HTTP/1.1\r\nHost: HOST", 503);
    http_test_close(&t);
}

Test(http_server, a_viewer_that_leaves_is_forgotten) {
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

Test(http_server, the_server_may_end_before_its_viewers) {
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

Test(http_server, more_viewers_than_the_maximum_are_told_so) {
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
    expect_status("GET /live.mp4 HTTP/1.1\r\nHost: HOST", 503);
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++) close(fds[i]);
    http_test_until(&t, http_server_viewers(t.server) == 0);
    http_test_close(&t);
    test_media_free(m);
}

/* 40 MB of a broadcast that says that it has 1 Mb/s: the buffer is LIVE_BUFFER_MIN. */
Test(http_server, a_viewer_that_stands_still_costs_a_bounded_buffer_and_skips_ahead) {
    struct test_media *m = test_media_new(
        &(struct test_media_config){.frames = 150, .width = 1280, .height = 720, .no_audio = true});
    http_test_open(&t, true);
    set_tracks(m);
    struct viewer v = watch("1.0");
    http_test_until(&t, has_text(&v, "moov"));
    struct http_server_stats s = {0};
    size_t rounds = 0;
    for (; s.skips == 0 && rounds < 200; rounds++) {
        push_range(m, 0, m->len, NULL);
        http_server_stats(t.server, &s);
    }
    cr_assert_eq(s.skips, 1u, "after %zu rounds", rounds);
    push_range(m, 0, m->len, NULL);
    /* Only what is kept for newcomers and what stands in the viewer's buffer is held. */
    uint64_t held = 0;
    for (size_t i = 0; i < m->len; i++)
        if (atomic_load(&m->fragments[i]->references) > 1)
            held +=
                m->fragments[i]->len * ((atomic_load(&m->fragments[i]->references) - 1 + 1) / 2);
    cr_expect_lt(held, 4 * (uint64_t)LIVE_BUFFER_MIN, "%lu bytes are held", held);
    size_t before = v.len;
    http_test_until(&t, (receive(&v), v.len > before));
    /* It reads again: the stream goes on behind what was skipped. */
    http_test_until(&t, ({
        size_t at = v.len;
        push_range(m, 0, m->len, &v);
        s.skips == 1 && v.len - at > m->fragments[0]->len * 2;
    }));
    http_server_stats(t.server, &s);
    cr_expect_eq(s.viewers, 1u);
    forget(&v);
    http_test_close(&t);
    test_media_free(m);
}

Test(http_server, broken_fragments_do_not_reach_a_viewer) {
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

Test(http_server, connections_that_never_ask_are_bounded_and_the_next_ones_wait) {
    http_test_open(&t, true);
    int fds[GUARD_CONNECTIONS_MAX];
    for (size_t i = 0; i < GUARD_CONNECTIONS_MAX; i++) fds[i] = http_test_connect(&t);
    struct http_server_stats s = {0};
    http_test_until(&t, (http_server_stats(t.server, &s), s.connections == GUARD_CONNECTIONS_MAX));
    int waiting = http_test_connect(&t);
    char request[256], answer[8192] = "";
    size_t len = 0;
    snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n",
             http_server_address(t.server));
    http_test_send(waiting, request);
    for (int i = 0; i < 20; i++) http_test_step(&t);
    http_server_stats(t.server, &s);
    cr_expect_eq(s.connections, GUARD_CONNECTIONS_MAX);
    cr_expect_eq(s.requests, 0u);
    close(fds[0]);
    http_test_until(&t, !http_test_receive(waiting, answer, &len, sizeof answer));
    cr_expect_not_null(strstr(answer, " 200 OK"), "%s", answer);
    close(waiting);
    for (size_t i = 1; i < GUARD_CONNECTIONS_MAX; i++) close(fds[i]);
    http_test_close(&t);
}
