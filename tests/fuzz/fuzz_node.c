/* Sequences into node_receive: two peers with established links, and whatever they say.
 *
 * The input is a program: an op and its operands, byte by byte. The peers know a short broadcast
 * with true signatures, so that an input gets beyond them; they send true and flipped heads and
 * cells, well-formed messages with any values, raw messages, raw cells and raw datagrams, and let
 * time pass. After each op every table and queue of the node is held against its bound. The first
 * byte chooses whether the node is a viewer, a relay with little memory, or the source. */
#include "core/swarm/engine.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/message_fill.h"
#include "tests/lib/stage.h"

#define NODE 1
#define PEERS 2 /* hosts 2 and 3 */
#define RECORDED 24
#define MEMORY_MAX (256u << 10)
#define OPS_MAX 400
#define DELAY_US (5 * US_PER_MS)

struct world {
    struct stage stage;
    struct actor *node;
    bool is_source;
    uint32_t published[2];
    struct hostile_peer *peers[PEERS];
    uint16_t generation; /* of the peers' newest SUBSCRIBE */
};

static struct world world;
static struct origin recorded[2]; /* the broadcast, and a newer one of the same channel */

struct program {
    const uint8_t *at, *end;
};

static uint8_t next(struct program *p) { return p->at < p->end ? *p->at++ : 0; }

static uint32_t next_u32(struct program *p) {
    uint8_t kind = next(p);
    if (kind < 200) return kind % 64; /* near what there is */
    return (uint32_t)next(p) << 24 | (uint32_t)next(p) << 16 | (uint32_t)next(p) << 8 | next(p);
}

static const struct chunk *next_chunk(struct program *p) {
    uint8_t choice = next(p);
    const struct origin *src = &recorded[choice >> 7];
    return src->chunks[choice >> 6 & 1][choice % RECORDED];
}

static size_t next_bytes(struct program *p, uint8_t *ret, size_t max) {
    size_t len = 1 + next(p) % max;
    for (size_t i = 0; i < len; i++) ret[i] = next(p);
    return len;
}

/* A message whose every field may be anything that its reader takes. */
static void send_filled(struct hostile_peer *peer, struct program *p) {
    uint8_t which = next(p);
    uint8_t slot = next(p);
    struct rng rng = rng_init(next(p) | (uint64_t)next(p) << 8);
    unsigned i = 0;
#define X(name, NAME, type, fields)                                                                \
    if (which % 11 == i++) {                                                                       \
        struct name m;                                                                             \
        name##_fill(&m, &rng, which & 0x80);                                                       \
        if (slot < 200) m.slot = 0;                                                                \
        hostile_send_##name(peer, &m);                                                             \
    }
    MESSAGE_LIST(X)
#undef X
}

static void send_subscribe(struct hostile_peer *peer, struct program *p) {
    (void)hostile_send_subscribe(
        peer, &(struct subscribe){.track = next(p) % 3,
                                  .generation = ++world.generation,
                                  .flags = next(p) & SUBSCRIBE_FLAGS_ALL,
                                  .substreams = (uint32_t)(next(p) | next(p) << 8),
                                  .from = next(p) & 1 ? FROM_RANDOM_ACCESS : next_u32(p)});
}

static void send_request(struct hostile_peer *peer, struct program *p) {
    (void)hostile_send_request(peer, &(struct request){.track = next(p) % 3,
                                                       .number = next_u32(p),
                                                       .cells = next(p) * 0x0101010101010101ull,
                                                       .flags = next(p) & REQUEST_HEAD});
}

static void send_have(struct hostile_peer *peer, struct program *p) {
    (void)hostile_send_have(
        peer, &(struct have){.broadcast = 7 + (next(p) & 1u),
                             .held_len = 2,
                             .held = {{0, next_u32(p), next(p) * 0x0101010101010101ull},
                                      {1, next_u32(p), next(p) * 0x0101010101010101ull}}});
}

static void send_gap(struct hostile_peer *peer, struct program *p) {
    (void)hostile_send_gap(peer, &(struct gap){.track = next(p) % 3,
                                               .number = next_u32(p),
                                               .cells = next(p) * 0x0101010101010101ull});
}

/* A grant of what was asked last, or of anything. */
static void send_grant(struct hostile_peer *peer, struct program *p) {
    struct subscribe asked = {0};
    (void)hostile_last_subscribe(peer, &asked);
    struct grant m = {.track = next(p) % 3,
                      .generation = (uint16_t)(asked.generation + (next(p) & 1)),
                      .revision = ++peer->revision,
                      .flags = next(p) & SUBSCRIBE_HEADS,
                      .substreams = (uint32_t)(next(p) | next(p) << 8),
                      .excess = next(p),
                      .from = next_u32(p)};
    if (next(p) & 1) {
        m.ancestry_len = 1;
        m.ancestry[0].substreams = next(p);
        m.ancestry[0].ids_len = 1;
        m.ancestry[0].ids[0] = load_u32(world.node->identity.public.bytes);
    }
    (void)hostile_send_grant(peer, &m);
}

