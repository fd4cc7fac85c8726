#include "tests/lib/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_SEED 1 /* every broadcast of these tests is of one channel */

void stage_init(struct stage *s, uint64_t seed, uint64_t delay_us) {
    int err = random_start();
    assert(err == 0);
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->network = network_new(seed, STAGE_HOSTS, &(struct network_path){.delay_us = delay_us});
}

void stage_release(struct stage *s) {
    for (unsigned i = 0; i < STAGE_HOSTS; i++) {
        stage_kill(s, &s->actors[i]);
        hostile_release(&s->hostiles[i]);
    }
    network_free(s->network);
}

uint64_t stage_now(const struct stage *s) { return network_now(s->network); }

void stage_run(struct stage *s, uint64_t for_us) {
    (void)network_run(s->network, stage_now(s) + for_us, NULL, NULL);
}

static void take_fragment(struct actor *a, struct fragment *f) {
    struct played *p = &a->played[f->track];
    uint32_t number = broadcast_number(f);
    if (f->end) {
        p->ends++;
    } else {
        p->wrong += !broadcast_is_true(f);
        if (p->fragments == 0) p->first = number;
        if (p->fragments > 0 && number <= p->last) p->disordered++;
        if (p->fragments > 0 && number > p->last + 1) p->skipped += number - p->last - 1;
        p->last = number;
        p->fragments++;
    }
    fragment_unref(f);
}

static void drain(struct actor *a) {
    struct node_event e;
    while (!a->holds_events && node_next_event(a->node, &e)) {
        switch (e.type) {
        case NODE_EVENT_MANIFEST:
            a->manifests++;
            a->broadcasts += e.new_broadcast;
            if (e.new_broadcast) memset(a->played, 0, sizeof a->played);
            break;
        case NODE_EVENT_FRAGMENT: take_fragment(a, e.fragment); break;
        case NODE_EVENT_END: a->ends++; break;
        case NODE_EVENT_FIND: a->finds++; break;
        case NODE_EVENT_ANNOUNCE: a->announces++; break;
        case NODE_EVENT_ANNOUNCE_ENTRY: a->entries++; break;
        case NODE_EVENT_PEER_UP: a->peers_up++; break;
        case NODE_EVENT_PEER_BANNED:
            a->bans++;
            a->banned = e.peer;
            a->ban_err = e.err;
            break;
        case NODE_EVENT_CLOCK: a->clocks++; break;
        default: break;
        }
    }
}

static void host_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct actor *a = context;
    node_receive(a->node, d, now_us);
    drain(a);
}

static void host_expire(void *context, uint64_t now_us) {
    struct actor *a = context;
    a->expiries++;
    node_expire(a->node, now_us);
    drain(a);
}

static uint64_t host_deadline(void *context) {
    return node_deadline(((const struct actor *)context)->node);
}

static size_t host_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    return node_transmit(((struct actor *)context)->node, ret, now_us);
}

static struct random random_of(uint64_t seed, unsigned host, const char *what) {
    uint8_t bytes[RANDOM_SEED_BYTES] = {0};
    memcpy(bytes, what, strlen(what));
    memcpy(bytes + 16, &seed, sizeof seed);
    memcpy(bytes + 24, &host, sizeof host);
    return random_from_seed(bytes);
}

struct actor *stage_node_as(struct stage *s, unsigned host, const struct broadcast *b,
                            const struct node_config *config, bool has_read_key, bool plays,
                            bool has_utc) {
    struct actor *a = &s->actors[host];
    assert(a->node == NULL);
    memset(a, 0, sizeof *a);
    a->stage = s;
    a->host = host;
    struct random random = random_of(s->seed, host, "identity");
    sign_key_generate(&a->identity, &random);
    struct node_config own = {.role = ROLE_VIEWER, .max_upload_bps = NODE_UPLOAD_UNLIMITED};
    if (config != NULL) own = *config;
    own.identity = &a->identity;
    own.random = random_of(s->seed ^ stage_now(s), host, "node");
    own.seed = s->seed * 1000 + host;
    a->node = node_new(&own, stage_now(s));
    assert(a->node != NULL);
    int channel = node_join(a->node, &b->channel_key.public, has_read_key ? &b->read_key : NULL,
                            plays, stage_now(s));
    assert(channel == 0);
    if (has_utc) node_set_utc(a->node, STAGE_UTC_US + stage_now(s), stage_now(s));
    network_attach(s->network, host,
                   &(struct network_host){.context = a,
                                          .receive = host_receive,
                                          .expire = host_expire,
                                          .deadline = host_deadline,
                                          .transmit = host_transmit});
    return a;
}

struct actor *stage_node(struct stage *s, unsigned host, const struct broadcast *b,
                         const struct node_config *config) {
    return stage_node_as(s, host, b, config, true, true, true);
}

void stage_kill(struct stage *s, struct actor *a) {
    if (a->node == NULL) return;
    network_detach(s->network, a->host);
    node_free(a->node);
    a->node = NULL;
}

