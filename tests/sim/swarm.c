#include "tests/sim/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/swarm/publisher.h"
#include "tests/sim/content.h"

#define UTC_START_US 1700000000000000ull /* of virtual time 0 */
#define INIT_TEXT "an initialisation segment"
#define AUDIO_BPS 128000u
#define AUDIO_US 106667u

struct peer_state {
    struct swarm *swarm;
    unsigned number;
    bool is_up;
    struct sign_key identity;
    struct node *node;
    int channel;
    uint64_t started_us;
    struct swarm_peer seen;
    struct holder holder; /* its newest announcement */
    bool has_announced;
};

/* A look-up on its way. */
struct lookup {
    struct lookup *next; /* of the swarm's */
    bool is_done;
    struct peer_state *peer;
    uint64_t started_us; /* of the node that asked: void where the peer was restarted since */
};

struct swarm {
    struct swarm_scenario scenario;
    struct network *network;
    struct rng rng;
    struct random random;
    struct sign_key channel_key;
    struct read_key read_key;
    struct sign_key broadcast_key;
    struct manifest manifest;
    struct publisher publisher;
    uint64_t broadcast_us; /* when the current broadcast began */
    uint64_t frame, audio_frame;
    uint64_t media_bytes;
    bool has_ended;
    struct lookup *lookups;
    struct peer_state peers[SWARM_PEERS_MAX];
};

struct swarm_scenario swarm_scenario_default(void) {
    return (struct swarm_scenario){
        .peers = 20,
        .seed = 1,
        .delay_least_us = 5 * US_PER_MS,
        .delay_most_us = 60 * US_PER_MS,
        .jitter_us = 3 * US_PER_MS,
        .loss = 0.005,
        .bitrate_bps = 3000000,
        .fps = 30,
        .keyframe_ratio = 4,
        .has_audio = true,
        .join_spread_us = 2 * US_PER_S,
        .find_us = 250 * US_PER_MS,
    };
}

static void fail(const char *what) {
    fprintf(stderr, "simulation: %s\n", what);
    abort();
}

static uint64_t utc(const struct swarm *s) { return UTC_START_US + network_now(s->network); }

/* --- the media, made up --- */

static int emit(void *ctx, struct chunk *chunk) {
    struct swarm *s = ctx;
    struct peer_state *p = &s->peers[0];
    int err = node_publish(p->node, p->channel, chunk, network_now(s->network));
    s->media_bytes += chunk->head->size;
    chunk_unref(chunk);
    return err;
}

static void publish(struct swarm *s, uint8_t track, bool random_access, uint64_t pts_us,
                    uint64_t duration_us, size_t len) {
    struct fragment *f = fragment_new(len);
    if (f == NULL) fail("no memory");
    f->track = track;
    f->random_access = random_access;
    f->pts_us = pts_us;
    f->duration_us = (uint32_t)duration_us;
    f->capture_us = utc(s);
    f->end = len == 0;
    content_fill(f);
    if (publisher_cut(&s->publisher, f, emit, s) < 0) fail("the source cannot publish");
    fragment_unref(f);
    network_wake(s->network, 0);
}

/* The mean over a group of pictures is the bit rate; a keyframe takes its ratio of it. */
static size_t frame_size(const struct swarm_scenario *c, uint64_t frame) {
    double mean = (double)c->bitrate_bps / 8 / c->fps;
    double key = mean * c->keyframe_ratio;
    if (frame % c->fps == 0) return (size_t)key;
    return (size_t)((mean * c->fps - key) / (c->fps - 1));
}

static void on_frame(void *ctx) {
    struct swarm *s = ctx;
    const struct swarm_scenario *c = &s->scenario;
    if (!s->peers[0].is_up || s->has_ended) return;
    if (network_now(s->network) < s->broadcast_us + s->frame * US_PER_S / c->fps) return;
    publish(s, 0, s->frame % c->fps == 0, s->frame * US_PER_S / c->fps, US_PER_S / c->fps,
            frame_size(c, s->frame));
    s->frame++;
    network_at(s->network, s->broadcast_us + s->frame * US_PER_S / c->fps, on_frame, s);
}

