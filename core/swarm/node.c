#include "core/swarm/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"

#define SOURCE_HOPE 2 /* streams that a source's uplink is taken to carry at first */

struct node *node_new(const struct node_config *config, uint64_t now_us) {
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL) return NULL;
    n->id = config->identity->public;
    n->role = config->role;
    n->rng = rng_init(config->seed);
    n->neighbours_max = config->neighbours_max ? config->neighbours_max : NODE_NEIGHBOURS_DEFAULT;
    if (n->neighbours_max > NEIGHBOURS_MAX - NEIGHBOURS_SPARE)
        n->neighbours_max = NEIGHBOURS_MAX - NEIGHBOURS_SPARE;
    n->memory_max = config->memory_max ? config->memory_max : NODE_MEMORY_DEFAULT;
    n->tells_chunks = config->tells_chunks;
    n->chunks = config->chunks;
    n->trace = config->trace;
    n->trace_context = config->trace_context;
    n->now_us = now_us;
    uplink_init(&n->uplink, config->max_upload_bps, now_us);
    n->links = links_new(
        &(struct links_config){
            .identity = config->identity,
            .random = config->random,
            .links_max = NODE_LINKS_MAX,
            .handler = &peers_link_handler,
            .owner = n,
        },
        now_us);
    if (n->links == NULL) {
        free(n);
        return NULL;
    }
    return n;
}

static void free_channel(struct channel *c) {
    for (size_t t = 0; t < c->streams_len; t++) stream_release(&c->streams[t]);
    free(c->streams);
    free(c->neighbours);
    free(c->have_us);
    free(c->manifest_bytes);
    free(c->opened);
    sampler_release(&c->sampler);
    lag_release(&c->lag);
    secret_erase(&c->read_key, sizeof c->read_key);
    free(c);
}

/* Frees what the links hold of us: every neighbour, then the peers. */
static void free_peers(struct node *n) {
    for (size_t i = 0; i < n->channels_len; i++) {
        struct channel *c = n->channels[i];
        while (c->neighbours_len > 0)
            channel_drop_neighbour(c, c->neighbours[c->neighbours_len - 1], n->now_us);
    }
    while (n->peers != NULL) peers_free(n->peers);
}

void node_free(struct node *n) {
    if (n == NULL) return;
    n->trace = NULL; /* what follows decides nothing */
    struct node_event e;
    while (node_next_event(n, &e))
        if (e.type == NODE_EVENT_FRAGMENT) fragment_unref(e.fragment);
    free_peers(n);
    links_free(n->links);
    for (size_t i = 0; i < n->channels_len; i++) free_channel(n->channels[i]);
    free(n->bans);
    free(n->events);
    free(n);
}

int node_join(struct node *n, const struct public_key *channel, const struct read_key *read_key,
              bool plays, uint64_t now_us) {
    for (size_t i = 0; i < n->channels_len; i++)
        if (public_key_equal(&n->channels[i]->key, channel)) return ERR_DUPLICATE;
    if (n->channels_len == NODE_CHANNELS_MAX) return ERR_FULL;
    struct channel *c = calloc(1, sizeof *c);
    if (c == NULL) return ERR_MEMORY;
    c->node = n;
    c->index = (uint8_t)n->channels_len;
    c->key = *channel;
    c->plays = plays;
    c->have_version = 1;
    c->has_read_key = read_key != NULL;
    if (read_key != NULL) c->read_key = *read_key;
    c->tick_us = c->head_us = c->linked_us = now_us;
    n->channels[n->channels_len++] = c;
    return c->index;
}

static struct channel *channel_at(const struct node *n, int channel) {
    assert(channel >= 0 && (size_t)channel < n->channels_len);
    return n->channels[channel];
}

/* A source's uplink carries its stream, or nothing comes of it. */
static void hope_for_uplink(struct channel *c) {
    for (size_t t = 0; t < c->streams_len; t++) {
        uint64_t bps = (uint64_t)c->streams[t].substreams * c->streams[t].substream_bps;
        capacity_hope(&c->node->uplink.capacity, SOURCE_HOPE * bps);
    }
}

