#include "media/http_live.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/err.h"
#include "media/cmaf_join.h"

#define SOCKET_BUFFER_BYTES (256 << 10) /* so that lateness gathers where it is seen */

/* A fragment as viewers get it. Counted by hand: all on the loop's thread. */
struct piece {
    unsigned references;
    struct fragment *fragment;
    size_t payload, end; /* in the fragment's bytes */
    bool is_main;        /* of the video, or of the audio where there is no video */
    size_t head_len;
    uint8_t head[]; /* the moof and the mdat's header, patched */
};

struct client {
    struct evhttp_request *req; /* NULL: a free place */
    struct http_live *live;
    bool is_waiting; /* for the next random access point */
};

struct http_live {
    bool has_tracks;
    struct cmaf_join join;
    uint32_t sequence;
    size_t buffer_max;
    /* Since the newest random access point; empty where that is not known or too long ago. */
    struct piece *recent[LIVE_RECENT_PIECES];
    size_t recent_len, recent_bytes;
    struct client clients[LIVE_CLIENTS_MAX];
    uint64_t skips, refused;
};

static struct piece *piece_ref(struct piece *p) {
    p->references++;
    return p;
}

static void piece_unref(struct piece *p) {
    if (--p->references > 0) return;
    fragment_unref(p->fragment);
    free(p);
}

static void release_piece(const void *data, size_t len, void *piece) {
    (void)data;
    (void)len;
    piece_unref(piece);
}

static struct piece *piece_new(struct http_live *l, size_t at, struct fragment *f) {
    struct cmaf_piece split;
    if (cmaf_join_split(&l->join, at, f->data, f->len, &split) != 0) return NULL;
    size_t head_len = split.payload - split.start;
    struct piece *p = malloc(sizeof *p + head_len);
    if (p == NULL) return NULL;
    *p = (struct piece){.references = 1,
                        .fragment = fragment_ref(f),
                        .payload = split.payload,
                        .end = split.end,
                        .is_main = at == 0,
                        .head_len = head_len};
    memcpy(p->head, f->data + split.start, head_len);
    cmaf_join_patch(p->head, head_len, at, ++l->sequence);
    return p;
}

static size_t piece_bytes(const struct piece *p) { return p->head_len + p->end - p->payload; }

/* --- what newcomers start with --- */

static void forget(struct http_live *l) {
    for (size_t i = 0; i < l->recent_len; i++) piece_unref(l->recent[i]);
    l->recent_len = l->recent_bytes = 0;
}

/* A random access point makes all before it useless, but audio that is heard with it. */
static void forget_before(struct http_live *l, uint64_t pts_us) {
    size_t kept = 0;
    l->recent_bytes = 0;
    for (size_t i = 0; i < l->recent_len; i++) {
        struct piece *p = l->recent[i];
        if (p->is_main || p->fragment->pts_us + p->fragment->duration_us <= pts_us) {
            piece_unref(p);
        } else {
            l->recent_bytes += piece_bytes(p);
            l->recent[kept++] = p;
        }
    }
    l->recent_len = kept;
}

static bool starts_here(const struct piece *p) { return p->is_main && p->fragment->random_access; }

/* Newcomers would be sent too much before they see what is new. */
static bool is_long(const struct http_live *l, const struct piece *p) {
    return l->recent_len > 0 &&
           (l->recent_len == LIVE_RECENT_PIECES ||
            l->recent_bytes + piece_bytes(p) > l->buffer_max ||
            u64_sub(p->fragment->pts_us, l->recent[0]->fragment->pts_us) > LIVE_RECENT_US);
}

static void remember(struct http_live *l, struct piece *p) {
    if (starts_here(p)) forget_before(l, p->fragment->pts_us);
    if (is_long(l, p)) forget(l);
    if (l->recent_len == 0 && !starts_here(p)) return;
    l->recent[l->recent_len++] = piece_ref(p);
    l->recent_bytes += piece_bytes(p);
}

/* --- viewers --- */

static struct bufferevent *client_buffer(const struct client *c) {
    struct evhttp_connection *conn = evhttp_request_get_connection(c->req);
    return conn == NULL ? NULL : evhttp_connection_get_bufferevent(conn);
}

static size_t waiting_bytes(const struct client *c) {
    struct bufferevent *bev = client_buffer(c);
    return bev == NULL ? SIZE_MAX : evbuffer_get_length(bufferevent_get_output(bev));
}

static void send_buffer(struct client *c, struct evbuffer *data) {
    evhttp_send_reply_chunk(c->req, data);
    evbuffer_free(data);
}

static void add_part(struct evbuffer *to, struct piece *p, const void *data, size_t len) {
    if (evbuffer_add_reference(to, data, len, release_piece, p) == 0) p->references++;
}

static void add_piece(struct evbuffer *to, struct piece *p) {
    add_part(to, p, p->head, p->head_len);
    add_part(to, p, p->fragment->data + p->payload, p->end - p->payload);
}

static void send_piece(struct client *c, struct piece *p) {
    struct evbuffer *data = evbuffer_new();
    if (data == NULL) {
        c->is_waiting = true;
        return;
    }
    add_piece(data, p);
    send_buffer(c, data);
}

