#include "media/http_guard.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "core/base/endpoint.h"

#define SWEEP_MS 250
#define HTTP_PORT 80u

struct place {
    struct bufferevent *connection; /* NULL: free. We hold a reference. */
    uint64_t since_us;
    bool has_request;
};

struct http_guard {
    struct evconnlistener *listener;
    struct event *sweep;
    struct place places[GUARD_CONNECTIONS_MAX];
};

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

/* --- connections --- */

/* evhttp takes its callbacks away when it lets go of a connection: then ours is the last
 * reference. It has no other way to tell of a connection that never made a request. */
static bool is_gone(struct bufferevent *bev) {
    bufferevent_data_cb on_read, on_write;
    bufferevent_event_cb on_event;
    void *arg;
    bufferevent_getcb(bev, &on_read, &on_write, &on_event, &arg);
    return on_event == NULL;
}

/* Returns how many connections there are. */
static unsigned sweep(struct http_guard *g) {
    unsigned n = 0;
    for (size_t i = 0; i < GUARD_CONNECTIONS_MAX; i++) {
        struct place *p = &g->places[i];
        if (p->connection == NULL) continue;
        if (is_gone(p->connection)) {
            bufferevent_decref(p->connection);
            p->connection = NULL;
            continue;
        }
        n++;
        if (!p->has_request && now_us() > p->since_us + GUARD_REQUEST_US)
            (void)shutdown(bufferevent_getfd(p->connection), SHUT_RDWR); /* evhttp sees the end */
    }
    return n;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct http_guard *g = arg;
    unsigned n = sweep(g);
    if (n < GUARD_CONNECTIONS_MAX) evconnlistener_enable(g->listener);
    if (n == 0) event_del(g->sweep);
}

static struct place *find_place(struct http_guard *g) {
    for (size_t i = 0; i < GUARD_CONNECTIONS_MAX; i++)
        if (g->places[i].connection == NULL) return &g->places[i];
    return NULL;
}

/* evhttp asks for a buffer for each connection that it has accepted. */
static struct bufferevent *on_connection(struct event_base *base, void *arg) {
    struct http_guard *g = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
    unsigned n = sweep(g);
    struct place *p = find_place(g);
    if (bev != NULL && p != NULL) {
        bufferevent_incref(bev);
        *p = (struct place){.connection = bev, .since_us = now_us()};
        n++;
    }
    if (n >= GUARD_CONNECTIONS_MAX) evconnlistener_disable(g->listener);
    struct timeval interval = {.tv_usec = SWEEP_MS * 1000};
    event_add(g->sweep, &interval);
    return bev;
}

struct http_guard *http_guard_new(struct event_base *base, struct evhttp *http,
                                  struct evconnlistener *listener) {
    struct http_guard *g = calloc(1, sizeof *g);
    if (g == NULL) return NULL;
    g->listener = listener;
    g->sweep = event_new(base, -1, EV_PERSIST, on_sweep, g);
    if (g->sweep == NULL) {
        free(g);
        return NULL;
    }
    evhttp_set_bevcb(http, on_connection, g);
    return g;
}

void http_guard_free(struct http_guard *g) {
    if (g == NULL) return;
    for (size_t i = 0; i < GUARD_CONNECTIONS_MAX; i++)
        if (g->places[i].connection != NULL) bufferevent_decref(g->places[i].connection);
    event_free(g->sweep);
    free(g);
}

void http_guard_mark(struct http_guard *g, struct evhttp_request *req) {
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    if (conn == NULL) return;
    struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
    for (size_t i = 0; i < GUARD_CONNECTIONS_MAX; i++)
        if (g->places[i].connection == bev) g->places[i].has_request = true;
}

unsigned http_guard_connections(struct http_guard *g) { return sweep(g); }

/* --- requests --- */

/* The address that the client has connected to. */
static bool local_endpoint(struct evhttp_request *req, struct endpoint *ret) {
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    if (conn == NULL) return false;
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) return false;
    *ret = (struct endpoint){0};
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        ret->ip[10] = ret->ip[11] = 0xff;
        memcpy(ret->ip + 12, &in->sin_addr, 4);
        ret->port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        memcpy(ret->ip, &in6->sin6_addr, 16);
        ret->port = ntohs(in6->sin6_port);
    }
    return true;
}

static bool is_local_name(const char *host, uint16_t port) {
    char name[32];
    snprintf(name, sizeof name, "localhost:%u", port);
    if (strcasecmp(host, name) == 0) return true;
    return port == HTTP_PORT && strcasecmp(host, "localhost") == 0;
}

static bool host_is_ours(const char *host, const struct endpoint *local) {
    if (is_local_name(host, local->port)) return true;
    struct endpoint e;
    if (endpoint_parse(host, &e) != 0) {
        char with_port[ENDPOINT_TEXT_MAX + 8];
        int n = snprintf(with_port, sizeof with_port, "%s:%u", host, HTTP_PORT);
        if (n < 0 || (size_t)n >= sizeof with_port || endpoint_parse(with_port, &e) != 0)
            return false;
    }
    if (e.port != local->port) return false;
    return endpoint_is_loopback(&e) || endpoint_equal(&e, local);
}

bool http_guard_allows(struct evhttp_request *req) {
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    const char *host = evhttp_find_header(headers, "Host");
    const char *origin = evhttp_find_header(headers, "Origin");
    struct endpoint local;
    if (host == NULL || !local_endpoint(req, &local) || !host_is_ours(host, &local)) return false;
    if (origin == NULL) return true;
    static const char scheme[] = "http://";
    return strncasecmp(origin, scheme, sizeof scheme - 1) == 0 &&
           host_is_ours(origin + sizeof scheme - 1, &local);
}
