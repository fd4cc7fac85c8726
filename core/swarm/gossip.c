/* gossip.c - what neighbours tell each other about the channel itself: HELLO, MANIFEST, PEERS, BYE.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"

#define PEERS_PERIOD_US (30 * US_PER_S)
#define PEERS_TOLD 8
#define TURNED_AWAY_TOLD 6               /* of these */
#define TURNED_AWAY_US (10 * US_PER_S)   /* after so long they have found others, or left */
#define MANIFEST_AGAIN_US (1 * US_PER_S) /* the same one to the same neighbour */
#define PEERS_LEAST_US (1 * US_PER_S)    /* more often is not listened to */

/* Every message is small but the manifest, which has a buffer of its own. A link whose queue is
 * full does not acknowledge; it will time out, so nothing is done about a message that it refuses.
 */
static void send(struct neighbour *nb, const struct writer *w, uint64_t now_us) {
    if (w->err) return;
    int err = link_send_message(nb->peer->link, w->start, writer_len(w), now_us);
    if (err == ERR_FULL) nb->channel->stats.messages_dropped++;
}

void gossip_hello(struct neighbour *nb, uint64_t now_us) {
    struct channel *c = nb->channel;
    struct hello m = {
        .slot = c->index,
        .channel = c->key,
        .role = c->node->role,
        .flags = c->node->uplink.rate_bps > 0 ? PEER_UPLOADS : 0,
        .broadcast = c->has_manifest ? c->manifest.broadcast : 0,
        .manifest_version = c->has_manifest ? c->manifest.version : 0,
        .observed = *link_endpoint(nb->peer->link),
    };
    uint8_t buffer[128];
    struct writer w = writer_init(buffer, sizeof buffer);
    hello_write(&w, &m);
    send(nb, &w, now_us);
    nb->hello_sent = true;
}

void gossip_manifest(struct neighbour *nb, uint64_t now_us) {
    struct channel *c = nb->channel;
    bool is_again = nb->manifest_sent_us != 0 && now_us - nb->manifest_sent_us < MANIFEST_AGAIN_US;
    bool is_same =
        nb->broadcast == c->manifest.broadcast && nb->manifest_sent == c->manifest.version;
    if (!c->has_manifest || (is_again && is_same)) return;
    uint8_t buffer[MESSAGE_SIZE_MAX];
    struct writer w = writer_init(buffer, sizeof buffer);
    manifest_message_write(&w, &(struct manifest_message){
                                   .slot = c->index,
                                   .manifest = {.data = c->manifest_bytes, .len = c->manifest_len},
                               });
    send(nb, &w, now_us);
    nb->broadcast = c->manifest.broadcast;
    nb->manifest_version = nb->manifest_sent = c->manifest.version;
    nb->manifest_sent_us = now_us;
}

void gossip_note_turned_away(struct channel *c, const struct link *link, uint64_t now_us) {
    if (!endpoint_is_usable(link_endpoint(link))) return;
    struct sampler *s = &c->sampler;
    s->turned_away[s->turned_away_next++ % TURNED_AWAY_MAX] = (struct turned_away){
        .peer = *link_peer(link), .endpoint = *link_endpoint(link), .at_us = now_us};
}

/* Those who look for neighbours, too, come first: they have room, where those that all find first
 * have none. */
static void choose_turned_away(const struct neighbour *nb, struct peers *m, uint64_t now_us) {
    const struct sampler *s = &nb->channel->sampler;
    for (size_t i = 1; i <= TURNED_AWAY_MAX && m->peers_len < TURNED_AWAY_TOLD; i++) {
        const struct turned_away *t =
            &s->turned_away[(size_t)(s->turned_away_next - i) % TURNED_AWAY_MAX];
        if (t->at_us == 0 || now_us - t->at_us > TURNED_AWAY_US) continue;
        if (public_key_equal(&t->peer, link_peer(nb->peer->link))) continue;
        m->peers[m->peers_len++] = (struct peer_entry){.peer = t->peer, .endpoint = t->endpoint};
    }
}

/* Up to PEERS_TOLD neighbours that others could dial, from a random one on. */
static void choose_peers(const struct neighbour *nb, struct peers *m) {
    struct channel *c = nb->channel;
    if (c->neighbours_len == 0) return;
    size_t first = (size_t)rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0; i < c->neighbours_len && m->peers_len < PEERS_TOLD; i++) {
        const struct neighbour *other = c->neighbours[(first + i) % c->neighbours_len];
        const struct link *link = other->peer->link;
        if (other->peer == nb->peer || !other->has_hello || link_state(link) != LINK_UP) continue;
        if (!endpoint_is_usable(link_endpoint(link))) continue;
        m->peers[m->peers_len++] = (struct peer_entry){
            .peer = *link_peer(link),
            .endpoint = *link_endpoint(link),
            .flags = (uint8_t)(other->flags & PEER_UPLOADS) |
                     (link_is_initiator(link) ? PEER_REACHABLE : 0),
        };
    }
}

void gossip_peers(struct neighbour *nb, uint64_t now_us) {
    struct peers m = {.slot = nb->channel->index};
    choose_turned_away(nb, &m, now_us);
    choose_peers(nb, &m);
    nb->peers_sent_us = now_us;
    if (m.peers_len == 0) return;
    uint8_t buffer[8 + PEERS_MAX * (PUBLIC_KEY_BYTES + ENDPOINT_WIRE + 1)];
    struct writer w = writer_init(buffer, sizeof buffer);
    peers_write(&w, &m);
    send(nb, &w, now_us);
}