static void send_cell(struct hostile_peer *peer, struct program *p) {
    const struct chunk *c = next_chunk(p);
    uint32_t cells = head_cells(c->head);
    uint8_t index = next(p), flip = next(p);
    if (cells > 0) hostile_send_chunk_cell(peer, c, index % cells, flip > 250 ? flip : 0);
}

static void send_raw_cell(struct hostile_peer *peer, struct program *p) {
    uint8_t payload[64];
    struct cell cell = {.slot = next(p) % SLOTS_MAX,
                        .track = next(p) % TRACKS_MAX,
                        .index = next(p) % CHUNK_CELLS_MAX,
                        .number = next_u32(p),
                        .head_tag = next(p),
                        .payload = payload};
    cell.len = (uint16_t)next_bytes(p, payload, sizeof payload);
    hostile_send_cell(peer, &cell);
}

static void send_raw(struct hostile_peer *peer, struct program *p) {
    uint8_t data[256];
    size_t len = next_bytes(p, data, sizeof data);
    if (next(p) & 1)
        (void)hostile_send(peer, data, len);
    else
        (void)hostile_send_unreliable(peer, data, len);
}

static void inject(struct program *p) {
    uint8_t data[LINK_DATAGRAM_SIZE] = {0};
    size_t len = next_bytes(p, data, 255);
    if (next(p) & 1) len = LINK_DATAGRAM_SIZE;
    struct endpoint from = network_endpoint(world.stage.network, 2 + next(p) % 8);
    network_inject(world.stage.network, &from, NODE, data, len);
}

static void meet(struct hostile_peer *peer, struct program *p) {
    if (peer->link != NULL) link_close(peer->link, stage_now(&world.stage));
    struct ban *bans = world.node->node->bans;
    if (next(p) & 1 && bans != NULL) memset(bans, 0, BANS_MAX * sizeof *bans);
    hostile_meet(peer, world.node, &recorded[next(p) & 1].broadcast);
}

static void publish(struct program *p) {
    unsigned track = next(p) & 1;
    if (!world.is_source || world.published[track] == RECORDED) return;
    struct chunk *c = recorded[0].chunks[track][world.published[track]++];
    int err = node_publish(world.node->node, 0, c, stage_now(&world.stage));
    assert(err == 0);
    network_wake(world.stage.network, NODE);
}

static void tell_node(struct program *p) {
    uint64_t now_us = stage_now(&world.stage);
    struct endpoint endpoint = network_endpoint(world.stage.network, 2 + next(p) % 30);
    struct public_key key = fuzz_key(next(p)).public;
    switch (next(p) % 3) {
    case 0: node_peer_found(world.node->node, 0, &key, &endpoint, now_us); break;
    case 1: node_hint(world.node->node, 0, &endpoint, now_us); break;
    default: node_set_utc(world.node->node, STAGE_UTC_US + now_us, now_us);
    }
    network_wake(world.stage.network, NODE);
}

static void run_op(struct program *p) {
    uint8_t op = next(p);
    struct hostile_peer *peer = world.peers[op >> 7];
    switch (op % 18) {
    case 0: send_filled(peer, p); break;
    case 1: send_raw(peer, p); break;
    case 2: hostile_send_chunk_head(peer, next_chunk(p)); break;
    case 3: send_cell(peer, p); break;
    case 4: hostile_send_chunk(peer, next_chunk(p)); break;
    case 5: send_raw_cell(peer, p); break;
    case 6: send_subscribe(peer, p); break;
    case 7: send_request(peer, p); break;
    case 8: send_have(peer, p); break;
    case 9: send_gap(peer, p); break;
    case 10: send_grant(peer, p); break;
    case 11: peer->react = next(p) & 1 ? hostile_grants_all : NULL; break;
    case 12: inject(p); break;
    case 13: meet(peer, p); break;
    case 14: publish(p); break;
    case 15: tell_node(p); break;
    case 16: hostile_join(peer, &recorded[next(p) & 1].broadcast); break;
    default: stage_run(&world.stage, (1u + next(p)) * 3 * US_PER_MS); return;
    }
    stage_run(&world.stage, US_PER_MS);
}

static void check_window(const struct window *w) {
    size_t bytes = 0, stragglers = 0;
    for (size_t i = 0; i < w->chunks_capacity; i++) {
        const struct chunk *c = w->chunks[i];
        if (c == NULL) continue;
        uint32_t number = c->head->number;
        assert(w->has_newest && number <= w->newest && number >= window_oldest(w));
        assert(number % w->chunks_capacity == i);
        assert(chunk_is_complete(c) || window_find(w, number) != NULL);
        bytes += chunk_size(c);
    }
    assert(bytes == w->bytes);
    for (size_t i = 0; w->slots != NULL && i < w->slots_capacity + WINDOW_STRAGGLERS; i++) {
        const struct slot *s = &w->slots[i];
        if (!s->is_used) continue;
        stragglers += i >= w->slots_capacity;
        assert(window_find(w, s->number) == s && window_chunk(w, s->number) == s->chunk);
    }
    assert(stragglers == w->stragglers);
}