static void on_audio(void *ctx) {
    struct swarm *s = ctx;
    if (!s->peers[0].is_up || s->has_ended) return;
    if (network_now(s->network) < s->broadcast_us + s->audio_frame * AUDIO_US) return;
    publish(s, 1, true, s->audio_frame * AUDIO_US, AUDIO_US, AUDIO_BPS / 8 * AUDIO_US / US_PER_S);
    s->audio_frame++;
    network_at(s->network, s->broadcast_us + s->audio_frame * AUDIO_US, on_audio, s);
}

static void go_on_air(struct swarm *s) {
    struct peer_state *p = &s->peers[0];
    uint8_t encoded[MANIFEST_SIZE_MAX];
    uint64_t now_us = network_now(s->network);
    sign_key_generate(&s->broadcast_key, &s->random);
    s->manifest.broadcast = utc(s) / US_PER_MS;
    s->manifest.broadcast_key = s->broadcast_key.public;
    int len = manifest_sign(&s->manifest, &s->channel_key, encoded, sizeof encoded);
    if (len < 0 || node_set_manifest(p->node, p->channel, encoded, (size_t)len, now_us))
        fail("no manifest");
    publisher_init(&s->publisher, s->manifest.broadcast, &s->broadcast_key,
                   s->scenario.is_private ? &s->read_key : NULL);
    s->broadcast_us = now_us;
    s->frame = s->audio_frame = 0;
    on_frame(s);
    if (s->scenario.has_audio) on_audio(s);
}

/* --- peers --- */

static void on_found(void *ctx) {
    struct lookup *l = ctx;
    struct peer_state *p = l->peer;
    struct swarm *s = p->swarm;
    l->is_done = true;
    if (!p->is_up || p->started_us != l->started_us) return;
    for (unsigned i = 0; i < s->scenario.peers; i++)
        if (i != p->number && s->peers[i].has_announced)
            node_holders_found(p->node, p->channel, &s->peers[i].holder, 1,
                               network_now(s->network));
    network_wake(s->network, p->number);
}

static void look_up(struct peer_state *p) {
    struct swarm *s = p->swarm;
    struct lookup *l = s->lookups;
    while (l != NULL && !l->is_done) l = l->next;
    if (l == NULL) {
        l = malloc(sizeof *l);
        if (l == NULL) fail("no memory");
        l->next = s->lookups;
        s->lookups = l;
    }
    *l = (struct lookup){.next = l->next, .peer = p, .started_us = p->started_us};
    uint64_t at_us = network_now(p->swarm->network) + p->swarm->scenario.find_us;
    network_at(p->swarm->network, at_us, on_found, l);
}

static void take_fragment(struct peer_state *p, struct fragment *f) {
    p->seen.fragments++;
    p->seen.fragments_wrong += !content_is_genuine(f);
    p->seen.discontinuities += f->discontinuity;
    if (p->seen.start_us == 0) p->seen.start_us = network_now(p->swarm->network) - p->started_us;
    fragment_unref(f);
}

static void take_events(struct peer_state *p) {
    struct node_event e;
    while (node_next_event(p->node, &e)) {
        if (e.type == NODE_EVENT_FRAGMENT) take_fragment(p, e.fragment);
        if (e.type == NODE_EVENT_END) p->seen.has_ended = true;
        if (e.type == NODE_EVENT_FIND) look_up(p);
        if (e.type == NODE_EVENT_ANNOUNCE) {
            p->holder = e.holder;
            p->has_announced = true;
        }
    }
}

static void host_receive(void *ctx, const struct datagram *d, uint64_t now_us) {
    struct peer_state *p = ctx;
    node_receive(p->node, d, now_us);
    take_events(p);
}

