/* peers.c - the links' side of the engine: peers come and go, messages find their neighbour. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/proto/cell.h"
#include "core/swarm/engine.h"
#include "core/swarm/serve.h"

#define PEER_ALIGN 64 /* a line of the cache */

static_assert(sizeof(struct peer) == PEER_ALIGN, "every datagram passes one");

static struct peer *peer_make(struct node *n, struct link *link) {
    struct peer *p = link_data(link);
    if (p != NULL) return p;
    p = aligned_alloc(PEER_ALIGN, sizeof *p);
    if (p == NULL) return NULL;
    memset(p, 0, sizeof *p);
    p->node = n;
    p->link = link;
    p->since_us = n->now_us;
    link_set_data(link, p);
    p->next = n->peers;
    n->peers = p;
    return p;
}

void peers_free(struct peer *p) {
    struct peer **at = &p->node->peers;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    link_set_data(p->link, NULL);
    free(p);
}

struct neighbour *peers_neighbour(struct link *link, struct channel *c, uint64_t now_us) {
    struct peer *p = peer_make(c->node, link);
    if (p == NULL || p->is_doomed) return NULL;
    struct neighbour *nb = peer_neighbour(p, c->index);
    if (nb != NULL) return nb;
    nb = neighbour_new(p, c, now_us);
    if (nb == NULL) return NULL;
    if (!channel_add_neighbour(c, nb)) {
        neighbour_free(nb);
        return NULL;
    }
    peer_add_neighbour(p, nb);
    return nb;
}

static bool has_channels(const struct peer *p) { return p->neighbours != NULL; }

/* The link itself is closed at the end of the step: a handler may still be reading from it. */
static void release(struct peer *p) {
    if (has_channels(p)) return;
    p->is_doomed = true;
    p->node->has_doomed = true;
}

void peers_end_idle(struct node *n, uint64_t now_us) {
    if (now_us < n->idle_us) return;
    n->idle_us = now_us + US_PER_S;
    for (struct peer *p = n->peers; p != NULL; p = p->next)
        if (!has_channels(p) && now_us - p->since_us > PEER_IDLE_US)
            p->is_doomed = n->has_doomed = true;
}

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    struct node *n = owner;
    struct peer *p = peer_make(n, link);
    if (p == NULL) return; /* its messages find no peer and are not taken */
    p->was_up = true;
    if (node_is_banned(n, link_peer(link), now_us)) {
        p->is_doomed = true;
        n->has_doomed = true;
    }
}

/* HELLO from a peer that we have no room for: it learns of others to ask. */
static void turn_away(struct link *link, struct channel *c, uint64_t now_us) {
    struct neighbour *nb = neighbour_new(link_data(link), c, now_us);
    if (nb == NULL) return;
    gossip_hello(nb, now_us);
    gossip_peers(nb, now_us);
    gossip_bye(nb, BYE_FULL, now_us);
    nb->peer->turned_away = (uint8_t)(c->index + 1);
    neighbour_free(nb);
}

static struct channel *channel_by_key(struct node *n, const struct public_key *key) {
    for (size_t i = 0; i < n->channels_len; i++)
        if (public_key_equal(&n->channels[i]->key, key)) return n->channels[i];
    return NULL;
}

static int take_hello(struct peer *p, const uint8_t *data, size_t len, uint64_t now_us) {
    struct hello m;
    int err = hello_read(data, len, &m);
    if (err) return err;
    struct channel *c = channel_by_key(p->node, &m.channel);
    if (c == NULL) {
        uint8_t buffer[8];
        struct writer w = writer_init(buffer, sizeof buffer);
        bye_write(&w, &(struct bye){.slot = m.slot, .reason = BYE_NO_CHANNEL});
        return link_send_message(p->link, buffer, writer_len(&w), now_us) == ERR_RANGE ? ERR_RANGE
                                                                                       : 0;
    }
    struct neighbour *nb = peers_neighbour(p->link, c, now_us);
    if (nb == NULL) {
        turn_away(p->link, c, now_us);
        return 0;
    }
    struct neighbour *holder = peer_at_slot(p, m.slot);
    if (holder != NULL && holder != nb) return ERR_DUPLICATE; /* one slot for two channels */
    if (nb->has_hello && nb->slot != m.slot) return ERR_DUPLICATE;
    p->by_slot[m.slot] = (uint8_t)(c->index + 1);
    gossip_take_hello(nb, &m, now_us);
    return 0;
}

static int take_bye(struct peer *p, const uint8_t *data, size_t len, uint64_t now_us) {
    struct bye m;
    int err = bye_read(data, len, &m);
    if (err) return err;
    /* A peer that does not carry the channel gave it no slot: it repeats ours. */
    struct neighbour *nb =
        m.reason == BYE_NO_CHANNEL ? peer_neighbour(p, m.slot) : peer_at_slot(p, m.slot);
    if (nb == NULL) return 0;
    struct channel *c = nb->channel;
    sampler_failed(&c->sampler, link_peer(p->link), now_us);
    channel_drop_neighbour(c, nb, now_us);
    release(p);
    return 0;
}

/* Messages that belong to a neighbour; those for a slot that nobody said HELLO for are void: the
 * HELLO may still be on its way, and whoever sent it repeats what matters. */
