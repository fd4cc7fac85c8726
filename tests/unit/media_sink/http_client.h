/* http_client.h - a server on a loop of its own, and requests to it over real sockets of the
 * loopback. The loop runs in the test's thread, between the steps of the test. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "media/http_server.h"

struct event_base;

struct http_test {
    struct event_base *base;
    struct http_server *server;
    bool healthy;
    int status_result; /* 0: writes a text */
};

void http_test_open(struct http_test *t, bool has_player);
void http_test_close(struct http_test *t);
/* Runs the loop until the condition holds; the test fails after some seconds. */
#define http_test_until(t, condition)                                                              \
    for (uint64_t test_until_us = http_test_deadline(); !(condition);) {                           \
        http_test_step(t);                                                                         \
        cr_assert(http_test_before(test_until_us), "in time: %s", #condition);                     \
    }
void http_test_step(struct http_test *t);
uint64_t http_test_deadline(void);
bool http_test_before(uint64_t until_us);

/* A socket that is connected to the server, not blocking. */
int http_test_connect(struct http_test *t);
void http_test_send(int fd, const char *text);
/* Appends what has come to `text` (zero-terminated, `*len` of `capacity`); false at the end. */
bool http_test_receive(int fd, char *text, size_t *len, size_t capacity);
/* One request, given without its last empty line; "HOST" in it stands for the server's address.
 * The whole answer, valid until the next call. */
const char *http_test_ask(struct http_test *t, const char *request);

#endif
