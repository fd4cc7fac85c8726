/* node_memory.c - what a node takes in memory, its links aside. */
#include "core/swarm/engine.h"

static size_t neighbour_bytes(const struct neighbour *nb) {
    size_t bytes = sizeof *nb + nb->streams_len * sizeof nb->streams[0] +
                   nb->asked_capacity * sizeof nb->asked[0];
    for (enum send_class class = 0; class < SEND_CLASSES; class ++)
        bytes += nb->queue.rings[class].capacity * sizeof(struct send_item);
    if (nb->pending == NULL) return bytes;
    bytes += PENDING_CELLS_MAX * sizeof nb->pending[0];
    for (size_t i = 0; i < PENDING_CELLS_MAX; i++) bytes += nb->pending[i].len;
    return bytes;
}

static size_t channel_bytes(const struct channel *c) {
    size_t bytes = sizeof *c + c->streams_len * sizeof c->streams[0] + c->manifest_len;
    if (c->opened != NULL) bytes += sizeof *c->opened;
    bytes += c->neighbours_capacity * (sizeof c->neighbours[0] + sizeof c->have_us[0]);
    bytes += c->sampler.capacity * sizeof c->sampler.candidates[0];
    bytes += c->lag.capacity * (sizeof c->lag.lag_us[0] + sizeof c->lag.last_us[0]);
    for (size_t i = 0; i < c->neighbours_len; i++) bytes += neighbour_bytes(c->neighbours[i]);
    return bytes;
}

static size_t window_bytes(const struct window *w) {
    size_t slots = w->slots == NULL ? 0 : w->slots_capacity + WINDOW_STRAGGLERS;
    return w->bytes + slots * sizeof w->slots[0] + w->chunks_capacity * sizeof w->chunks[0];
}

struct node_memory node_memory(const struct node *n) {
    struct node_memory ret = {.rest = sizeof *n + n->events_capacity * sizeof n->events[0]};
    if (n->bans != NULL) ret.rest += BANS_MAX * sizeof n->bans[0];
    for (const struct peer *p = n->peers; p != NULL; p = p->next) ret.rest += sizeof *p;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        ret.rest += channel_bytes(c);
        for (size_t t = 0; t < c->streams_len; t++)
            ret.chunks += window_bytes(&c->streams[t].window);
    }
    return ret;
}
