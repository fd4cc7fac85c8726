#include <assert.h>

#include "tests/lib/network_internal.h"
#include "tests/lib/network_memory.h"

static uint64_t free_us(const struct network *n, const struct network_station *s) {
    return u64_max(n->now_us, network_busy_us(s));
}

/* What the host has just done takes it this long. */
static void charge(struct network *n, struct network_station *s) {
    if (n->take_ns) s->busy_ns = u64_max(s->busy_ns, n->now_us * 1000) + n->take_ns();
}

/* Sees that an event comes at the host's deadline or before: one that comes too early arms the
 * next, so that a deadline which is put off again and again costs nothing. Those that are known
 * get ever sooner; when they are too many the soonest is forgotten, and comes in vain. */
static void deadline_arm(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    if (s->deadline_us == TIME_NEVER) return;
    uint64_t at_us = u64_max(s->deadline_us, free_us(n, s));
    if (s->armed_len > 0 && s->armed_us[s->armed_len - 1] <= at_us) return;
    if (s->armed_len == NETWORK_ARMED_MAX) s->armed_len--;
    s->armed_us[s->armed_len++] = at_us;
    network_queue_add(&n->queue, (struct network_event){.at_us = at_us,
                                                        .host = at & NETWORK_QUEUE_HOST_MAX,
                                                        .kind = NETWORK_DEADLINE});
}

/* Sends all that the host has to send now, and notes when it wants to be called again. */
void network_wake(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    if (!s->is_attached) return;
    for (unsigned i = 0;; i++) {
        struct network_parcel *p = network_parcel_new(&n->parcels, DATAGRAM_MAX);
        struct datagram d = {.data = p->data, .capacity = DATAGRAM_MAX};
        if (s->host.transmit(s->host.context, &d, n->now_us) == 0) {
            network_parcel_free(&n->parcels, p);
            break;
        }
        assert(i < NETWORK_TRANSMIT_MAX);
        assert(d.data == p->data && d.len <= DATAGRAM_MAX);
        charge(n, s);
        network_send(n, at, network_parcel_seal(&n->parcels, p, d.len), &d.peer, free_us(n, s));
    }
    charge(n, s);
    s->deadline_us = s->host.deadline(s->host.context);
    deadline_arm(n, at);
}

void network_attach(struct network *n, unsigned at, const struct network_host *host) {
    n->hosts[at].host = *host;
    n->hosts[at].is_attached = true;
    n->hosts[at].busy_ns = 0;
    network_wake(n, at);
}

static struct network_parcel *backlog_take(struct network *n, struct network_station *s) {
    struct network_parcel *p = network_parcel_at(&n->parcels, s->backlog_first);
    s->backlog_first = p->next;
    s->backlog_len--;
    return p;
}

void network_detach(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    s->is_attached = false;
    s->deadline_us = TIME_NEVER;
    while (s->backlog_len > 0) network_parcel_free(&n->parcels, backlog_take(n, s));
}

static void resume_later(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    if (s->is_resuming || s->backlog_len == 0) return;
    s->is_resuming = true;
    network_queue_add(&n->queue, (struct network_event){.at_us = free_us(n, s),
                                                        .host = at & NETWORK_QUEUE_HOST_MAX,
                                                        .kind = NETWORK_RESUMED});
}

static void backlog_add(struct network *n, unsigned at, struct network_parcel *p) {
    struct network_station *s = &n->hosts[at];
    if (s->backlog_len == NETWORK_BACKLOG_MAX) {
        n->counts.refused++;
        network_parcel_free(&n->parcels, p);
        return;
    }
    if (s->backlog_len++ == 0)
        s->backlog_first = p->index;
    else
        network_parcel_at(&n->parcels, s->backlog_last)->next = p->index;
    s->backlog_last = p->index;
    resume_later(n, at);
}

static void receive(struct network *n, unsigned at, struct network_parcel *p) {
    struct network_station *s = &n->hosts[at];
    n->counts.delivered++;
    n->counts.bytes_delivered += p->len;
    struct datagram d = {.peer = p->peer, .data = p->data, .len = p->len, .capacity = p->len};
    s->host.receive(s->host.context, &d, n->now_us);
    charge(n, s);
    network_parcel_free(&n->parcels, p);
    network_wake(n, at);
}

static void deliver(struct network *n, unsigned at, struct network_parcel *p) {
    struct network_station *s = &n->hosts[at];
    if (!s->is_attached)
        network_parcel_free(&n->parcels, p);
    else if (s->backlog_len > 0 || network_busy_us(s) > n->now_us)
        backlog_add(n, at, p);
    else
        receive(n, at, p);
}

