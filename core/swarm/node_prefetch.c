/* node_prefetch.c - what a node needs of memory next, asked for ahead of time. */
#include "core/swarm/engine.h"

#define LINE 64
#define HOLES 16 /* slots of the newest chunks, which a tick looks at */

static void fetch(const void *from, size_t len) {
    for (size_t at = 0; at < len; at += LINE) __builtin_prefetch((const char *)from + at);
}

static void fetch_node(const struct node *n) {
    fetch(n, offsetof(struct node, bans));
    fetch(&n->hints_len, sizeof *n - offsetof(struct node, hints_len));
}

static void fetch_channel(const struct channel *c) {
    fetch(c, offsetof(struct channel, sampler));
    fetch(&c->has_offset, sizeof *c - offsetof(struct channel, has_offset));
}

static void fetch_stream(const struct stream *s, bool ticks) {
    fetch(s, offsetof(struct stream, supplies));
    for (unsigned index = 0; ticks && index < SUPPLIES; index++)
        __builtin_prefetch(&s->supplies[index]);
    fetch(&s->fed_us, sizeof *s - offsetof(struct stream, fed_us));
}

static void fetch_holes(const struct window *w) {
    for (uint32_t i = 0; i < HOLES && i < w->slots_capacity; i++)
        __builtin_prefetch(&w->slots[(w->newest - i) & (w->slots_capacity - 1)]);
}

void node_prefetch(const struct node *n, unsigned stage, const uint8_t *data, size_t len) {
    if (stage == 0) {
        fetch_node(n);
        return;
    }
    const struct peer *p = links_prefetch(n->links, stage - 1, data, len);
    const struct neighbour *nb = p == NULL || stage < 6 ? NULL : p->neighbours;
    if (p != NULL && stage == 5) __builtin_prefetch(p);
    if (nb != NULL && stage == 6) fetch(nb, 2 * LINE);
    if (nb != NULL && stage == 7) __builtin_prefetch(nb->streams);
    const struct channel *c = n->channels_len > 0 ? n->channels[0] : NULL;
    if (c == NULL) return;
    if (stage == 1) fetch_channel(c);
    if (stage == 2) fetch(c->neighbours, c->neighbours_len * sizeof c->neighbours[0]);
    for (size_t t = 0; t < c->streams_len; t++) {
        if (stage == 2) fetch_stream(&c->streams[t], data == NULL);
        if (stage == 3 && data == NULL) fetch_holes(&c->streams[t].window);
    }
}