static void introduce(struct actor *a, const struct public_key *peer, unsigned host) {
    struct network *n = a->stage->network;
    struct endpoint endpoint = network_endpoint(n, host);
    node_peer_found(a->node, 0, peer, &endpoint, network_now(n));
    network_wake(n, a->host);
}

void stage_introduce(struct actor *a, const struct actor *to) {
    introduce(a, &to->identity.public, to->host);
}

void stage_introduce_hostile(struct actor *a, const struct hostile_peer *p) {
    introduce(a, &p->identity.public, p->host);
}

struct node_channel_stats actor_stats(const struct actor *a) {
    struct node_channel_stats stats;
    node_channel_stats(a->node, 0, &stats);
    return stats;
}

struct hostile_peer *stage_hostile(struct stage *s, unsigned host) {
    hostile_init(&s->hostiles[host], s->seed * 1000 + host, s->network, host);
    return &s->hostiles[host];
}

void hostile_meet(struct hostile_peer *p, const struct actor *a, const struct broadcast *b) {
    hostile_dial(p, &a->identity.public, a->host);
    hostile_join(p, b);
}

/* Takes its own reference for the record. */
static int emit(void *ctx, struct chunk *chunk) {
    struct origin *src = ctx;
    uint8_t track = chunk->head->track;
    assert(src->chunks_len[track] < STAGE_CHUNKS_MAX);
    src->chunks[track][src->chunks_len[track]++] = chunk;
    if (src->actor == NULL) return 0;
    return node_publish(src->actor->node, 0, chunk, stage_now(src->stage));
}

static void cut(struct origin *src, struct fragment *f) {
    assert(f != NULL);
    int n = publisher_cut(&src->broadcast.publisher, f, emit, src);
    assert(n > 0);
    fragment_unref(f);
}

static void cut_next(struct origin *src, uint64_t utc_us) {
    bool random_access = src->number % src->keyint == 0;
    uint64_t capture_us = utc_us + (uint64_t)src->clock_error_us;
    cut(src, broadcast_fragment(BROADCAST_VIDEO, src->number,
                                random_access ? 4 * src->video_len : src->video_len, capture_us,
                                random_access));
    cut(src, broadcast_fragment(BROADCAST_AUDIO, src->number, src->audio_len,
                                capture_us - src->sound_us, true));
    src->number++;
}

static void publish(void *context) {
    struct origin *src = context;
    if (src->is_stopped || src->actor->node == NULL) return;
    uint64_t now_us = stage_now(src->stage);
    cut_next(src, STAGE_UTC_US + now_us);
    drain(src->actor);
    network_at(src->stage->network, now_us + BROADCAST_INTERVAL_US, publish, src);
    network_wake(src->stage->network, src->actor->host);
}

static void prepare(struct origin *src, uint64_t id, bool is_private, uint64_t utc_us) {
    if (src->video_len == 0) src->video_len = 9000; /* 2.4 Mb/s with the larger ones */
    if (src->audio_len == 0) src->audio_len = 500;
    if (src->keyint == 0) src->keyint = 15;
    broadcast_init(&src->broadcast, CHANNEL_SEED, id, is_private, utc_us);
}

void origin_start_on(struct origin *src, struct stage *s, struct actor *a, uint64_t id,
                     bool is_private) {
    prepare(src, id, is_private, STAGE_UTC_US);
    src->stage = s;
    src->actor = a;
    int err = node_set_manifest(a->node, 0, src->broadcast.manifest_bytes,
                                src->broadcast.manifest_len, stage_now(s));
    assert(err == 0);
    publish(src);
}

void origin_start(struct origin *src, struct stage *s, unsigned host, uint64_t id,
                  bool is_private) {
    struct broadcast channel;
    broadcast_init(&channel, CHANNEL_SEED, id, is_private, STAGE_UTC_US);
    struct node_config config = {.role = ROLE_SOURCE, .max_upload_bps = NODE_UPLOAD_UNLIMITED};
    struct actor *a = stage_node(s, host, &channel, &config);
    broadcast_release(&channel);
    origin_start_on(src, s, a, id, is_private);
}

void origin_record(struct origin *src, uint64_t id, uint32_t n, uint64_t utc_us) {
    prepare(src, id, false, utc_us);
    for (uint32_t i = 0; i < n; i++) cut_next(src, utc_us + i * BROADCAST_INTERVAL_US);
}

void origin_end(struct origin *src) {
    uint64_t utc_us = STAGE_UTC_US + stage_now(src->stage);
    cut(src, broadcast_end(BROADCAST_VIDEO, src->number, utc_us));
    cut(src, broadcast_end(BROADCAST_AUDIO, src->number, utc_us));
    src->is_stopped = true;
    drain(src->actor);
    network_wake(src->stage->network, src->actor->host);
}

void origin_stop(struct origin *src) { src->is_stopped = true; }

void origin_resume(struct origin *src) {
    src->is_stopped = false;
    publish(src);
}

void origin_release(struct origin *src) {
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < src->chunks_len[t]; i++) chunk_unref(src->chunks[t][i]);
    broadcast_release(&src->broadcast);
    memset(src, 0, sizeof *src);
}
