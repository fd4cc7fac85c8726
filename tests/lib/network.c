#include "tests/lib/network.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"

#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

/* A bottleneck and what lies behind it. */
struct pipe {
    struct network_path path;
    uint64_t free_us; /* when what is queued will have left */
    uint64_t last_us; /* when the newest arrives */
};

struct event {
    uint64_t at_us, order;
    void (*run)(void *context); /* NULL: a datagram */
    void *context;
    unsigned to;
    struct endpoint from;
    size_t len;
    uint8_t *data;
};

struct station {
    struct network_host host;
    bool is_attached;
    struct endpoint endpoint;
    struct pipe uplink;
    bool has_uplink;
    uint64_t deadline_us; /* as the host last said */
    uint64_t served_us;   /* when its deadline was last served */
    unsigned spins;       /* deadlines served at this very moment */
};

struct network {
    uint64_t now_us, order, trace;
    struct rng rng;
    unsigned hosts_len;
    struct station *hosts;
    struct network_path path; /* of pairs without one of their own */
    struct pipe **pipes;      /* from * hosts_len + to; NULL until the pair is used */
    struct event *events;     /* a binary heap */
    size_t events_len, events_max;
    bool (*tap)(void *context, unsigned from, const struct datagram *d);
    void *tap_context;
    struct network_counts counts;
};

static void *must(void *p) {
    if (p != NULL) return p;
    fputs("network: out of memory\n", stderr);
    abort();
}

struct network *network_new(uint64_t seed, unsigned hosts, const struct network_path *path) {
    assert(hosts > 0 && hosts <= NETWORK_HOSTS_MAX);
    struct network *n = must(calloc(1, sizeof *n));
    n->rng = rng_init(seed);
    n->trace = FNV_START;
    n->hosts_len = hosts;
    n->path = *path;
    n->hosts = must(calloc(hosts, sizeof *n->hosts));
    n->pipes = must(calloc((size_t)hosts * hosts, sizeof *n->pipes));
    for (unsigned i = 0; i < hosts; i++) {
        unsigned number = i + 1;
        n->hosts[i].deadline_us = TIME_NEVER;
        n->hosts[i].endpoint = (struct endpoint){.ip = {[10] = 0xff,
                                                        0xff,
                                                        10,
                                                        (uint8_t)(number >> 16),
                                                        (uint8_t)(number >> 8),
                                                        (uint8_t)number},
                                                 .port = 7000};
    }
    return n;
}

void network_free(struct network *n) {
    if (n == NULL) return;
    for (size_t i = 0; i < n->events_len; i++) free(n->events[i].data);
    for (size_t i = 0; i < (size_t)n->hosts_len * n->hosts_len; i++) free(n->pipes[i]);
    free(n->events);
    free(n->pipes);
    free(n->hosts);
    free(n);
}

static struct pipe *pipe_of(struct network *n, unsigned from, unsigned to) {
    struct pipe **p = &n->pipes[(size_t)from * n->hosts_len + to];
    if (*p == NULL) {
        *p = must(calloc(1, sizeof **p));
        (*p)->path = n->path;
    }
    return *p;
}

uint64_t network_now(const struct network *n) { return n->now_us; }

struct endpoint network_endpoint(const struct network *n, unsigned host) {
    return n->hosts[host].endpoint;
}

void network_move(struct network *n, unsigned host, const struct endpoint *to) {
    n->hosts[host].endpoint = *to;
}

void network_set_path(struct network *n, unsigned from, unsigned to,
                      const struct network_path *path) {
    pipe_of(n, from, to)->path = *path;
}

struct network_path network_path(const struct network *n, unsigned from, unsigned to) {
    const struct pipe *p = n->pipes[(size_t)from * n->hosts_len + to];
    return p == NULL ? n->path : p->path;
}

