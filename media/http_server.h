/* http_server.h - the local HTTP server: the player page and /live.mp4 for a viewer, /healthz and
 * /metrics for whoever looks after a relay.
 *
 * It runs on the owner's event loop. It answers GET and HEAD, one request a connection, and only
 * when asked by the name localhost or the literal address that it is reached at (http_guard.h). The
 * documents that change are written by the owner's callbacks. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

#define HTTP_TEXT_MAX (64u << 10) /* bytes that a callback may write */
#define HTTP_HEADERS_MAX 8192     /* bytes of a request's headers */
#define HTTP_BODY_MAX 0           /* of a request */
#define HTTP_IDLE_S 15            /* without a byte of a request, or taken of an answer */
#define HTTP_WHY_MAX 256

struct event_base;
struct http_server;

/* Each callback writes a text of at most `capacity` bytes to `ret` and returns its length, or an
 * error: the answer is then 503. NULL: the document does not exist. */
struct http_server_config {
    const char *listen; /* "127.0.0.1:8080" or "[::1]:0": a literal address; port 0 is a free one */
    bool has_player;    /* the page, /live.mp4 and, by `status`, /status.json */
    int (*status)(void *owner, char *ret, size_t capacity);  /* the JSON of http_player.h */
    int (*metrics)(void *owner, char *ret, size_t capacity); /* Prometheus' text format */
    /* A line on how it is; `ret_healthy` decides between 200 and 503. */
    int (*health)(void *owner, char *ret, size_t capacity, bool *ret_healthy);
    void *owner;
};

struct http_server_stats {
    unsigned viewers, connections;
    uint64_t requests, refused; /* refused: Host, Origin, method */
    uint64_t skips;             /* times that a viewer was too slow and skipped ahead */
    uint64_t broken_fragments;
};

/* Returns 0, or ERR_ARGUMENT (the address), ERR_EXISTS (in use), ERR_PERMISSION, ERR_SYSTEM or
 * ERR_MEMORY with one line in `why`. */
MUST_CHECK int http_server_open(struct http_server **ret, struct event_base *base,
                                const struct http_server_config *config, char *why, size_t size);
/* Ends all answers. NULL is allowed. */
void http_server_free(struct http_server *s);
/* "127.0.0.1:40213": with the port that was found. */
const char *http_server_address(const struct http_server *s);

/* The broadcast has begun or is another one: answers that run are ended, so that players ask again.
 * Returns 0 or an error of cmaf_read_init: then there is no /live.mp4. */
MUST_CHECK int http_server_set_tracks(struct http_server *s, const struct track *tracks, size_t n);
/* Takes references; never blocks. */
void http_server_push(struct http_server *s, struct fragment *f);
/* How many get /live.mp4 now. */
unsigned http_server_viewers(const struct http_server *s);
void http_server_stats(const struct http_server *s, struct http_server_stats *ret);

#endif
