#include "media/http_server.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/http_guard.h"
#include "tests/unit/media_sink/http_client.h"

TestSuite(http_server, .timeout = 60);

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

Test(http_server, a_request_that_trickles_without_end_is_cut_off) {
    http_test_open(&t, true);
    int fd = http_test_connect(&t);
    http_test_send(fd, "GET / HTTP/1.1\r\nX: ");
    char answer[1024] = "";
    size_t len = 0;
    uint64_t until_us = http_test_deadline();
    for (size_t step = 1; http_test_receive(fd, answer, &len, sizeof answer); step++) {
        /* A byte now and then keeps the timer for silence from running out. */
        if (step % 256 == 0) (void)send(fd, "x", 1, MSG_NOSIGNAL);
        http_test_step(&t);
        cr_assert(http_test_before(until_us), "it is cut off");
    }
    struct http_server_stats s;
    http_test_until(&t, (http_server_stats(t.server, &s), s.connections == 0));
    close(fd);
    http_test_close(&t);
}
