#include "media/http_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/endpoint.h"
#include "core/base/err.h"
#include "media/http_guard.h"
#include "media/http_live.h"
#include "media/http_player.h"

#define LISTEN_BACKLOG 64
#define HTTP_FORBIDDEN 403
#define HTTP_METHODS_ALL                                                                           \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |     \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

struct http_server {
    struct http_server_config config;
    struct evhttp *http;
    struct http_guard *guard;
    struct http_live *live;
    char address[ENDPOINT_TEXT_MAX];
    uint64_t requests, refused;
    char text[HTTP_TEXT_MAX];
};

/* --- answers --- */

static bool is_head(const struct evhttp_request *req) {
    return evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
}

static void set_header(struct evhttp_request *req, const char *name, const char *value) {
    evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

static void set_common_headers(struct evhttp_request *req) {
    set_header(req, "Connection", "close");
    set_header(req, "Cache-Control", "no-store");
    set_header(req, "X-Content-Type-Options", "nosniff");
    set_header(req, "Referrer-Policy", "no-referrer");
    set_header(req, "Cross-Origin-Resource-Policy", "same-origin");
    set_header(req, "Content-Security-Policy", PLAYER_POLICY);
}

static void answer(struct evhttp_request *req, int code, const char *reason, const char *type,
                   const void *data, size_t len) {
    struct evbuffer *body = is_head(req) ? NULL : evbuffer_new();
    if (body != NULL && evbuffer_add(body, data, len) != 0) evbuffer_drain(body, SIZE_MAX);
    char length[24];
    snprintf(length, sizeof length, "%zu", len);
    set_header(req, "Content-Type", type);
    if (is_head(req)) set_header(req, "Content-Length", length);
    evhttp_send_reply(req, code, reason, body);
    if (body != NULL) evbuffer_free(body);
}

static void answer_line(struct evhttp_request *req, int code, const char *reason) {
    char line[64];
    int n = snprintf(line, sizeof line, "%s\n", reason);
    answer(req, code, reason, "text/plain; charset=utf-8", line, (size_t)n);
}

static void answer_text(struct http_server *s, struct evhttp_request *req, int n, int code,
                        const char *type) {
    if (n < 0 || (size_t)n > sizeof s->text)
        answer_line(req, HTTP_SERVUNAVAIL, "Not Available");
    else
        answer(req, code, code == HTTP_OK ? "OK" : "Service Unavailable", type, s->text, (size_t)n);
}

/* --- what there is --- */

static void serve_live(struct http_server *s, struct evhttp_request *req) {
    if (!is_head(req)) {
        http_live_serve(s->live, req);
        return;
    }
    bool ready = http_live_is_ready(s->live);
    set_header(req, "Content-Type", "video/mp4");
    evhttp_send_reply(req, ready ? HTTP_OK : HTTP_SERVUNAVAIL, ready ? "OK" : "Not On Air", NULL);
}

static void serve_status(struct http_server *s, struct evhttp_request *req) {
    int n = s->config.status(s->config.owner, s->text, sizeof s->text);
    answer_text(s, req, n, HTTP_OK, "application/json");
}

static void serve_metrics(struct http_server *s, struct evhttp_request *req) {
    int n = s->config.metrics(s->config.owner, s->text, sizeof s->text);
    answer_text(s, req, n, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
}

static void serve_health(struct http_server *s, struct evhttp_request *req) {
    bool healthy = false;
    int n = s->config.health(s->config.owner, s->text, sizeof s->text, &healthy);
    answer_text(s, req, n, healthy ? HTTP_OK : HTTP_SERVUNAVAIL, "text/plain; charset=utf-8");
}

static void serve(struct http_server *s, struct evhttp_request *req, const char *path) {
    const struct http_server_config *c = &s->config;
    const struct web_asset *asset = c->has_player ? http_player_find(path) : NULL;
    if (asset != NULL)
        answer(req, HTTP_OK, "OK", asset->type, asset->data, asset->len);
    else if (c->has_player && strcmp(path, "/live.mp4") == 0)
        serve_live(s, req);
    else if (c->status != NULL && strcmp(path, "/status.json") == 0)
        serve_status(s, req);
    else if (c->metrics != NULL && strcmp(path, "/metrics") == 0)
        serve_metrics(s, req);
    else if (c->health != NULL && strcmp(path, "/healthz") == 0)
        serve_health(s, req);
    else
        answer_line(req, HTTP_NOTFOUND, "Not Found");
}

static void on_request(struct evhttp_request *req, void *arg) {
    struct http_server *s = arg;
    s->requests++;
    http_guard_mark(s->guard, req);
    set_common_headers(req);
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        s->refused++;
        set_header(req, "Allow", "GET, HEAD");
        answer_line(req, HTTP_BADMETHOD, "Method Not Allowed");
    } else if (path == NULL) {
        answer_line(req, HTTP_BADREQUEST, "Bad Request");
    } else if (!http_guard_allows(req)) {
        s->refused++;
        answer_line(req, HTTP_FORBIDDEN, "Forbidden");
    } else {
        serve(s, req, path);
    }
}

/* --- opening --- */

static socklen_t to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ret) {
    *ret = (struct sockaddr_storage){0};
    if (endpoint_is_ipv4(e)) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, e->ip + 12, 4);
        in->sin_port = htons(e->port);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    in6->sin6_family = AF_INET6;
    memcpy(&in6->sin6_addr, e->ip, 16);
    in6->sin6_port = htons(e->port);
    return sizeof *in6;
}

