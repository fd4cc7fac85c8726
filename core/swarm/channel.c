#include "core/swarm/channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/climb.h"
#include "core/swarm/engine.h"
#include "core/swarm/serve.h"

#define TELL_US US_PER_S            /* OFFER and HAVE to each neighbour, */
#define TELL_BPS 1000000            /* less often where the stream is thinner, */
#define TELL_MOST_US (4 * US_PER_S) /* but so often */
#define NEIGHBOURS_STEP 16
#define TRIM_PERIOD_US (1 * US_PER_S)

uint64_t channel_lateness_us(const struct channel *c, uint64_t capture_us, uint64_t now_us) {
    if (!c->has_offset) return 0;
    int64_t lateness = (int64_t)(now_us - capture_us) - c->offset_us;
    return lateness < 0 ? 0 : (uint64_t)lateness;
}

uint64_t channel_tell_us(const struct channel *c) {
    uint64_t bps = 1;
    for (size_t t = 0; t < c->streams_len; t++)
        bps += (uint64_t)c->streams[t].substream_bps * c->streams[t].substreams;
    return u64_min(u64_max(TELL_US * TELL_BPS / bps, TELL_US), TELL_MOST_US);
}

struct stream *channel_stream(struct channel *c, uint8_t track) {
    return track < c->streams_len ? &c->streams[track] : NULL;
}

void channel_wake(struct channel *c, uint64_t now_us) { c->tick_us = now_us; }

static bool has_place(struct channel *c) {
    if (c->neighbours_len < c->neighbours_capacity) return true;
    size_t capacity = c->neighbours_capacity + NEIGHBOURS_STEP;
    if (capacity > NEIGHBOURS_MAX) return false;
    struct neighbour **neighbours = realloc(c->neighbours, capacity * sizeof(struct neighbour *));
    if (neighbours == NULL) return false;
    c->neighbours = neighbours;
    uint64_t *have_us = realloc(c->have_us, capacity * sizeof *have_us);
    if (have_us == NULL) return false;
    c->have_us = have_us;
    c->neighbours_capacity = capacity;
    return true;
}

bool channel_add_neighbour(struct channel *c, struct neighbour *nb) {
    if (!node_has_room(c) || !has_place(c)) return false;
    c->tally.are_links_counted = false;
    nb->at = (uint8_t)c->neighbours_len;
    c->have_us[nb->at] = 0;
    c->neighbours[c->neighbours_len++] = nb;
    return true;
}

/* Those behind it move up, and with them whatever goes by their places. */
static void take_place(struct channel *c, const struct neighbour *nb) {
    size_t at = nb->at;
    assert(c->neighbours[at] == nb);
    c->tally.are_links_counted = c->tally.is_granted_known = false;
    c->neighbours_len--;
    for (size_t i = at; i < c->neighbours_len; i++) {
        c->neighbours[i] = c->neighbours[i + 1];
        c->neighbours[i]->at = (uint8_t)i;
    }
    for (enum send_class class = 0; class < SEND_CLASSES; class ++)
        neighbour_set_close(&c->waiting[class], at);
    for (size_t t = 0; t < c->streams_len; t++)
        for (size_t i = 0; i < SUPPLIES; i++) neighbour_set_close(&c->streams[t].children[i], at);
    neighbour_set_close(&c->carriers, at);
    neighbour_set_close(&c->behind, at);
    neighbour_set_close(&c->paced, at);
    neighbour_set_close(&c->pending, at);
    memmove(&c->have_us[at], &c->have_us[at + 1], (c->neighbours_len - at) * sizeof c->have_us[0]);
}

struct neighbour *channel_neighbour(const struct channel *c, const struct public_key *peer) {
    for (size_t i = 0; i < c->neighbours_len; i++)
        if (public_key_equal(link_peer(c->neighbours[i]->peer->link), peer))
            return c->neighbours[i];
    return NULL;
}

static void trace_lost(const struct stream *s, const struct neighbour *nb) {
    for (unsigned index = 0; index < SUPPLIES; index++)
        if (s->supplies[index].parent == nb) trace_supply(nb, TRACE_LOST, s->track, index);
}

