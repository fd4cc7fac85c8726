/* have.c - what we hold, told to neighbours when it changes, at most once in channel_tell_us
 * each.
 *
 * The message is the state of the newest 64 chunks of every track, not a change to it: 13 bytes a
 * track, unreliable, and a lost one costs nothing. */
#include "core/swarm/engine.h"

#define TELL_PERIODS 3              /* halves of the usual period: or with the next OFFER */
#define BEHIND_US (700 * US_PER_MS) /* who is so far behind is told at once, */
#define ANSWER_US (200 * US_PER_MS) /* but not more often */

static bool describe(const struct stream *s, struct held *ret) {
    if (!s->window.has_newest) return false;
    *ret = (struct held){
        .track = s->track, .newest = s->window.newest, .complete = window_recent(&s->window)};
    return true;
}

void have_changed(struct channel *c) {
    c->have_version++;
    c->have_behind = true;
}

void have_greet(struct neighbour *nb) {
    nb->have_version = 0;
    nb->channel->have_us[nb->at] = 0;
    nb->channel->have_behind = true;
}

void have_ask(struct channel *c) {
    have_changed(c);
    for (size_t i = 0; i < c->neighbours_len; i++) c->have_us[i] = 0;
}

/* Returns false where the neighbour knows it all. */
static bool tell(struct channel *c, struct neighbour *nb, const struct writer *w, uint64_t now_us) {
    if (nb->have_version == c->have_version) return false;
    if (!nb->has_hello || link_state(nb->link) != LINK_UP) return true;
    if (link_send_unreliable(nb->link, w->start, writer_len(w), 0, now_us)) return true;
    nb->have_version = c->have_version;
    c->have_us[nb->at] = now_us + TELL_PERIODS * channel_tell_us(c) / 2;
    return true;
}

void have_tick(struct channel *c, uint64_t now_us) {
    if (!c->have_behind || c->node->uplink.rate_bps == 0) return;
    struct have m = {.slot = c->index, .broadcast = c->manifest.broadcast};
    for (size_t t = 0; t < c->streams_len; t++)
        if (describe(&c->streams[t], &m.held[m.held_len])) m.held_len++;
    if (m.held_len == 0) return;
    uint8_t buffer[16 + TRACKS_MAX * 16];
    struct writer w = writer_init(buffer, sizeof buffer);
    have_write(&w, &m);
    c->have_behind = false;
    for (size_t i = 0; i < c->neighbours_len; i++)
        if (now_us < c->have_us[i] || tell(c, c->neighbours[i], &w, now_us)) c->have_behind = true;
}

/* It may think that the source rests. */
static void answer(struct neighbour *nb, const struct held *held, uint64_t now_us) {
    struct channel *c = nb->channel;
    const struct stream *s = channel_stream(c, held->track);
    if (s == NULL || !s->window.has_newest || held->newest >= s->window.newest) return;
    if ((s->window.newest - held->newest) * (uint64_t)s->period_us < BEHIND_US) return;
    uint64_t told_us = u64_sub(c->have_us[nb->at], TELL_PERIODS * channel_tell_us(c) / 2);
    if (now_us < told_us + ANSWER_US) return;
    c->have_us[nb->at] = 0;
    c->have_behind = true;
}

void have_take(struct neighbour *nb, const struct have *m, uint64_t now_us) {
    /* What it held of another broadcast, which has numbers of its own. */
    nb->follows = m->broadcast;
    if (m->broadcast != nb->channel->manifest.broadcast) return;
    for (size_t i = 0; i < m->held_len; i++) {
        neighbour_take_held(nb, &m->held[i], now_us);
        answer(nb, &m->held[i], now_us);
    }
}