static int fail_bind(const char *address, char *why, size_t size) {
    int code = errno;
    if (code == EADDRINUSE) {
        snprintf(why, size, "http: %s is in use; choose another port, or 0 for a free one",
                 address);
        return ERR_EXISTS;
    }
    snprintf(why, size, "http: cannot listen at %s: %s", address, strerror(code));
    return code == EACCES ? ERR_PERMISSION : ERR_SYSTEM;
}

/* The port that was found, where any was asked for. */
static void note_address(struct http_server *s, struct endpoint *e, evutil_socket_t fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        e->port =
            ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                               : ((struct sockaddr_in6 *)&address)->sin6_port);
    endpoint_format(e, s->address);
}

static int listen_at(struct http_server *s, struct event_base *base, char *why, size_t size) {
    struct endpoint e;
    struct sockaddr_storage address;
    if (endpoint_parse(s->config.listen, &e) != 0) {
        snprintf(why, size, "http: %.80s is not ADDRESS:PORT, as in 127.0.0.1:8080 or [::1]:0",
                 s->config.listen);
        return ERR_ARGUMENT;
    }
    socklen_t len = to_sockaddr(&e, &address);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, NULL, NULL, flags, LISTEN_BACKLOG, (struct sockaddr *)&address, (int)len);
    if (listener == NULL) return fail_bind(s->config.listen, why, size);
    note_address(s, &e, evconnlistener_get_fd(listener));
    if (evhttp_bind_listener(s->http, listener) == NULL) {
        evconnlistener_free(listener);
        return ERR_MEMORY;
    }
    s->guard = http_guard_new(base, s->http, listener);
    return s->guard == NULL ? ERR_MEMORY : 0;
}

static void set_limits(struct http_server *s) {
    evhttp_set_allowed_methods(s->http, HTTP_METHODS_ALL); /* to refuse them in words */
    evhttp_set_max_headers_size(s->http, HTTP_HEADERS_MAX);
    evhttp_set_max_body_size(s->http, HTTP_BODY_MAX);
    evhttp_set_timeout(s->http, HTTP_IDLE_S);
    evhttp_set_default_content_type(s->http, NULL);
    evhttp_set_gencb(s->http, on_request, s);
}

int http_server_open(struct http_server **ret, struct event_base *base,
                     const struct http_server_config *config, char *why, size_t size) {
    struct http_server *s = calloc(1, sizeof *s);
    snprintf(why, size, "http: out of memory");
    if (s == NULL) return ERR_MEMORY;
    s->config = *config;
    s->http = evhttp_new(base);
    s->live = http_live_new();
    int err = s->http == NULL || s->live == NULL ? ERR_MEMORY : 0;
    if (!err) err = listen_at(s, base, why, size);
    if (err) {
        http_server_free(s);
        return err;
    }
    s->config.listen = s->address;
    set_limits(s);
    if (size > 0) why[0] = '\0';
    *ret = s;
    return 0;
}

void http_server_free(struct http_server *s) {
    if (s == NULL) return;
    if (s->http != NULL) evhttp_free(s->http);
    http_guard_free(s->guard);
    http_live_free(s->live);
    free(s);
}

const char *http_server_address(const struct http_server *s) { return s->address; }

int http_server_set_tracks(struct http_server *s, const struct track *tracks, size_t n) {
    return http_live_set_tracks(s->live, tracks, n);
}

void http_server_push(struct http_server *s, struct fragment *f) { http_live_push(s->live, f); }

unsigned http_server_viewers(const struct http_server *s) {
    struct http_live_stats live;
    http_live_stats(s->live, &live);
    return live.viewers;
}

void http_server_stats(const struct http_server *s, struct http_server_stats *ret) {
    struct http_live_stats live;
    http_live_stats(s->live, &live);
    *ret = (struct http_server_stats){.viewers = live.viewers,
                                      .connections = http_guard_connections(s->guard),
                                      .requests = s->requests,
                                      .refused = s->refused,
                                      .skips = live.skips,
                                      .broken_fragments = live.refused};
}