static void send_recent(struct client *c) {
    struct http_live *l = c->live;
    struct evbuffer *data = evbuffer_new();
    if (data == NULL) return;
    for (size_t i = 0; i < l->recent_len; i++) add_piece(data, l->recent[i]);
    c->is_waiting = false;
    send_buffer(c, data);
}

static void deliver(struct client *c, struct piece *p) {
    struct http_live *l = c->live;
    size_t waiting = waiting_bytes(c);
    if (!c->is_waiting && waiting > l->buffer_max) {
        c->is_waiting = true;
        l->skips++;
    }
    if (!c->is_waiting)
        send_piece(c, p);
    else if (starts_here(p) && waiting <= l->buffer_max / 4)
        send_recent(c);
}

void http_live_push(struct http_live *l, struct fragment *f) {
    int at = l->has_tracks ? cmaf_join_find(&l->join, f->track) : -1;
    if (at < 0 || f->end) return;
    struct piece *p = piece_new(l, (size_t)at, f);
    if (p == NULL) {
        l->refused++;
        return;
    }
    remember(l, p);
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++)
        if (l->clients[i].req != NULL) deliver(&l->clients[i], p);
    piece_unref(p);
}

/* The connection is gone. Where it failed while we answer, the request has been handed back to us,
 * and ending the answer frees it. */
static void on_close(struct evhttp_connection *conn, void *arg) {
    (void)conn;
    struct client *c = arg;
    struct evhttp_request *req = c->req;
    c->req = NULL;
    if (req != NULL && evhttp_request_get_connection(req) == NULL) evhttp_send_reply_end(req);
}

static void end_client(struct client *c) {
    struct evhttp_request *req = c->req;
    c->req = NULL;
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    if (conn != NULL) evhttp_connection_set_closecb(conn, NULL, NULL);
    evhttp_send_reply_end(req);
}

/* The server's timeout is for requests; here only a viewer that takes nothing is let go. What a
 * viewer still sends is of no interest and must not gather. */
static void set_up_connection(struct client *c) {
    struct evhttp_connection *conn = evhttp_request_get_connection(c->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
    struct timeval stuck = {.tv_sec = LIVE_STUCK_S};
    bufferevent_set_timeouts(bev, NULL, &stuck);
    bufferevent_setwatermark(bev, EV_READ, 0, 4096);
    int one = 1, size = SOCKET_BUFFER_BYTES;
    evutil_socket_t fd = bufferevent_getfd(bev);
    /* Both only make it quicker. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    evhttp_connection_set_closecb(conn, on_close, c);
}

static struct client *find_place(struct http_live *l) {
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++)
        if (l->clients[i].req == NULL) return &l->clients[i];
    return NULL;
}

bool http_live_is_ready(const struct http_live *l) { return l->has_tracks; }

void http_live_serve(struct http_live *l, struct evhttp_request *req) {
    struct client *c = find_place(l);
    if (c == NULL || !l->has_tracks) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", "1");
        evhttp_send_reply(req, HTTP_SERVUNAVAIL, c == NULL ? "Too Many Viewers" : "Not On Air",
                          NULL);
        return;
    }
    *c = (struct client){.req = req, .live = l, .is_waiting = true};
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "video/mp4");
    evhttp_send_reply_start(req, HTTP_OK, "OK");
    set_up_connection(c);
    struct evbuffer *init = evbuffer_new();
    if (init == NULL || evbuffer_add(init, l->join.init, l->join.init_len) != 0) {
        if (init != NULL) evbuffer_free(init);
        end_client(c);
        return;
    }
    send_buffer(c, init);
    if (l->recent_len > 0) send_recent(c);
}

/* --- all of it --- */

static size_t buffer_for(const struct track *tracks, const struct cmaf_join *j) {
    uint64_t bps = 0;
    for (size_t i = 0; i < j->tracks_len; i++) bps += tracks[j->tracks[i].index].bitrate_bps;
    uint64_t bytes = bps / 8 * LIVE_BUFFER_US / US_PER_S;
    return (size_t)u64_min(u64_max(bytes, LIVE_BUFFER_MIN), LIVE_BUFFER_MAX);
}

int http_live_set_tracks(struct http_live *l, const struct track *tracks, size_t n) {
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++)
        if (l->clients[i].req != NULL) end_client(&l->clients[i]);
    forget(l);
    int err = cmaf_join_init(&l->join, tracks, n);
    l->has_tracks = err == 0;
    if (!err) l->buffer_max = buffer_for(tracks, &l->join);
    return err;
}

struct http_live *http_live_new(void) {
    return calloc(1, sizeof(struct http_live));
}

void http_live_free(struct http_live *l) {
    if (l == NULL) return;
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++) assert(l->clients[i].req == NULL);
    forget(l);
    free(l);
}

void http_live_stats(const struct http_live *l, struct http_live_stats *ret) {
    *ret = (struct http_live_stats){
        .skips = l->skips, .refused = l->refused, .recent_bytes = l->recent_bytes};
    for (size_t i = 0; i < LIVE_CLIENTS_MAX; i++) ret->viewers += l->clients[i].req != NULL;
}