void network_set_uplink(struct network *n, unsigned host, const struct network_path *uplink) {
    n->hosts[host].has_uplink = true;
    n->hosts[host].uplink.path = *uplink;
}

uint64_t network_queue_us(const struct network *n, unsigned from, unsigned to) {
    const struct pipe *p = n->pipes[(size_t)from * n->hosts_len + to];
    uint64_t queue_us = p == NULL ? 0 : u64_sub(p->free_us, n->now_us);
    if (n->hosts[from].has_uplink) queue_us += u64_sub(n->hosts[from].uplink.free_us, n->now_us);
    return queue_us;
}

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void event_add(struct network *n, struct event e) {
    if (n->events_len == n->events_max) {
        n->events_max = n->events_max ? 2 * n->events_max : 256;
        n->events = must(realloc(n->events, n->events_max * sizeof *n->events));
    }
    e.order = n->order++;
    size_t at = n->events_len++;
    for (; at > 0 && is_before(&e, &n->events[(at - 1) / 2]); at = (at - 1) / 2)
        n->events[at] = n->events[(at - 1) / 2];
    n->events[at] = e;
}

static struct event event_take(struct network *n) {
    struct event first = n->events[0], last = n->events[--n->events_len];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n->events_len) break;
        if (child + 1 < n->events_len && is_before(&n->events[child + 1], &n->events[child]))
            child++;
        if (!is_before(&n->events[child], &last)) break;
        n->events[at] = n->events[child];
        at = child;
    }
    n->events[at] = last;
    return first;
}

/* When what enters a pipe at `at_us` leaves it; TIME_NEVER where it is dropped. */
static uint64_t pipe_pass(struct network *n, struct pipe *p, size_t len, uint64_t at_us) {
    if (p->path.rate_bps > 0) {
        uint64_t start_us = u64_max(at_us, p->free_us);
        if (start_us - at_us > p->path.queue_us) {
            n->counts.overflowed++;
            return TIME_NEVER;
        }
        at_us = p->free_us = start_us + len * 8 * US_PER_S / p->path.rate_bps;
    }
    if (p->path.loss > 0 && rng_unit(&n->rng) < p->path.loss) {
        n->counts.lost++;
        return TIME_NEVER;
    }
    if (p->path.jitter_us > 0) at_us += rng_below(&n->rng, p->path.jitter_us + 1);
    at_us += p->path.delay_us;
    if (p->path.is_ordered) at_us = u64_max(at_us, p->last_us);
    return p->last_us = at_us;
}

static void deliver_at(struct network *n, uint64_t at_us, const struct endpoint *from, unsigned to,
                       const void *data, size_t len) {
    uint8_t *copy = must(malloc(len ? len : 1));
    memcpy(copy, data, len);
    event_add(n, (struct event){.at_us = at_us, .to = to, .from = *from, .len = len, .data = copy});
}

static void trace_add(struct network *n, const void *data, size_t len) {
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) n->trace = (n->trace ^ p[i]) * FNV_PRIME;
}

static bool host_find(const struct network *n, const struct endpoint *e, unsigned *ret) {
    for (unsigned i = 0; i < n->hosts_len; i++) {
        if (!endpoint_equal(&n->hosts[i].endpoint, e)) continue;
        *ret = i;
        return true;
    }
    return false;
}

static void send_from(struct network *n, unsigned from, const struct datagram *d) {
    n->counts.sent++;
    n->counts.bytes_sent += d->len;
    trace_add(n, &n->now_us, sizeof n->now_us);
    trace_add(n, &from, sizeof from);
    trace_add(n, &d->peer, sizeof d->peer.ip);
    trace_add(n, d->data, d->len);
    if (n->tap && !n->tap(n->tap_context, from, d)) return;
    unsigned to;
    if (!host_find(n, &d->peer, &to)) {
        n->counts.unroutable++;
        return;
    }
    uint64_t at_us = n->now_us;
    if (n->hosts[from].has_uplink) at_us = pipe_pass(n, &n->hosts[from].uplink, d->len, at_us);
    if (at_us != TIME_NEVER) at_us = pipe_pass(n, pipe_of(n, from, to), d->len, at_us);
    if (at_us != TIME_NEVER) deliver_at(n, at_us, &n->hosts[from].endpoint, to, d->data, d->len);
}