static void host_expire(void *ctx, uint64_t now_us) {
    struct peer_state *p = ctx;
    node_expire(p->node, now_us);
    take_events(p);
}

static uint64_t host_deadline(void *ctx) {
    struct peer_state *p = ctx;
    return node_deadline(p->node);
}

static size_t host_transmit(void *ctx, struct datagram *ret, uint64_t now_us) {
    struct peer_state *p = ctx;
    return node_transmit(p->node, ret, now_us);
}

static void start_node(struct peer_state *p) {
    struct swarm *s = p->swarm;
    bool is_source = p->number == 0;
    uint64_t upload = is_source ? s->scenario.source_upload_bps : s->scenario.upload_bps;
    uint8_t seed[RANDOM_SEED_BYTES];
    random_bytes(&s->random, seed, sizeof seed);
    struct node_config config = {
        .identity = &p->identity,
        .random = random_from_seed(seed),
        .seed = rng_u64(&s->rng),
        .role = is_source ? ROLE_SOURCE : ROLE_VIEWER,
        .max_upload_bps = upload == 0 ? NODE_UPLOAD_UNLIMITED : upload,
    };
    p->started_us = network_now(s->network);
    p->node = node_new(&config, p->started_us);
    if (p->node == NULL) fail("no memory");
    p->channel = node_join(p->node, &s->channel_key.public,
                           s->scenario.is_private ? &s->read_key : NULL, !is_source, p->started_us);
    if (p->channel < 0) fail("cannot join");
    struct endpoint endpoint = network_endpoint(s->network, p->number);
    node_set_utc(p->node, utc(s), p->started_us);
    node_set_endpoints(p->node, &endpoint, 1);
}

static void start_peer(struct peer_state *p) {
    struct swarm *s = p->swarm;
    start_node(p);
    memset(&p->seen, 0, sizeof p->seen);
    p->is_up = true;
    network_attach(s->network, p->number,
                   &(struct network_host){.context = p,
                                          .receive = host_receive,
                                          .expire = host_expire,
                                          .deadline = host_deadline,
                                          .transmit = host_transmit});
    if (p->number == 0) go_on_air(s);
    network_wake(s->network, p->number);
}

static void on_start(void *ctx) { start_peer(ctx); }

/* --- the swarm --- */

static void describe(struct swarm *s) {
    struct manifest *m = &s->manifest;
    m->version = 1;
    m->expires_s = UTC_START_US / US_PER_S + 86400;
    m->flags = s->scenario.is_private ? MANIFEST_PRIVATE : 0;
    m->tracks_len = s->scenario.has_audio ? 2 : 1;
    m->tracks[0] = (struct track){.kind = TRACK_VIDEO,
                                  .codec = "avc1.64001f",
                                  .bitrate_bps = s->scenario.bitrate_bps,
                                  .width = 1280,
                                  .height = 720,
                                  .fps_num = (uint16_t)s->scenario.fps,
                                  .fps_den = 1};
    m->tracks[1] = (struct track){.kind = TRACK_AUDIO,
                                  .codec = "mp4a.40.2",
                                  .bitrate_bps = AUDIO_BPS,
                                  .sample_rate = 48000,
                                  .channels = 2};
    for (size_t t = 0; t < m->tracks_len; t++) {
        m->tracks[t].init_len = sizeof INIT_TEXT;
        memcpy(m->tracks[t].init, INIT_TEXT, sizeof INIT_TEXT);
    }
}

static void lay_paths(struct swarm *s) {
    const struct swarm_scenario *c = &s->scenario;
    uint64_t range_us = c->delay_most_us - c->delay_least_us + 1;
    for (unsigned a = 0; a < c->peers; a++)
        for (unsigned b = a + 1; b < c->peers; b++) {
            struct network_path path = {.jitter_us = c->jitter_us, .loss = c->loss};
            path.delay_us = c->delay_least_us + rng_below(&s->rng, range_us);
            network_set_path(s->network, a, b, &path);
            network_set_path(s->network, b, a, &path);
        }
}

