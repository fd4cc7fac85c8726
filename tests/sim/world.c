#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/tags.h"
#include "tests/sim/world_internal.h"

void world_fail(const char *what) {
    fprintf(stderr, "simulation: %s\n", what);
    abort();
}

void *world_allocate(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size);
    if (p == NULL) world_fail("no memory");
    return p;
}

static uint64_t seconds_us(double s) { return (uint64_t)(s * (double)US_PER_S); }

static void make_keys(struct world *w) {
    uint8_t seed[RANDOM_SEED_BYTES] = {0};
    uint64_t number = rng_u64(&w->rng);
    memcpy(seed, &number, sizeof number);
    tags_use(w->scenario.crypto);
    if (random_start()) world_fail("no random numbers");
    w->random = random_from_seed(seed);
    sign_key_generate(&w->channel_key, &w->random);
    read_key_generate(&w->read_key, &w->random);
}

static void make_residents(struct world *w) {
    w->residents = world_allocate(w->places, sizeof *w->residents);
    for (unsigned i = 0; i < w->places; i++) {
        w->residents[i].world = w;
        w->residents[i].number = i;
        w->residents[i].rng = rng_split(&w->rng);
    }
}

struct world *world_new(const struct scenario *scenario, uint64_t seed) {
    struct world *w = world_allocate(1, sizeof *w);
    w->scenario = *scenario;
    w->seed = seed;
    w->rng = rng_init(seed);
    w->media_rng = rng_split(&w->rng);
    w->places = scenario->peers;
    w->stream_bps = (uint64_t)(scenario->bitrate + scenario->audio);
    if (w->stream_bps == 0) world_fail("neither picture nor sound");
    w->window_us = seconds_us(scenario->warmup);
    w->end_us = w->window_us + seconds_us(scenario->seconds);
    w->network = network_new(seed, w->places, &(struct network_path){0});
    w->pool = chunk_pool_new();
    if (w->network == NULL || w->pool == NULL) world_fail("no memory");
    w->records = world_allocate(RECORDS_MAX, sizeof *w->records);
    make_keys(w);
    make_residents(w);
    plan_lay_out(w);
    if (!scenario->crypto) network_set_processing(w->network, tags_take_cost_ns);
    media_describe(w);
    measure_start(w);
    liars_prepare(w);
    peers_schedule(w);
    return w;
}

void world_free(struct world *w) {
    if (w == NULL) return;
    for (unsigned i = 0; i < w->places; i++) node_free(w->residents[i].node);
    network_free(w->network);
    liars_release(w);
    chunk_pool_free(w->pool);
    measure_release(w);
    records_release(w);
    free(w->residents);
    free(w);
}

void world_run(struct world *w, uint64_t until_us) {
    (void)network_run(w->network, until_us, NULL, NULL);
}

void world_run_all(struct world *w) { world_run(w, w->end_us); }
uint64_t world_now(const struct world *w) { return network_now(w->network); }
struct network *world_network(struct world *w) {
    return w->network;
}
unsigned world_peers(const struct world *w) { return w->places; }
bool world_is_up(const struct world *w, unsigned peer) { return w->residents[peer].is_up; }
struct node *world_node(struct world *w, unsigned peer) {
    return w->residents[peer].node;
}
void world_kill(struct world *w, unsigned peer) { peers_stop(&w->residents[peer], false); }

void world_restart(struct world *w, unsigned peer) {
    world_kill(w, peer);
    peers_start(&w->residents[peer]);
}

uint64_t world_media_bytes(const struct world *w) { return w->media_bytes; }
uint64_t world_trace(const struct world *w) { return network_trace(w->network); }

unsigned world_serving_peer(struct world *w) {
    unsigned first = (unsigned)rng_below(&w->rng, w->places);
    for (unsigned i = 0; i < w->places; i++) {
        unsigned at = (first + i) % w->places;
        const struct resident *p = &w->residents[at];
        if (at == 0 || !p->is_up) continue;
        struct node_channel_stats stats;
        node_channel_stats(p->node, p->channel, &stats);
        if (stats.children > 0) return at;
    }
    return 0;
}
