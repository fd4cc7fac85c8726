/* announce.c - when holders are looked up, and when we put records of our own (PROTOCOL 21).
 *
 * Wall time is cut into epochs of 30 s. A record for the next epoch is put at a random moment of
 * the last 20 s before it, so that a swarm does not come to the DHT at once. */
#include <string.h>

#include "core/swarm/engine.h"

#define EPOCH_US (EPOCH_S * US_PER_S)
#define ANNOUNCE_AHEAD_US (20 * US_PER_S)
#define ENTRY_FIRST_US                                                                             \
    (15 * US_PER_S) /* the second entry record: by then there are holders to name */
#define ENTRY_PERIOD_US (60 * US_PER_S)
#define FIND_FIRST_US (2 * US_PER_S)
#define FIND_MOST_US (30 * US_PER_S)
#define FIND_CALM_US (60 * US_PER_S)
#define FIND_RARE_US (600 * US_PER_S) /* with so many neighbours, who tell of others: */
#define NEIGHBOURS_PLENTY 8           /* a look-up brings 100 KB, over uplinks that media fill */
#define FIND_PERCENT_LEAST 75
#define FIND_PERCENT_VARIES 51
#define NEIGHBOURS_ENOUGH 4
#define UNSERVED_US (2 * US_PER_S) /* without a cell that came by itself */
#define SILENCE_US (5 * US_PER_S)  /* without a head: the source may have come back elsewhere */
#define SILENT_TURN_US (2 * US_PER_S)

void announce_describe(const struct channel *c, struct holder *ret) {
    const struct node *n = c->node;
    memset(ret, 0, sizeof *ret);
    ret->peer = n->id;
    ret->issued_s = node_utc_us(n, n->now_us) / US_PER_S;
    ret->broadcast = c->has_manifest ? c->manifest.broadcast : 0;
    ret->role = n->role;
    ret->flags = n->uplink.rate_bps > 0 ? PEER_UPLOADS : 0;
    for (size_t t = 0; t < c->streams_len; t++) {
        const struct stream *s = &c->streams[t];
        if (!s->window.has_newest) continue;
        ret->tracks[ret->tracks_len].track = s->track;
        ret->tracks[ret->tracks_len++].from =
            s->start > window_oldest(&s->window) ? s->start : window_oldest(&s->window);
    }
    ret->endpoints_len = (uint8_t)n->endpoints_len;
    memcpy(ret->endpoints, n->endpoints, n->endpoints_len * sizeof n->endpoints[0]);
}

void announce_describe_entry(const struct channel *c, struct entry *ret) {
    const struct node *n = c->node;
    memset(ret, 0, sizeof *ret);
    ret->broadcast = c->manifest.broadcast;
    ret->broadcast_key = c->manifest.broadcast_key;
    ret->expires_s = c->manifest.expires_s;
    memcpy(ret->delegation, c->manifest.delegation, sizeof ret->delegation);
    ret->issued_s = node_utc_us(n, n->now_us) / US_PER_S;
    if (n->endpoints_len > 0) {
        ret->holders[0].peer = n->id;
        ret->holders[0].endpoint = n->endpoints[0];
        ret->holders_len = 1;
    }
    for (size_t i = 0; i < c->neighbours_len && ret->holders_len < ENTRY_HOLDERS_MAX; i++) {
        const struct neighbour *nb = c->neighbours[i];
        const struct link *link = nb->peer->link;
        if (!nb->has_hello || !(nb->flags & PEER_UPLOADS) || link_state(link) != LINK_UP) continue;
        if (!endpoint_is_usable(link_endpoint(link))) continue;
        ret->holders[ret->holders_len].peer = *link_peer(link);
        ret->holders[ret->holders_len++].endpoint = *link_endpoint(link);
    }
}

/* A relay is announced before it holds anything: a source that nobody can reach finds it, and
 * dials. */
static bool is_of_use(const struct channel *c) {
    if (c->node->role == ROLE_RELAY) return true;
    if (!c->has_manifest || c->ended) return false;
    if (c->is_source) return true;
    for (size_t t = 0; t < c->streams_len; t++)
        if (c->streams[t].has_verified_start) return true;
    return false;
}

static void put(struct channel *c, uint64_t epoch) {
    c->announce_epoch = epoch;
    node_emit(c->node, &(struct queued_event){
                           .type = NODE_EVENT_ANNOUNCE, .channel = c->index, .epoch = epoch});
}

