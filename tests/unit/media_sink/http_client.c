#include "tests/unit/media_sink/http_client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/recorder_output.h"

#define DEADLINE_US (20 * US_PER_S)
#define ANSWER_MAX (1 << 20)

static int write_status(void *owner, char *ret, size_t capacity) {
    struct http_test *t = owner;
    if (t->status_result) return t->status_result;
    return snprintf(ret, capacity, "{\"state\":\"on_air\"}");
}

static int write_metrics(void *owner, char *ret, size_t capacity) {
    (void)owner;
    return snprintf(ret, capacity, "shoal_links 3\n");
}

static int write_health(void *owner, char *ret, size_t capacity, bool *ret_healthy) {
    struct http_test *t = owner;
    *ret_healthy = t->healthy;
    return snprintf(ret, capacity, "%s\n", t->healthy ? "ok" : "no neighbours");
}

void http_test_open(struct http_test *t, bool has_player) {
    *t = (struct http_test){.base = event_base_new(), .healthy = true};
    cr_assert_not_null(t->base);
    struct http_server_config c = {.listen = "127.0.0.1:0",
                                   .has_player = has_player,
                                   .status = write_status,
                                   .metrics = write_metrics,
                                   .health = write_health,
                                   .owner = t};
    char why[HTTP_WHY_MAX];
    cr_assert_eq(http_server_open(&t->server, t->base, &c, why, sizeof why), 0, "%s", why);
}

void http_test_close(struct http_test *t) {
    http_server_free(t->server);
    event_base_free(t->base);
}

void http_test_step(struct http_test *t) {
    struct timeval tick = {.tv_usec = 1000};
    event_base_loopexit(t->base, &tick);
    event_base_dispatch(t->base);
}

uint64_t http_test_deadline(void) { return monotonic_us() + DEADLINE_US; }
bool http_test_before(uint64_t until_us) { return monotonic_us() < until_us; }

int http_test_connect(struct http_test *t) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *port = strrchr(http_server_address(t->server), ':') + 1;
    to.sin_port = htons((uint16_t)atoi(port));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void http_test_send(int fd, const char *text) {
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

bool http_test_receive(int fd, char *text, size_t *len, size_t capacity) {
    while (*len + 1 < capacity) {
        ssize_t n = recv(fd, text + *len, capacity - 1 - *len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (n <= 0) return false;
        *len += (size_t)n;
        text[*len] = '\0';
    }
    return true;
}

const char *http_test_ask(struct http_test *t, const char *request) {
    static char answer[ANSWER_MAX];
    char text[4096];
    const char *host = strstr(request, "HOST");
    int before = host == NULL ? (int)strlen(request) : (int)(host - request);
    int n =
        snprintf(text, sizeof text, "%.*s%s%s\r\n\r\n", before, request,
                 host == NULL ? "" : http_server_address(t->server), host == NULL ? "" : host + 4);
    cr_assert(n > 0 && (size_t)n < sizeof text);
    int fd = http_test_connect(t);
    http_test_send(fd, text);
    size_t len = 0;
    answer[0] = '\0';
    http_test_until(t, !http_test_receive(fd, answer, &len, sizeof answer));
    close(fd);
    return answer;
}