int node_set_manifest(struct node *n, int channel, const void *data, size_t len, uint64_t now_us) {
    struct channel *c = channel_at(n, channel);
    n->now_us = now_us;
    if (len > MANIFEST_SIZE_MAX) return ERR_RANGE;
    struct manifest *opened = malloc(sizeof *opened);
    if (opened == NULL) return ERR_MEMORY;
    int err = manifest_open(data, len, &c->key, opened);
    if (!err && c->has_manifest && !channel_is_newer(c, opened)) err = ERR_STALE;
    if (!err) {
        c->is_source = true;
        channel_take_manifest(c, opened, data, len, now_us);
        if (!c->has_manifest) err = ERR_MEMORY;
        hope_for_uplink(c);
    }
    free(opened);
    return err;
}

int node_publish(struct node *n, int channel, struct chunk *chunk, uint64_t now_us) {
    struct channel *c = channel_at(n, channel);
    n->now_us = now_us;
    if (!c->is_source || !c->has_manifest) return ERR_STATE;
    return cells_publish(c, chunk, now_us);
}

void node_leave(struct node *n, uint64_t now_us) {
    n->is_leaving = true;
    for (size_t i = 0; i < n->channels_len; i++) {
        struct channel *c = n->channels[i];
        for (size_t k = 0; k < c->neighbours_len; k++)
            gossip_bye(c->neighbours[k], BYE_LEAVING, now_us);
    }
    for (struct peer *p = n->peers; p != NULL; p = p->next) p->is_doomed = n->has_doomed = true;
    node_expire(n, now_us);
}

/* Links that were marked in this step. Closing one frees its peer: hence from the start again. */
static void reap(struct node *n, uint64_t now_us) {
    while (n->has_doomed) {
        struct peer *p = n->peers;
        while (p != NULL && !p->is_doomed) p = p->next;
        n->has_doomed = p != NULL;
        if (p != NULL) link_close(p->link, now_us);
    }
}

void node_receive(struct node *n, const struct datagram *d, uint64_t now_us) {
    n->now_us = now_us;
    uint64_t cells_before = n->cell_bytes_in;
    links_receive(n->links, d, now_us);
    uplink_paths_changed(n);
    n->control_in += d->len - (n->cell_bytes_in - cells_before);
    reap(n, now_us);
}

static void ask_hints(struct node *n, uint64_t now_us) {
    for (size_t i = 0; i < n->hints_len; i++) {
        struct hint *h = &n->hints[i];
        if (h->is_answered || now_us < h->ask_us) continue;
        links_ask_identity(n->links, &h->endpoint, now_us);
        h->pause_us =
            h->pause_us == 0 ? HINT_PERIOD_US / 4 : u64_min(h->pause_us * 2, 16 * HINT_PERIOD_US);
        h->ask_us = now_us + h->pause_us;
    }
}

void node_expire(struct node *n, uint64_t now_us) {
    n->now_us = now_us;
    links_expire(n->links, now_us);
    uplink_paths_changed(n);
    reap(n, now_us);
    if (n->is_leaving) return;
    ask_hints(n, now_us);
    bool ticked = false;
    for (size_t i = 0; i < n->channels_len; i++) {
        if (now_us < n->channels[i]->tick_us) continue;
        channel_tick(n->channels[i], now_us);
        ticked = true;
    }
    if (ticked) {
        uplink_tick(n, now_us);
        peers_end_idle(n, now_us);
    }
    reap(n, now_us);
}

uint64_t node_deadline(const struct node *n) {
    uint64_t deadline = links_deadline(n->links);
    if (n->is_leaving) return deadline;
    for (size_t i = 0; i < n->channels_len; i++)
        deadline = u64_min(deadline, n->channels[i]->tick_us);
    for (size_t i = 0; i < n->hints_len; i++)
        if (!n->hints[i].is_answered) deadline = u64_min(deadline, n->hints[i].ask_us);
    return u64_min(deadline, uplink_deadline(n));
}

size_t node_transmit(struct node *n, struct datagram *ret, uint64_t now_us) {
    n->now_us = now_us;
    uint64_t cells_before = n->cell_bytes_out;
    size_t len = links_transmit(n->links, ret, now_us);
    if (len == 0) len = uplink_transmit(n, ret, now_us);
    if (len == 0) return 0;
    n->control_out += len - (n->cell_bytes_out - cells_before);
    uplink_charge(n, len, now_us);
    return len;
}