struct swarm *swarm_new(const struct swarm_scenario *scenario) {
    struct swarm *s = calloc(1, sizeof *s);
    if (s == NULL || scenario->peers > SWARM_PEERS_MAX) fail("no memory, or too many peers");
    if (random_start()) fail("no random numbers");
    s->scenario = *scenario;
    s->rng = rng_init(scenario->seed);
    uint8_t seed[RANDOM_SEED_BYTES] = {0};
    uint64_t number = rng_u64(&s->rng);
    memcpy(seed, &number, sizeof number);
    s->random = random_from_seed(seed);
    s->network = network_new(scenario->seed, scenario->peers, &(struct network_path){0});
    if (s->network == NULL) fail("no memory");
    lay_paths(s);
    sign_key_generate(&s->channel_key, &s->random);
    read_key_generate(&s->read_key, &s->random);
    describe(s);
    for (unsigned i = 0; i < scenario->peers; i++) {
        struct peer_state *p = &s->peers[i];
        p->swarm = s;
        p->number = i;
        sign_key_generate(&p->identity, &s->random);
        uint64_t at_us = i == 0 ? 1 : 1 + rng_below(&s->rng, scenario->join_spread_us + 1);
        network_at(s->network, at_us, on_start, p);
    }
    return s;
}

void swarm_free(struct swarm *s) {
    if (s == NULL) return;
    for (unsigned i = 0; i < s->scenario.peers; i++) node_free(s->peers[i].node);
    network_free(s->network);
    while (s->lookups != NULL) {
        struct lookup *next = s->lookups->next;
        free(s->lookups);
        s->lookups = next;
    }
    free(s);
}

void swarm_run(struct swarm *s, uint64_t for_us) {
    (void)network_run(s->network, network_now(s->network) + for_us, NULL, NULL);
}

uint64_t swarm_now(const struct swarm *s) { return network_now(s->network); }
struct network *swarm_network(struct swarm *s) {
    return s->network;
}
bool swarm_is_up(const struct swarm *s, unsigned peer) { return s->peers[peer].is_up; }
struct node *swarm_node(struct swarm *s, unsigned peer) {
    return s->peers[peer].node;
}
uint64_t swarm_media_bytes(const struct swarm *s) { return s->media_bytes; }
uint64_t swarm_trace(const struct swarm *s) { return network_trace(s->network); }

void swarm_kill(struct swarm *s, unsigned peer) {
    struct peer_state *p = &s->peers[peer];
    if (!p->is_up) return;
    p->is_up = false;
    network_detach(s->network, peer);
    node_free(p->node);
    p->node = NULL;
}

void swarm_restart(struct swarm *s, unsigned peer) {
    swarm_kill(s, peer);
    s->peers[peer].has_announced = false;
    start_peer(&s->peers[peer]);
}

void swarm_end(struct swarm *s) {
    publish(s, 0, false, s->frame * US_PER_S / s->scenario.fps, 0, 0);
    if (s->scenario.has_audio) publish(s, 1, false, s->audio_frame * AUDIO_US, 0, 0);
    s->has_ended = true;
}

unsigned swarm_serving_peer(struct swarm *s) {
    unsigned first = (unsigned)rng_below(&s->rng, s->scenario.peers);
    for (unsigned i = 0; i < s->scenario.peers; i++) {
        unsigned at = (first + i) % s->scenario.peers;
        if (at == 0 || !s->peers[at].is_up) continue;
        struct node_channel_stats stats;
        node_channel_stats(s->peers[at].node, s->peers[at].channel, &stats);
        if (stats.children > 0) return at;
    }
    return 0;
}

struct swarm_peer swarm_peer(struct swarm *s, unsigned peer) {
    struct peer_state *p = &s->peers[peer];
    if (p->node != NULL) {
        node_channel_stats(p->node, p->channel, &p->seen.stats);
        node_stats(p->node, &p->seen.node);
    }
    return p->seen;
}
