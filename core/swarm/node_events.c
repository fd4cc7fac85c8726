/* node_events.c - what the node tells its owner: events and figures. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/swarm/admission.h"
#include "core/swarm/engine.h"

#define EVENTS_FIRST 4

/* The oldest gives way: the owner has stopped taking events, and the newest are worth most.
 */
static void drop_oldest(struct node *n) {
    struct queued_event *e = &n->events[n->events_head];
    if (e->type == NODE_EVENT_FRAGMENT) fragment_unref(e->fragment);
    n->events_head = (n->events_head + 1) % n->events_capacity;
    n->events_len--;
}

static bool grow(struct node *n) {
    size_t capacity = n->events_capacity == 0 ? EVENTS_FIRST : n->events_capacity * 2;
    if (capacity > EVENTS_MAX) return false;
    struct queued_event *events = malloc(capacity * sizeof *events);
    if (events == NULL) return false;
    for (size_t i = 0; i < n->events_len; i++)
        events[i] = n->events[(n->events_head + i) % n->events_capacity];
    free(n->events);
    n->events = events;
    n->events_capacity = capacity;
    n->events_head = 0;
    return true;
}

void node_emit(struct node *n, const struct queued_event *e) {
    if (n->events_len == n->events_capacity && !grow(n)) {
        if (n->events_len == 0) { /* no memory for any */
            if (e->type == NODE_EVENT_FRAGMENT) fragment_unref(e->fragment);
            return;
        }
        drop_oldest(n);
    }
    n->events[(n->events_head + n->events_len) % n->events_capacity] = *e;
    n->events_len++;
}

bool node_next_event(struct node *n, struct node_event *ret) {
    if (n->events_len == 0) return false;
    const struct queued_event *e = &n->events[n->events_head];
    n->events_head = (n->events_head + 1) % n->events_capacity;
    n->events_len--;
    memset(ret, 0, offsetof(struct node_event, holder));
    ret->type = e->type;
    ret->channel = e->channel;
    ret->fragment = e->fragment;
    ret->new_broadcast = e->new_broadcast;
    ret->epoch = e->epoch;
    ret->broadcast = e->broadcast;
    ret->peer = e->peer;
    ret->endpoint = e->endpoint;
    ret->role = e->role;
    ret->err = e->err;
    ret->clock_error_us = e->clock_error_us;
    ret->track = e->track;
    ret->random_access = e->random_access;
    ret->number = e->number;
    ret->capture_us = e->capture_us;
    if (e->type == NODE_EVENT_ANNOUNCE) announce_describe(n->channels[e->channel], &ret->holder);
    if (e->type == NODE_EVENT_ANNOUNCE_ENTRY)
        announce_describe_entry(n->channels[e->channel], &ret->entry);
    return true;
}

const struct manifest *node_manifest(const struct node *n, int channel) {
    return channel_manifest(n->channels[channel]);
}

const struct public_key *node_channel_key(const struct node *n, int channel) {
    return &n->channels[channel]->key;
}

static uint64_t percentile(const struct lag_samples *lag, unsigned percent) {
    return lag->last_len == 0 ? 0 : lag->last_us[(lag->last_len - 1) * percent / 100];
}

/* Media that is verified in one piece and not yet handed out; for a relay, what it holds from the
 * first hole back. */
static uint64_t buffer_us(const struct stream *s) {
    if (!s->window.has_newest || !s->has_start) return 0;
    uint32_t hole = stream_first_hole(s);
    const struct chunk *chunk = hole == 0 ? NULL : window_chunk(&s->window, hole - 1);
    if (chunk == NULL) return 0;
    uint64_t end_us = chunk->head->pts_us + chunk->head->duration_us;
    return u64_sub(end_us, s->play_pts_us);
}

static bool is_parent(const struct channel *c, const struct neighbour *nb) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].granted || nb->streams[t].granted_heads) return true;
    return false;
}

static bool is_child(const struct channel *c, const struct neighbour *nb) {
    for (size_t t = 0; t < c->streams_len; t++)
        if (nb->streams[t].child_granted || nb->streams[t].child_heads) return true;
    return false;
}

static void count_relations(const struct channel *c, struct node_channel_stats *ret) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour *nb = c->neighbours[i];
        ret->neighbours += nb->has_hello && link_state(nb->peer->link) == LINK_UP;
        ret->parents += is_parent(c, nb);
        ret->children += is_child(c, nb);
    }
}

size_t node_children(const struct node *n, int channel, struct endpoint *ret, size_t max) {
    const struct channel *c = n->channels[channel];
    size_t len = 0;
    for (size_t i = 0; i < c->neighbours_len && len < max; i++)
        if (is_child(c, c->neighbours[i]))
            ret[len++] = *link_endpoint(c->neighbours[i]->peer->link);
    return len;
}

void node_channel_stats(const struct node *n, int channel, struct node_channel_stats *ret) {
    const struct channel *c = n->channels[channel];
    *ret = c->stats;
    bool is_heard = c->has_offset && n->now_us - c->head_us < ON_AIR_US && !c->rest.is_on;
    ret->on_air = c->has_manifest && !c->ended && is_heard;
    ret->ended = c->ended;
    count_relations(c, ret);
    ret->lag_p50_us = percentile(&c->lag, 50);
    ret->lag_p95_us = percentile(&c->lag, 95);
    ret->lag_p99_us = percentile(&c->lag, 99);
    ret->lag_samples = c->lag.last_len;
    for (size_t t = 0; t < c->streams_len; t++)
        ret->buffer_us = u64_max(ret->buffer_us, buffer_us(&c->streams[t]));
}

/* As declared; as probed or measured; or as what went out while it did not carry all. */
static uint64_t known_uplink_bps(const struct uplink *u) {
    if (u->rate_bps != NODE_UPLOAD_UNLIMITED) return u->rate_bps;
    bool is_known = capacity_is_known(&u->capacity);
    return is_known ? capacity_bps(&u->capacity) : u->carried_bps;
}

void node_stats(const struct node *n, struct node_stats *ret) {
    const struct uplink *u = &n->uplink;
    memset(ret, 0, sizeof *ret);
    links_stats(n->links, &ret->links);
    ret->links_up = (unsigned)links_count(n->links, LINK_UP);
    ret->control_in = n->control_in;
    ret->control_out = n->control_out;
    ret->media_out = n->media_out;
    ret->cells_out = n->cells_out;
    ret->uplink_bps = known_uplink_bps(u);
    uint64_t refused_bps = admission_refused_bps(n, n->now_us);
    ret->demand_bps = u->queued_bps + refused_bps;
    ret->uplink_short = u->short_us != 0 || refused_bps != 0;
}
