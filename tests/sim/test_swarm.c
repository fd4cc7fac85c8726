/* Invariants of a small swarm over many seeds. A failing seed is named; SEED=n runs it alone, and
 * SEEDS=n tries more of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/swarm.h"

#define JOINED_US (5 * US_PER_S)

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Calls `run` with each seed, or with the one that SEED names. */
static void over_seeds(uint64_t seeds, void (*run)(uint64_t seed)) {
    uint64_t only = number_of("SEED", 0);
    seeds = number_of("SEEDS", seeds);
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++) run(seed);
}

static void expect_genuine(struct swarm *s, unsigned peer, uint64_t seed) {
    struct swarm_peer p = swarm_peer(s, peer);
    cr_expect_eq(p.fragments_wrong, 0, "SEED=%llu peer %u", (unsigned long long)seed, peer);
    cr_expect_gt(p.fragments, 0, "SEED=%llu peer %u", (unsigned long long)seed, peer);
    cr_expect_eq(p.stats.peers_banned, 0, "SEED=%llu peer %u", (unsigned long long)seed, peer);
}

static void expect_nothing_missed(struct swarm *s, unsigned peers, uint64_t seed) {
    for (unsigned i = 1; i < peers; i++) {
        if (!swarm_is_up(s, i)) continue;
        struct swarm_peer p = swarm_peer(s, i);
        cr_expect_eq(p.stats.chunks_missed, 0, "SEED=%llu peer %u missed %llu",
                     (unsigned long long)seed, i, (unsigned long long)p.stats.chunks_missed);
        expect_genuine(s, i, seed);
    }
}

/* One line of figures; `make sim` leaves them in the log. */
static void report(struct swarm *s, unsigned peers, uint64_t seed) {
    uint64_t in = 0, out = 0, duplicate = 0, lag_us = 0, worst_us = 0, viewers = 0;
    for (unsigned i = 0; i < peers; i++) {
        if (!swarm_is_up(s, i)) continue;
        struct swarm_peer p = swarm_peer(s, i);
        out += p.node.links.bytes_out + 28 * p.node.links.datagrams_out;
        in += p.stats.media_in;
        duplicate += p.stats.duplicate_in;
        lag_us += p.stats.lag_p50_us;
        worst_us = u64_max(worst_us, p.stats.lag_p99_us);
        viewers += i > 0;
    }
    struct swarm_peer source = swarm_peer(s, 0);
    printf("SEED=%llu overhead %.1f %% duplicates %.1f %% source upload %.2f lag p50 %llu ms, "
           "worst p99 %llu ms\n",
           (unsigned long long)seed, 100 * ((double)out / (double)in - 1),
           100 * (double)duplicate / (double)in,
           (double)source.node.media_out / (double)swarm_media_bytes(s),
           (unsigned long long)(lag_us / viewers / 1000), (unsigned long long)(worst_us / 1000));
}

static void twenty_peers(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, 20 * US_PER_S);
    expect_nothing_missed(s, c.peers, seed);
    struct swarm_peer source = swarm_peer(s, 0);
    report(s, c.peers, seed);
    cr_expect_lt(source.node.media_out, 6 * swarm_media_bytes(s),
                 "SEED=%llu: the peers do not serve each other", (unsigned long long)seed);
    swarm_free(s);
}

Test(swarm, of_twenty_peers_nobody_misses_anything) { over_seeds(5, twenty_peers); }

/* The source and four peers: each has three neighbours that serve. */
static void one_of_three_killed(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.peers = 5;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, JOINED_US);
    unsigned victim = swarm_serving_peer(s);
    cr_expect_neq(victim, 0, "SEED=%llu: nobody serves", (unsigned long long)seed);
    swarm_kill(s, victim);
    swarm_run(s, 4 * US_PER_S);
    expect_nothing_missed(s, c.peers, seed);
    swarm_free(s);
}

Test(swarm, misses_nothing_when_one_of_three_serving_neighbours_is_killed) {
    over_seeds(100, one_of_three_killed);
}

static void source_restarted(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.peers = 6;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, JOINED_US);
    struct swarm_peer before = swarm_peer(s, 1);
    swarm_kill(s, 0);
    swarm_run(s, 3 * US_PER_S);
    swarm_restart(s, 0);
    swarm_run(s, 10 * US_PER_S);
    for (unsigned i = 1; i < c.peers; i++) {
        struct swarm_peer p = swarm_peer(s, i);
        cr_expect_gt(p.stats.broadcast, before.stats.broadcast, "SEED=%llu peer %u",
                     (unsigned long long)seed, i);
        cr_expect(p.stats.on_air, "SEED=%llu peer %u", (unsigned long long)seed, i);
        cr_expect_gt(p.fragments, before.fragments + 100, "SEED=%llu peer %u",
                     (unsigned long long)seed, i);
        expect_genuine(s, i, seed);
    }
    swarm_free(s);
}

Test(swarm, goes_on_when_the_source_comes_back) { over_seeds(10, source_restarted); }

static void ended(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.peers = 6;
    c.is_private = true;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, JOINED_US);
    swarm_end(s);
    swarm_run(s, 3 * US_PER_S);
    for (unsigned i = 1; i < c.peers; i++)
        cr_expect(swarm_peer(s, i).has_ended, "SEED=%llu peer %u", (unsigned long long)seed, i);
    expect_nothing_missed(s, c.peers, seed);
    swarm_free(s);
}

Test(swarm, of_a_private_channel_plays_to_the_signed_end) { over_seeds(10, ended); }

static void keyframes(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.peers = 8;
    c.keyframe_ratio = 8;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, 10 * US_PER_S);
    expect_nothing_missed(s, c.peers, seed);
    swarm_free(s);
}

Test(swarm, carries_keyframes_of_eight_times_the_mean) { over_seeds(5, keyframes); }

/* Twice the stream from each viewer, three times from the source, and all come within two seconds:
 * what is missed then (some 2 %) stays what it was. Requests made it ever more once. */
static void short_uplinks(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.source_upload_bps = 9000000;
    c.upload_bps = 6000000;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, 12 * US_PER_S);
    uint64_t missed[SWARM_PEERS_MAX];
    for (unsigned i = 1; i < c.peers; i++) missed[i] = swarm_peer(s, i).stats.chunks_missed;
    swarm_run(s, 8 * US_PER_S);
    for (unsigned i = 1; i < c.peers; i++)
        cr_expect_leq(swarm_peer(s, i).stats.chunks_missed, missed[i] + 1, "SEED=%llu peer %u",
                      (unsigned long long)seed, i);
    report(s, c.peers, seed);
    swarm_free(s);
}

Test(swarm, settles_where_uplinks_are_short) { over_seeds(3, short_uplinks); }

static uint64_t trace_of(uint64_t seed) {
    struct swarm_scenario c = swarm_scenario_default();
    c.seed = seed;
    c.peers = 8;
    struct swarm *s = swarm_new(&c);
    swarm_run(s, JOINED_US);
    swarm_kill(s, swarm_serving_peer(s));
    swarm_run(s, 2 * US_PER_S);
    uint64_t trace = swarm_trace(s);
    swarm_free(s);
    return trace;
}

Test(swarm, gives_the_same_trace_for_the_same_seed) {
    cr_expect_eq(trace_of(1), trace_of(1));
    cr_expect_neq(trace_of(1), trace_of(2));
}