/* Sends all that the host has to send now, and notes when it wants to be called again. */
void network_wake(struct network *n, unsigned at) {
    struct station *s = &n->hosts[at];
    if (!s->is_attached) return;
    uint8_t buffer[DATAGRAM_MAX];
    for (unsigned i = 0;; i++) {
        struct datagram d = {.data = buffer, .capacity = sizeof buffer};
        if (s->host.transmit(s->host.context, &d, n->now_us) == 0) break;
        assert(i < NETWORK_TRANSMIT_MAX);
        send_from(n, at, &d);
    }
    s->deadline_us = s->host.deadline(s->host.context);
}

void network_attach(struct network *n, unsigned at, const struct network_host *host) {
    n->hosts[at].host = *host;
    n->hosts[at].is_attached = true;
    network_wake(n, at);
}

void network_detach(struct network *n, unsigned at) {
    n->hosts[at].is_attached = false;
    n->hosts[at].deadline_us = TIME_NEVER;
}

void network_inject(struct network *n, const struct endpoint *from, unsigned to, const void *data,
                    size_t len) {
    deliver_at(n, n->now_us, from, to, data, len);
}

void network_set_tap(struct network *n,
                     bool (*tap)(void *context, unsigned from, const struct datagram *d),
                     void *ctx) {
    n->tap = tap;
    n->tap_context = ctx;
}

void network_at(struct network *n, uint64_t at_us, void (*run)(void *context), void *context) {
    event_add(n,
              (struct event){.at_us = u64_max(at_us, n->now_us), .run = run, .context = context});
}

static void event_run(struct network *n) {
    struct event e = event_take(n);
    n->now_us = u64_max(n->now_us, e.at_us);
    if (e.run) {
        e.run(e.context);
        return;
    }
    struct station *s = &n->hosts[e.to];
    if (s->is_attached) {
        n->counts.delivered++;
        n->counts.bytes_delivered += e.len;
        struct datagram d = {.peer = e.from, .data = e.data, .len = e.len, .capacity = e.len};
        s->host.receive(s->host.context, &d, n->now_us);
        network_wake(n, e.to);
    }
    free(e.data);
}

static void host_run(struct network *n, unsigned at) {
    struct station *s = &n->hosts[at];
    n->now_us = u64_max(n->now_us, s->deadline_us);
    s->spins = s->served_us == n->now_us ? s->spins + 1 : 0;
    s->served_us = n->now_us;
    assert(s->spins < NETWORK_SPINS_MAX);
    n->counts.wakes++;
    s->host.expire(s->host.context, n->now_us);
    network_wake(n, at);
}

bool network_run(struct network *n, uint64_t until_us, bool (*done)(void *context), void *context) {
    for (;;) {
        unsigned soonest = 0;
        for (unsigned i = 1; i < n->hosts_len; i++)
            if (n->hosts[i].deadline_us < n->hosts[soonest].deadline_us) soonest = i;
        uint64_t host_us = n->hosts[soonest].deadline_us;
        uint64_t event_us = n->events_len > 0 ? n->events[0].at_us : TIME_NEVER;
        if (u64_min(host_us, event_us) > until_us) break;
        if (event_us <= u64_max(host_us, n->now_us))
            event_run(n);
        else
            host_run(n, soonest);
        if (done && done(context)) return true;
    }
    n->now_us = u64_max(n->now_us, until_us);
    return false;
}

void network_counts(const struct network *n, struct network_counts *ret) { *ret = n->counts; }
uint64_t network_trace(const struct network *n) { return n->trace; }