static void announce_holder(struct channel *c, uint64_t utc_us, uint64_t now_us) {
    uint64_t epoch = epoch_at(utc_us);
    if (c->announce_epoch > epoch + 1) c->announce_epoch = 0; /* the clock was set back */
    if (c->announce_epoch < epoch) {
        put(c, epoch);
        uint64_t left_us = (epoch + 1) * EPOCH_US - utc_us;
        uint64_t ahead_us = rng_below(&c->node->rng, ANNOUNCE_AHEAD_US);
        c->announce_us = now_us + u64_sub(left_us, ahead_us);
    } else if (c->announce_epoch == epoch && now_us >= c->announce_us) {
        put(c, epoch + 1);
    } else if (c->announce_epoch == epoch + 1 && now_us >= c->announce_us) {
        /* The next one: at a random moment of the last part of the epoch that was just announced.
         */
        uint64_t left_us = (epoch + 2) * EPOCH_US - utc_us;
        c->announce_us = now_us + left_us - rng_below(&c->node->rng, ANNOUNCE_AHEAD_US);
    }
}

static void announce_entry(struct channel *c, uint64_t now_us) {
    if (!c->is_source || now_us < c->entry_us) return;
    c->entry_us = now_us + (c->entry_us == 0 ? ENTRY_FIRST_US : ENTRY_PERIOD_US);
    node_emit(c->node,
              &(struct queued_event){.type = NODE_EVENT_ANNOUNCE_ENTRY, .channel = c->index});
}

/* No cell comes by itself, and neighbours go on to newer chunks: they do not serve us. Where nobody
 * goes on, the source rests. */
static bool is_unserved(const struct channel *c, uint64_t now_us) {
    if (c->is_source || c->ended || c->streams_len == 0) return false;
    uint64_t came_us = 0, known_us = 0;
    for (size_t t = 0; t < c->streams_len; t++) {
        for (unsigned i = 0; i < c->streams[t].substreams; i++)
            came_us = u64_max(came_us, c->streams[t].came_us[i]);
        for (size_t i = 0; i < c->neighbours_len; i++)
            known_us = u64_max(known_us, c->neighbours[i]->streams[t].newest_us);
    }
    bool they_go_on = now_us - known_us < UNSERVED_US && known_us > came_us + UNSERVED_US / 2;
    return now_us - came_us > UNSERVED_US && they_go_on;
}

/* No head either. One who finds where the source came back tells the others, so they take turns:
 * about one of us and our neighbours every SILENT_TURN_US. */
static bool is_silent(const struct channel *c, uint64_t now_us) {
    return !c->is_source && !c->ended && now_us - c->head_us > SILENCE_US;
}

static uint64_t silent_due_us(const struct channel *c, unsigned up) {
    uint64_t silent_us = c->head_us + SILENCE_US, round_us = up * SILENT_TURN_US;
    if (c->find_us >= silent_us)
        return c->find_us + u64_max(round_us / 100 * c->find_percent, c->find_pause_us);
    uint64_t turn_us = round_us / FIND_PERCENT_VARIES * (c->find_percent - FIND_PERCENT_LEAST);
    return u64_max(silent_us + turn_us, c->find_us + c->find_pause_us);
}

/* Those that came at once should not look at once. */
static uint64_t find_due_us(struct channel *c, uint64_t now_us) {
    unsigned dialling, up = channel_links_up(c, &dialling, now_us);
    if (up < NEIGHBOURS_ENOUGH || is_unserved(c, now_us)) return c->find_us + c->find_pause_us;
    if (is_silent(c, now_us)) return silent_due_us(c, up);
    c->find_pause_us = FIND_FIRST_US;
    uint64_t calm_us = up < NEIGHBOURS_PLENTY ? FIND_CALM_US : FIND_RARE_US;
    return c->find_us + calm_us / 100 * c->find_percent;
}

static void find(struct channel *c, uint64_t now_us) {
    if (c->find_pause_us != 0 && now_us < find_due_us(c, now_us)) return;
    node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_FIND, .channel = c->index});
    c->find_us = now_us;
    c->find_percent = (uint8_t)(FIND_PERCENT_LEAST + rng_below(&c->node->rng, FIND_PERCENT_VARIES));
    c->find_pause_us =
        c->find_pause_us == 0 ? FIND_FIRST_US : u64_min(c->find_pause_us * 3 / 2, FIND_MOST_US);
}

void announce_tick(struct channel *c, uint64_t now_us) {
    find(c, now_us);
    uint64_t utc_us = node_utc_us(c->node, now_us);
    if (utc_us == 0 || c->node->uplink.rate_bps == 0 || c->node->endpoints_len == 0) return;
    if (!is_of_use(c)) return;
    announce_holder(c, utc_us, now_us);
    announce_entry(c, now_us);
}