void gossip_bye(struct neighbour *nb, enum bye_reason reason, uint64_t now_us) {
    uint8_t buffer[8];
    struct writer w = writer_init(buffer, sizeof buffer);
    bye_write(&w, &(struct bye){.slot = nb->channel->index, .reason = (uint8_t)reason});
    send(nb, &w, now_us);
}

static void announce_up(struct neighbour *nb) {
    struct channel *c = nb->channel;
    trace_peer(nb, TRACE_MET);
    struct candidate *known = sampler_find(&c->sampler, link_peer(nb->peer->link));
    if (known != NULL) {
        known->is_linked = true;
        known->failures = 0;
    }
    node_emit(c->node, &(struct queued_event){
                           .type = NODE_EVENT_PEER_UP,
                           .channel = c->index,
                           .role = nb->role,
                           .peer = *link_peer(nb->peer->link),
                           .endpoint = *link_endpoint(nb->peer->link),
                       });
}

static bool knows_our_manifest(const struct neighbour *nb) {
    const struct manifest_facts *m = &nb->channel->manifest;
    return nb->broadcast > m->broadcast ||
           (nb->broadcast == m->broadcast && nb->manifest_version >= m->version);
}

void gossip_take_hello(struct neighbour *nb, const struct hello *m, uint64_t now_us) {
    bool is_first = !nb->has_hello;
    nb->has_hello = true;
    nb->slot = m->slot;
    nb->role = m->role;
    link_set_patient(nb->link, m->role == ROLE_SOURCE, now_us); /* without it there is nobody */
    nb->flags = m->flags;
    if (m->broadcast >= nb->broadcast) {
        nb->broadcast = nb->follows = m->broadcast;
        nb->manifest_version = m->manifest_version;
    }
    if (!nb->hello_sent) gossip_hello(nb, now_us);
    if (nb->channel->has_manifest && !knows_our_manifest(nb)) gossip_manifest(nb, now_us);
    if (!is_first) return;
    gossip_peers(nb, now_us);
    have_greet(nb);
    nb->channel->gossip_us = nb->channel->tally.offer_us = 0;
    announce_up(nb);
    channel_wake(nb->channel, now_us);
}

/* One that its channel has signed. */
static void take_opened(struct neighbour *nb, const struct manifest_message *m,
                        const struct manifest *opened, uint64_t now_us) {
    struct channel *c = nb->channel;
    nb->broadcast = nb->follows = opened->broadcast;
    nb->manifest_version = opened->version;
    uint64_t utc_us = node_utc_us(c->node, now_us);
    bool is_expired =
        utc_us > opened->expires_s * US_PER_S + (uint64_t)CLOCK_ERROR_MAX_US && utc_us != 0;
    if (is_expired) c->stats.refused_stale++;
    if (is_expired) return;
    if (c->is_source) {
        if (opened->broadcast > c->manifest.broadcast)
            node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_OUTBID,
                                                      .channel = c->index,
                                                      .broadcast = opened->broadcast});
        return;
    }
    if (c->has_manifest && !channel_is_newer(c, opened)) {
        if (!knows_our_manifest(nb)) gossip_manifest(nb, now_us);
        return;
    }
    channel_take_manifest(c, opened, m->manifest.data, m->manifest.len, now_us);
}

void gossip_take_manifest(struct neighbour *nb, const struct manifest_message *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    /* The same bytes again, as when several neighbours pass it on at once: no signature to check.
     */
    if (c->has_manifest && m->manifest.len == c->manifest_len &&
        memcmp(m->manifest.data, c->manifest_bytes, c->manifest_len) == 0) {
        nb->broadcast = nb->follows = c->manifest.broadcast;
        nb->manifest_version = c->manifest.version;
        return;
    }
    struct manifest *opened = malloc(sizeof *opened); /* 13 KB are too many for a stack */
    if (opened == NULL) return;
    int err = manifest_open(m->manifest.data, m->manifest.len, &c->key, opened);
    if (err) {
        c->stats.refused_head++;
        channel_ban(c, nb, err, now_us);
    } else {
        take_opened(nb, m, opened, now_us);
    }
    free(opened);
}

void gossip_take_peers(struct neighbour *nb, const struct peers *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    if (nb->peers_taken_us != 0 && now_us - nb->peers_taken_us < PEERS_LEAST_US) return;
    nb->peers_taken_us = now_us;
    for (size_t i = 0; i < m->peers_len; i++) {
        const struct peer_entry *entry = &m->peers[i];
        if (public_key_equal(&entry->peer, &c->node->id)) continue;
        (void)sampler_add(&c->sampler, &c->node->rng, &entry->peer, &entry->endpoint,
                          ORIGIN_NEIGHBOUR); /* known already, or no room: both are fine */
    }
}

void gossip_tick(struct channel *c, uint64_t now_us) {
    if (now_us < c->gossip_us) return;
    c->gossip_us = now_us + PEERS_PERIOD_US;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        struct neighbour *nb = c->neighbours[i];
        if (!nb->has_hello) continue;
        bool is_up = link_state(nb->peer->link) == LINK_UP;
        if (is_up && now_us - nb->peers_sent_us >= PEERS_PERIOD_US) gossip_peers(nb, now_us);
        uint64_t due_us = is_up ? nb->peers_sent_us + PEERS_PERIOD_US : now_us + TICK_IDLE_US;
        c->gossip_us = u64_min(c->gossip_us, due_us);
    }
}