static void arrive(struct network *n, struct network_event e) {
    struct network_station *s = &n->hosts[e.host];
    network_trace_event(n, e);
    if (!s->has_downlink) {
        deliver(n, e.host, network_parcel_at(&n->parcels, e.index));
        return;
    }
    e.at_us = network_pipe_pass(&s->downlink, &s->rng, e.len + n->overhead, n->now_us, &n->counts);
    if (e.at_us == TIME_NEVER) {
        s->downlink_dropped++;
        network_parcel_free(&n->parcels, network_parcel_at(&n->parcels, e.index));
        return;
    }
    e.kind = NETWORK_DELIVERY;
    network_queue_add(&n->queue, e);
}

static void expire(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    s->spins = s->served_us == n->now_us ? s->spins + 1 : 0;
    s->served_us = n->now_us;
    assert(s->spins < NETWORK_SPINS_MAX);
    n->counts.wakes++;
    network_trace_event(n, (struct network_event){.at_us = n->now_us,
                                                  .host = at & NETWORK_QUEUE_HOST_MAX,
                                                  .kind = NETWORK_DEADLINE});
    s->host.expire(s->host.context, n->now_us);
    charge(n, s);
    network_wake(n, at);
}

/* False when it was put off since, or the host is gone. */
static bool deadline_reached(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    if (s->armed_len == 0 || s->armed_us[s->armed_len - 1] != n->now_us) return false;
    s->armed_len--;
    if (u64_max(s->deadline_us, network_busy_us(s)) > n->now_us) {
        deadline_arm(n, at);
        return false;
    }
    expire(n, at);
    return true;
}

/* A deadline that has passed comes first, or a host under load would never be expired. */
static bool resume(struct network *n, unsigned at) {
    struct network_station *s = &n->hosts[at];
    s->is_resuming = false;
    if (s->backlog_len == 0) return false;
    bool is_free = network_busy_us(s) <= n->now_us;
    if (is_free && s->deadline_us <= n->now_us)
        expire(n, at);
    else if (is_free)
        receive(n, at, backlog_take(n, s));
    resume_later(n, at);
    return is_free;
}

static void call(struct network *n, uint32_t index) {
    struct network_call c = n->calls[index];
    n->calls[index].next = n->free_call;
    n->free_call = index + 1;
    c.run(c.context);
}

/* Whether anything happened. */
static bool event_run(struct network *n, struct network_event e) {
    switch ((enum network_event_kind)e.kind) {
    case NETWORK_ARRIVAL: arrive(n, e); return true;
    case NETWORK_DELIVERY: deliver(n, e.host, network_parcel_at(&n->parcels, e.index)); return true;
    case NETWORK_DEADLINE: return deadline_reached(n, e.host);
    case NETWORK_RESUMED: return resume(n, e.host);
    case NETWORK_CALL: call(n, e.index); return true;
    }
    return false;
}

static void prefetch_station(const struct network *n, const struct network_event *e) {
    const struct network_station *s = &n->hosts[e->host];
    __builtin_prefetch(&s->host);
    __builtin_prefetch(s->armed_us);
    __builtin_prefetch(&s->uplink);
    __builtin_prefetch(&s->served_us);
    if (e->kind == NETWORK_ARRIVAL && n->has_downlinks) __builtin_prefetch(&s->downlink);
    if (e->kind != NETWORK_ARRIVAL && e->kind != NETWORK_DELIVERY) return;
    const char *p = (const char *)network_parcel_at(&n->parcels, e->index);
    for (size_t at = 0; at < sizeof(struct network_parcel) + e->len; at += NETWORK_LINE)
        __builtin_prefetch(p + at);
}

static void prefetch_host(const struct network *n, const struct network_event *e, unsigned stage) {
    const struct network_station *s = &n->hosts[e->host];
    if (!s->is_attached) return;
    bool is_datagram = e->kind == NETWORK_ARRIVAL || e->kind == NETWORK_DELIVERY;
    const uint8_t *data = is_datagram ? network_parcel_at(&n->parcels, e->index)->data : NULL;
    n->prefetch(s->host.context, stage, data, e->len);
}

/* With many hosts nothing that an event needs is in the cache any more. What comes some events
 * later is fetched step by step, as pointers lead to it, a step with each event until then. */
static void prefetch(const struct network *n) {
    const struct network_event *e = network_queue_peek(&n->queue, NETWORK_STAGES);
    if (e != NULL && e->kind != NETWORK_CALL) prefetch_station(n, e);
    for (unsigned stage = 0; n->prefetch != NULL && stage < NETWORK_STAGES; stage++) {
        e = network_queue_peek(&n->queue, NETWORK_STAGES - 1 - stage);
        if (e != NULL && e->kind != NETWORK_CALL) prefetch_host(n, e, stage);
    }
}

bool network_run(struct network *n, uint64_t until_us, bool (*done)(void *context), void *context) {
    struct network_event e;
    while (network_queue_take(&n->queue, until_us, &e)) {
        prefetch(n);
        n->now_us = e.at_us;
        if (!event_run(n, e)) continue;
        n->events++;
        if (done && done(context)) return true;
    }
    n->now_us = u64_max(n->now_us, until_us);
    return false;
}
