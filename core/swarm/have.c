/* have.c - what we hold, told to neighbours when it changes, at most once in HAVE_PERIOD_US each.
 *
 * The message is the state of the newest 64 chunks of every track, not a change to it: 13 bytes a
 * track, unreliable, and a lost one costs nothing. */
#include "core/swarm/engine.h"

static bool describe(const struct stream *s, struct held *ret) {
    if (!s->window.has_newest) return false;
    *ret = (struct held){.track = s->track, .newest = s->window.newest};
    for (uint32_t i = 0; i < 64 && i <= ret->newest; i++) {
        const struct slot *slot = window_find(&s->window, ret->newest - i);
        if (slot != NULL && slot->chunk != NULL && chunk_is_complete(slot->chunk))
            ret->complete |= 1ull << i;
    }
    return true;
}

void have_changed(struct channel *c) {
    for (size_t i = 0; i < c->neighbours_len; i++) c->neighbours[i]->have_changed = true;
}

void have_tick(struct channel *c, uint64_t now_us) {
    struct have m = {.slot = c->index, .broadcast = c->manifest.broadcast};
    for (size_t t = 0; t < c->streams_len; t++)
        if (describe(&c->streams[t], &m.held[m.held_len])) m.held_len++;
    if (m.held_len == 0 || c->node->uplink.rate_bps == 0) return;
    uint8_t buffer[16 + TRACKS_MAX * 16];
    struct writer w = writer_init(buffer, sizeof buffer);
    have_write(&w, &m);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!nb->have_changed || !nb->has_hello || link_state(nb->peer->link) != LINK_UP) continue;
        if (now_us - nb->have_sent_us < HAVE_PERIOD_US) continue;
        if (link_send_unreliable(nb->peer->link, buffer, writer_len(&w), 0, now_us)) continue;
        nb->have_sent_us = now_us;
        nb->have_changed = false;
    }
}

void have_take(struct neighbour *nb, const struct have *m, uint64_t now_us) {
    /* What it held of another broadcast, which has numbers of its own. */
    if (m->broadcast != nb->channel->manifest.broadcast) return;
    for (size_t i = 0; i < m->held_len; i++) neighbour_take_held(nb, &m->held[i], now_us);
}