void channel_drop_neighbour(struct channel *c, struct neighbour *nb, uint64_t now_us) {
    for (size_t t = 0; t < c->streams_len; t++) {
        trace_lost(&c->streams[t], nb);
        stream_forget_neighbour(&c->streams[t], nb);
    }
    take_place(c, nb);
    struct candidate *known = sampler_find(&c->sampler, link_peer(nb->peer->link));
    if (known != NULL) known->is_linked = false;
    peer_remove_neighbour(nb->peer, nb);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        if (nb->peer->by_slot[i] == c->index + 1) nb->peer->by_slot[i] = 0;
    neighbour_free(nb);
    channel_wake(c, now_us);
}

void channel_ban(struct channel *c, struct neighbour *nb, int err, uint64_t now_us) {
    if (nb->peer->is_doomed) return;
    c->stats.peers_banned++;
    node_ban(c->node, link_peer(nb->peer->link), now_us);
    sampler_remove(&c->sampler, link_peer(nb->peer->link));
    nb->peer->is_doomed = true;
    c->node->has_doomed = true;
    node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_PEER_BANNED,
                                              .channel = c->index,
                                              .peer = *link_peer(nb->peer->link),
                                              .err = err});
}

/* A new broadcast: nothing of the old one is of use. */
static bool restart_streams(struct channel *c, const struct manifest *m) {
    size_t bytes = size_max(m->tracks_len, 1) * sizeof(struct stream);
    struct stream *streams = aligned_alloc(_Alignof(struct stream), bytes);
    if (streams == NULL) return false;
    memset(streams, 0, bytes);
    for (size_t t = 0; t < c->streams_len; t++) stream_release(&c->streams[t]);
    free(c->streams);
    c->streams = streams;
    c->streams_len = m->tracks_len;
    c->tally.offer_us = 0; /* another rate, another period */
    for (size_t t = 0; t < c->streams_len; t++) stream_init(&streams[t], (uint8_t)t, &m->tracks[t]);
    c->has_offset = c->ended = c->end_said = false;
    c->rest = (struct rest){0};
    c->announce_epoch = c->entry_us = 0;
    return true;
}

const struct manifest *channel_manifest(struct channel *c) {
    if (!c->has_manifest || c->opened != NULL) return c->opened;
    c->opened = malloc(sizeof *c->opened);
    if (c->opened == NULL) return NULL;
    if (manifest_open(c->manifest_bytes, c->manifest_len, &c->key, c->opened) == 0)
        return c->opened;
    free(c->opened);
    c->opened = NULL;
    return NULL;
}

bool channel_is_newer(const struct channel *c, const struct manifest *m) {
    if (m->broadcast != c->manifest.broadcast) return m->broadcast > c->manifest.broadcast;
    return m->version > c->manifest.version;
}

static bool keep_manifest(struct channel *c, const struct manifest *m, const void *data,
                          size_t len) {
    free(c->opened);
    c->opened = NULL;
    uint8_t *bytes = realloc(c->manifest_bytes, len);
    if (bytes == NULL) return false;
    memcpy(bytes, data, len);
    c->manifest_bytes = bytes;
    c->manifest_len = (uint16_t)len;
    c->manifest = (struct manifest_facts){.broadcast = m->broadcast,
                                          .expires_s = m->expires_s,
                                          .version = m->version,
                                          .flags = m->flags,
                                          .tracks_len = m->tracks_len,
                                          .broadcast_key = m->broadcast_key};
    memcpy(c->manifest.delegation, m->delegation, sizeof c->manifest.delegation);
    return true;
}

static bool set_tracks(struct channel *c, size_t tracks) {
    for (size_t i = 0; i < c->neighbours_len; i++)
        if (!neighbour_set_tracks(c->neighbours[i], tracks)) return false;
    return true;
}

void channel_take_manifest(struct channel *c, const struct manifest *m, const void *data,
                           size_t len, uint64_t now_us) {
    bool had_manifest = c->has_manifest;
    bool is_new = !had_manifest || m->broadcast != c->manifest.broadcast;
    c->has_manifest = keep_manifest(c, m, data, len);
    if (!c->has_manifest) return; /* taken again when a neighbour sends it again */
    c->stats.broadcast = m->broadcast;
    c->tally.is_granted_known = false;
    if (is_new && had_manifest)
        for (size_t i = 0; i < c->neighbours_len; i++) {
            neighbour_reset_streams(c->neighbours[i]);
            uplink_forget(c->neighbours[i]);
        }
    if (is_new && !(set_tracks(c, m->tracks_len) && restart_streams(c, m))) {
        c->has_manifest = false; /* no memory: taken again when a neighbour sends it again */
        return;
    }
    node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_MANIFEST,
                                              .channel = c->index,
                                              .new_broadcast = is_new});
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        bool knows = nb->broadcast > m->broadcast ||
                     (nb->broadcast == m->broadcast && nb->manifest_version >= m->version);
        if (nb->has_hello && !knows) gossip_manifest(nb, now_us);
    }
    channel_wake(c, now_us);
}