void node_dial(struct channel *c, struct candidate *candidate, uint64_t now_us) {
    struct node *n = c->node;
    const struct endpoint *to =
        &candidate->endpoints[candidate->endpoint_next % candidate->endpoints_len];
    struct public_key peer = candidate->peer;
    struct link *link =
        node_is_banned(n, &peer, now_us) ? NULL : links_dial(n->links, &peer, to, now_us);
    struct neighbour *nb = link == NULL ? NULL : peers_neighbour(link, c, now_us);
    if (nb == NULL) {
        sampler_failed(&c->sampler, &peer, now_us);
        return;
    }
    candidate->is_linked = true;
    trace_peer(nb, TRACE_DIALLED);
    if (!nb->hello_sent) gossip_hello(nb, now_us);
}

bool node_has_room(struct channel *c) {
    return channel_count_up(c) < c->node->neighbours_max &&
           c->neighbours_len < c->node->neighbours_max + NEIGHBOURS_SPARE;
}

void node_peer_found(struct node *n, int channel, const struct public_key *peer,
                     const struct endpoint *endpoint, uint64_t now_us) {
    struct channel *c = channel_at(n, channel);
    if (public_key_equal(peer, &n->id) || !endpoint_is_usable(endpoint)) return;
    (void)sampler_add(&c->sampler, &n->rng, peer, endpoint, ORIGIN_MEMORY);
    channel_wake(c, now_us);
}

void node_holders_found(struct node *n, int channel, const struct holder *holders, size_t len,
                        uint64_t now_us) {
    struct channel *c = channel_at(n, channel);
    for (size_t i = 0; i < len; i++) {
        const struct holder *h = &holders[i];
        if (public_key_equal(&h->peer, &n->id)) continue;
        c->stats.holders_found++;
        for (size_t k = h->endpoints_len; k-- > 0;)
            (void)sampler_add(&c->sampler, &n->rng, &h->peer, &h->endpoints[k], ORIGIN_RECORD);
    }
    channel_wake(c, now_us);
}

void node_hint(struct node *n, int channel, const struct endpoint *endpoint, uint64_t now_us) {
    if (n->hints_len == HINTS_MAX || !endpoint_is_usable(endpoint)) return;
    n->hints[n->hints_len++] = (struct hint){
        .endpoint = *endpoint, .channel = (uint8_t)channel_at(n, channel)->index, .ask_us = now_us};
}

void node_set_utc(struct node *n, uint64_t utc_us, uint64_t now_us) {
    n->has_utc = true;
    n->utc_offset_us = (int64_t)(utc_us - now_us);
}

uint64_t node_utc_us(const struct node *n, uint64_t now_us) {
    return n->has_utc ? now_us + (uint64_t)n->utc_offset_us : 0;
}

void node_set_endpoints(struct node *n, const struct endpoint *endpoints, size_t len) {
    n->endpoints_len = size_min(len, NODE_ENDPOINTS_MAX);
    memcpy(n->endpoints, endpoints, n->endpoints_len * sizeof endpoints[0]);
}

bool node_is_banned(const struct node *n, const struct public_key *peer, uint64_t now_us) {
    for (size_t i = 0; n->bans != NULL && i < BANS_MAX; i++)
        if (n->bans[i].until_us > now_us && public_key_equal(&n->bans[i].peer, peer)) return true;
    return false;
}

void node_ban(struct node *n, const struct public_key *peer, uint64_t now_us) {
    if (n->bans == NULL) n->bans = calloc(BANS_MAX, sizeof n->bans[0]);
    if (n->bans == NULL) return;
    struct ban *oldest = &n->bans[0];
    for (size_t i = 1; i < BANS_MAX; i++)
        if (n->bans[i].until_us < oldest->until_us) oldest = &n->bans[i];
    *oldest = (struct ban){.peer = *peer, .until_us = now_us + BAN_US};
}

static size_t memory_held(const struct node *n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t t = 0; t < n->channels[i]->streams_len; t++)
            bytes += n->channels[i]->streams[t].window.bytes;
    return bytes;
}

void node_trim_memory(struct node *n) {
    while (memory_held(n) > n->memory_max) {
        struct window *fullest = NULL;
        for (size_t i = 0; i < n->channels_len; i++)
            for (size_t t = 0; t < n->channels[i]->streams_len; t++) {
                struct window *w = &n->channels[i]->streams[t].window;
                if (fullest == NULL || w->bytes > fullest->bytes) fullest = w;
            }
        if (fullest == NULL || !window_drop_oldest(fullest)) return;
    }
}