static bool is_neighbour(const struct channel *c, const struct neighbour *nb) {
    for (size_t i = 0; i < c->neighbours_len; i++)
        if (c->neighbours[i] == nb) return true;
    return false;
}

static void check_supplies(const struct channel *c, const struct stream *s) {
    for (unsigned i = 0; i < SUPPLIES; i++) {
        const struct supply *supply = &s->supplies[i];
        assert(supply->parent == NULL || is_neighbour(c, supply->parent));
        assert(supply->next == NULL || is_neighbour(c, supply->next));
        assert(supply->parent == NULL || supply->parent != supply->next);
        assert(supply->ancestors_len <= ANCESTORS_MAX);
        const struct neighbour *nb = supply->parent;
        if (nb == NULL) continue;
        const struct neighbour_stream *ns = &nb->streams[s->track];
        assert(i == SUPPLY_HEADS ? ns->asked_heads : ns->asked >> i & 1);
    }
}

static void check_neighbour(const struct neighbour *nb) {
    unsigned pending = 0;
    for (size_t i = 0; nb->pending != NULL && i < PENDING_CELLS_MAX; i++)
        pending += nb->pending[i].payload != NULL;
    assert(pending == nb->pending_len);
    for (size_t i = 0; i < SEND_CLASSES; i++) assert(nb->queue.rings[i].len <= SEND_QUEUE_MAX);
    assert(peer_neighbour(nb->peer, nb->channel->index) == nb && nb->index == nb->channel->index);
    for (size_t t = 0; t < nb->streams_len; t++)
        assert((nb->streams[t].granted & ~nb->streams[t].asked) == 0);
}

static void check_node(const struct node *n) {
    const struct channel *c = n->channels[0];
    size_t bytes = 0, newest = 0;
    assert(c->neighbours_len <= NEIGHBOURS_MAX && c->sampler.len <= CANDIDATES_MAX);
    assert(n->events_len <= EVENTS_MAX && n->hints_len <= HINTS_MAX && !n->has_doomed);
    for (size_t i = 0; i < c->neighbours_len; i++) check_neighbour(c->neighbours[i]);
    for (size_t t = 0; t < c->streams_len; t++) {
        const struct window *w = &c->streams[t].window;
        check_window(w);
        check_supplies(c, &c->streams[t]);
        bytes += w->bytes;
        const struct chunk *last = window_chunk(w, w->newest);
        if (last != NULL) newest += chunk_size(last);
    }
    /* The newest chunk of each track is kept whatever it takes. */
    assert(bytes <= size_max(n->memory_max, newest));
    struct node_channel_stats stats;
    node_channel_stats(n, 0, &stats);
}

static void start_world(uint8_t kind) {
    memset(&world.published, 0, sizeof world.published);
    world.generation = 0;
    stage_init(&world.stage, 1, DELAY_US);
    struct node_config config = {.role = ROLE_VIEWER, .max_upload_bps = NODE_UPLOAD_UNLIMITED};
    world.is_source = kind % 4 == 3;
    if (world.is_source) config.role = ROLE_SOURCE;
    if (kind % 4 == 2) config.role = ROLE_RELAY;
    if (kind % 4 == 2) config.memory_max = MEMORY_MAX;
    if (kind & 0x80) config.max_upload_bps = (kind >> 2 & 15) * 100000ull;
    world.node = stage_node_as(&world.stage, NODE, &recorded[0].broadcast, &config, true,
                               kind % 4 != 2, kind & 0x40);
    if (world.is_source) {
        const struct broadcast *b = &recorded[0].broadcast;
        int err = node_set_manifest(world.node->node, 0, b->manifest_bytes, b->manifest_len, 0);
        assert(err == 0);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        world.peers[i] = stage_hostile(&world.stage, 2 + i);
        world.peers[i]->react = hostile_grants_all;
        hostile_meet(world.peers[i], world.node, &recorded[0].broadcast);
    }
    stage_run(&world.stage, 4 * DELAY_US);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (recorded[0].number == 0) {
        fuzz_start();
        for (unsigned i = 0; i < 2; i++) {
            recorded[i].video_len = 3000;
            recorded[i].keyint = 5;
            origin_record(&recorded[i], 7 + i, RECORDED, STAGE_UTC_US);
        }
    }
    struct program p = {.at = data, .end = data + size};
    start_world(next(&p));
    for (unsigned i = 0; i < OPS_MAX && p.at < p.end; i++) {
        run_op(&p);
        check_node(world.node->node);
        for (unsigned k = 0; k < PEERS; k++)
            if (world.peers[k]->kept_len > HOSTILE_KEPT_MAX / 2) hostile_forget(world.peers[k]);
    }
    stage_run(&world.stage, US_PER_S);
    check_node(world.node->node);
    stage_release(&world.stage);
    return 0;
}