unsigned channel_count_up(struct channel *c) {
    uint32_t changes = links_changes(c->node->links);
    if (c->tally.are_links_counted && c->tally.links_changes == changes) return c->tally.links_up;
    c->tally.links_up = 0;
    for (size_t i = 0; i < c->neighbours_len; i++)
        c->tally.links_up += link_state(c->neighbours[i]->link) == LINK_UP;
    c->tally.links_other = (unsigned)c->neighbours_len - c->tally.links_up;
    c->tally.links_changes = changes;
    c->tally.are_links_counted = true;
    return c->tally.links_up;
}

unsigned channel_links_up(struct channel *c, unsigned *ret_dialling, uint64_t now_us) {
    unsigned up = channel_count_up(c);
    *ret_dialling = 0;
    for (size_t i = 0; c->tally.links_other > 0 && i < c->neighbours_len; i++) {
        const struct peer *p = c->neighbours[i]->peer;
        *ret_dialling += link_state(p->link) != LINK_UP && now_us - p->since_us < DIAL_SLOW_US;
    }
    return up;
}

/* Most of what is known of a channel may have left: as long as nobody has answered, one more is
 * dialled every DIAL_EAGER_US. */
static unsigned dials_eager(struct channel *c, unsigned up, uint64_t now_us) {
    if (up > 0) c->linked_us = now_us;
    uint64_t more = (now_us - c->linked_us) / DIAL_EAGER_US;
    return (unsigned)u64_min(more, DIALS_EAGER);
}

/* A dial is a datagram of full size, and four where nobody answers: a thin uplink takes them one
 * after the other. */
static unsigned dials_at_once(const struct channel *c, unsigned up) {
    uint64_t most = up < NEIGHBOURS_FEW ? DIALS_FEW : DIALS_MAX;
    if (!capacity_is_known(&c->node->uplink.capacity)) return (unsigned)most;
    uint64_t carried = uplink_capacity_bps(c->node) / DIAL_BPS;
    return (unsigned)u64_min(most, u64_max(carried, 1));
}

static void dial(struct channel *c, uint64_t now_us) {
    unsigned dialling, up = channel_links_up(c, &dialling, now_us);
    unsigned most = dials_eager(c, up, now_us) + dials_at_once(c, up);
    while (dialling < most && up + dialling < NEIGHBOURS_TARGET && node_has_room(c)) {
        struct candidate *candidate = sampler_next(&c->sampler, &c->node->rng, now_us);
        if (candidate == NULL) return;
        node_dial(c, candidate, now_us);
        dialling++;
    }
}

static bool is_active(const struct channel *c, uint64_t now_us) {
    return c->has_offset && now_us - c->head_us < 2 * US_PER_S;
}

static void trim(struct channel *c, uint64_t now_us) {
    if (now_us < c->trim_us) return;
    c->trim_us = now_us + TRIM_PERIOD_US;
    for (size_t i = 0; i < c->neighbours_len; i++) neighbour_trim(c->neighbours[i], now_us);
}

void channel_tick(struct channel *c, uint64_t now_us) {
    if (!c->node->is_leaving) {
        dial(c, now_us);
        climb_tick(c, now_us);
    }
    bool is_alone = c->linked_us < now_us && c->sampler.len > 0;
    c->tick_us = now_us + (is_active(c, now_us) ? TICK_US
                           : is_alone           ? DIAL_EAGER_US
                                                : TICK_IDLE_US);
    cells_tick(c, now_us);
    rest_tick(c, now_us);
    supply_tick(c, now_us);
    first_tick(c, now_us);
    repair_tick(c, now_us);
    count_tick(c, now_us);
    play_step(c, now_us);
    serve_tick(c, now_us);
    offer_tick(c, now_us);
    have_tick(c, now_us); /* in the same datagrams */
    gossip_tick(c, now_us);
    announce_tick(c, now_us);
    trim(c, now_us);
}