#define NEIGHBOUR_MESSAGES(X)                                                                      \
    X(manifest_message, MESSAGE_MANIFEST, gossip_take_manifest)                                    \
    X(subscribe, MESSAGE_SUBSCRIBE, serve_take_subscribe)                                          \
    X(grant, MESSAGE_GRANT, supply_take_grant)                                                     \
    X(request, MESSAGE_REQUEST, serve_take_request)                                                \
    X(cancel, MESSAGE_CANCEL, serve_take_cancel)                                                   \
    X(gap, MESSAGE_GAP, repair_take_gap)                                                           \
    X(peers, MESSAGE_PEERS, gossip_take_peers)                                                     \
    X(offer, MESSAGE_OFFER, offer_take)                                                            \
    X(have, MESSAGE_HAVE, have_take)                                                               \
    X(head_message, MESSAGE_HEAD, cells_take_head)

#define X(name, type, take)                                                                        \
    static int take_##name(struct peer *p, const uint8_t *data, size_t len, uint64_t now_us) {     \
        struct name m;                                                                             \
        int err = name##_read(data, len, &m);                                                      \
        if (err) return err;                                                                       \
        struct neighbour *nb = peer_at_slot(p, m.slot);                                            \
        if (nb != NULL) take(nb, &m, now_us);                                                      \
        return 0;                                                                                  \
    }
NEIGHBOUR_MESSAGES(X)
#undef X

static const struct {
    uint8_t type;
    int (*take)(struct peer *p, const uint8_t *data, size_t len, uint64_t now_us);
} takers[] = {{MESSAGE_HELLO, take_hello},
              {MESSAGE_BYE, take_bye},
#define X(name, type, take) {type, take_##name},
              NEIGHBOUR_MESSAGES(X)
#undef X
};

static void refuse(struct peer *p, int err, uint64_t now_us) {
    struct node *n = p->node;
    if (has_channels(p)) {
        p->neighbours->channel->stats.refused_message++;
        channel_ban(p->neighbours->channel, p->neighbours, err, now_us);
        return;
    }
    node_ban(n, link_peer(p->link), now_us);
    p->is_doomed = true;
    n->has_doomed = true;
}

static void on_message(void *owner, struct link *link, const uint8_t *data, size_t len,
                       uint64_t now_us) {
    struct peer *p = link_data(link);
    (void)owner;
    if (p == NULL || p->is_doomed) return;
    for (size_t i = 0; i < ARRAY_LEN(takers); i++) {
        if (takers[i].type != data[0]) continue;
        int err = takers[i].take(p, data, len, now_us);
        if (err) refuse(p, err, now_us);
        return;
    }
    /* A type of a later version: not for us. */
}

static void on_cell(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us) {
    struct peer *p = link_data(link);
    struct node *n = owner;
    if (p == NULL || p->is_doomed) return;
    struct cell cell;
    int err = cell_read(data, len, &cell);
    if (err) {
        refuse(p, err, now_us);
        return;
    }
    n->cell_bytes_in += cell.len;
    struct neighbour *nb = peer_at_slot(p, cell.slot);
    if (nb != NULL) cells_take_cell(nb, &cell, now_us);
}

/* What a token names: serve.c and uplink.c make them with SEND_TOKEN. */
static void on_lost(void *owner, struct link *link, uint64_t token, uint64_t now_us) {
    struct peer *p = link_data(link);
    (void)owner;
    if (p == NULL || p->is_doomed) return;
    uplink_lost(p->node);
    struct neighbour *nb = peer_neighbour(p, token >> 56 & 15);
    if (nb == NULL) return;
    serve_lost(nb, (uint8_t)(token >> 48 & 7), (uint32_t)token, (uint8_t)(token >> 32),
               (token & SEND_ASKED) != 0, now_us);
}

/* Of two simultaneous dials one ends; what was said on it holds for the other. */
static bool move_neighbours(struct peer *from, struct link *to_link) {
    struct peer *to = to_link == NULL || to_link == from->link ? NULL : link_data(to_link);
    if (to == NULL) return false;
    for (struct neighbour *nb = from->neighbours, *next; nb != NULL; nb = next) {
        next = nb->peer_next;
        if (peer_neighbour(to, nb->index) != NULL) continue;
        peer_remove_neighbour(from, nb);
        peer_add_neighbour(to, nb);
        nb->channel->tally.are_links_counted = false;
    }
    return true;
}

static void on_closed(void *owner, struct link *link, enum link_end end, uint64_t now_us) {
    struct node *n = owner;
    struct peer *p = link_data(link);
    if (p == NULL) return;
    if (end == LINK_END_REPLACED && !p->was_up)
        (void)move_neighbours(p, links_find(n->links, link_peer(link)));
    bool failed = end != LINK_END_LOCAL && end != LINK_END_REPLACED;
    for (struct neighbour *nb; (nb = p->neighbours) != NULL;) {
        if (failed) sampler_failed(&nb->channel->sampler, link_peer(link), now_us);
        channel_drop_neighbour(nb->channel, nb, now_us);
    }
    /* Its sealed goodbye proves its address: others may be sent there. */
    if (p->turned_away && end == LINK_END_REMOTE)
        gossip_note_turned_away(n->channels[p->turned_away - 1], link, now_us);
    peers_free(p);
}

static void on_train(void *owner, struct link *link, const struct link_train *train,
                     uint64_t now_us) {
    uplink_probe_take(owner, link, train, now_us);
}

static void on_identity(void *owner, const struct endpoint *from, const struct public_key *peer,
                        uint64_t now_us) {
    struct node *n = owner;
    for (size_t i = 0; i < n->hints_len; i++) {
        struct hint *h = &n->hints[i];
        if (h->is_answered || !endpoint_equal(&h->endpoint, from)) continue;
        h->is_answered = true;
        node_peer_found(n, h->channel, peer, from, now_us);
    }
}

const struct link_handler peers_link_handler = {
    .opened = on_opened,
    .message = on_message,
    .cell = on_cell,
    .lost = on_lost,
    .closed = on_closed,
    .identity = on_identity,
    .train = on_train,
};
