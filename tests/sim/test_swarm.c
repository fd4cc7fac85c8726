/* Invariants of a small swarm over many seeds. A failing seed is named; SEED=n runs it alone, and
 * SEEDS=n tries more of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

#define JOINED_US (5 * US_PER_S)
#define HARDLY_MISSED 10 /* chunks, of 20 peers' 30,000 */
#define MISSED_LATER 3   /* of 320 chunks: now and then a substream moves (one of 25 seeds: 2) */

/* Calls `run` with each seed, or with the one that SEED names. */
static void over_seeds(uint64_t seeds, void (*run)(uint64_t seed)) {
    uint64_t only = number_of("SEED", 0);
    seeds = number_of("SEEDS", seeds);
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++) run(seed);
}

/* Real keys and seals. Uplinks a hundred times the stream: nothing queues but for who says so. */
static struct scenario open_house(unsigned peers) {
    struct scenario s = scenario_default();
    s.peers = peers;
    s.crypto = true;
    s.keyframe_ratio = 4;
    s.audio = 128000;
    s.delay_mean = 32;
    s.delay_most = 60;
    s.jitter = 3;
    s.reorders = true;
    s.unreachable = 0;
    s.clock_skew = 0;
    s.join_spread = 2;
    s.session_median = 0;
    s.find_failure = 0;
    s.resource_index = 0;
    s.source_uplink = 100;
    s.classes_len = 1;
    s.classes[0] = (struct scenario_class){.share = 1, .ratio = 100};
    return s;
}

static struct node_channel_stats stats_of(struct world *w, unsigned peer) {
    struct node_channel_stats stats;
    node_channel_stats(world_node(w, peer), 0, &stats);
    return stats;
}

static void expect_genuine(struct world *w, unsigned peer, uint64_t seed) {
    struct world_peer p = world_peer(w, peer);
    cr_expect_eq(p.fragments_wrong, 0, "SEED=%llu peer %u", (unsigned long long)seed, peer);
    cr_expect_gt(p.fragments, 0, "SEED=%llu peer %u", (unsigned long long)seed, peer);
    cr_expect_eq(stats_of(w, peer).peers_banned, 0, "SEED=%llu peer %u", (unsigned long long)seed,
                 peer);
}

static void expect_nothing_missed(struct world *w, uint64_t seed) {
    for (unsigned i = 1; i < world_peers(w); i++) {
        if (!world_is_up(w, i)) continue;
        uint64_t missed = stats_of(w, i).chunks_missed;
        cr_expect_eq(missed, 0, "SEED=%llu peer %u missed %llu", (unsigned long long)seed, i,
                     (unsigned long long)missed);
        expect_genuine(w, i, seed);
    }
}

/* A peer may still lose a few chunks while all come at once: in one of ten seeds one does. */
static void expect_hardly_missed(struct world *w, uint64_t seed) {
    uint64_t missed = 0;
    for (unsigned i = 1; i < world_peers(w); i++) {
        missed += stats_of(w, i).chunks_missed;
        expect_genuine(w, i, seed);
    }
    cr_expect_leq(missed, HARDLY_MISSED, "SEED=%llu missed %llu", (unsigned long long)seed,
                  (unsigned long long)missed);
}

static uint64_t source_media_out(struct world *w) {
    struct node_stats stats;
    node_stats(world_node(w, 0), &stats);
    return stats.media_out;
}

/* One line of figures; `make sim` leaves them in the log. */
static void report(struct world *w, uint64_t seed) {
    uint64_t in = 0, out = 0, duplicate = 0, lag_us = 0, worst_us = 0, viewers = 0;
    for (unsigned i = 0; i < world_peers(w); i++) {
        if (!world_is_up(w, i)) continue;
        struct node_channel_stats stats = stats_of(w, i);
        struct node_stats node;
        node_stats(world_node(w, i), &node);
        out += node.links.bytes_out + 28 * node.links.datagrams_out;
        in += stats.media_in;
        duplicate += stats.duplicate_in;
        lag_us += stats.lag_p50_us;
        worst_us = u64_max(worst_us, stats.lag_p99_us);
        viewers += i > 0;
    }
    printf("SEED=%llu overhead %.1f %% duplicates %.1f %% source upload %.2f lag p50 %llu ms, "
           "worst p99 %llu ms\n",
           (unsigned long long)seed, 100 * ((double)out / (double)in - 1),
           100 * (double)duplicate / (double)in,
           (double)source_media_out(w) / (double)world_media_bytes(w),
           (unsigned long long)(lag_us / viewers / 1000), (unsigned long long)(worst_us / 1000));
}

static void twenty_peers(uint64_t seed) {
    struct scenario s = open_house(20);
    struct world *w = world_new(&s, seed);
    world_run(w, 20 * US_PER_S);
    expect_hardly_missed(w, seed);
    report(w, seed);
    cr_expect_lt(source_media_out(w), 6 * world_media_bytes(w),
                 "SEED=%llu: the peers do not serve each other", (unsigned long long)seed);
    world_free(w);
}

Test(swarm, of_twenty_peers_hardly_one_misses_anything) { over_seeds(5, twenty_peers); }

/* The source and four peers: each has three neighbours that serve. */
static void one_of_three_killed(uint64_t seed) {
    struct scenario s = open_house(5);
    struct world *w = world_new(&s, seed);
    world_run(w, JOINED_US);
    unsigned victim = world_serving_peer(w);
    cr_expect_neq(victim, 0, "SEED=%llu: nobody serves", (unsigned long long)seed);
    world_kill(w, victim);
    world_run(w, JOINED_US + 4 * US_PER_S);
    expect_nothing_missed(w, seed);
    world_free(w);
}

Test(swarm, misses_nothing_when_one_of_three_serving_neighbours_is_killed) {
    over_seeds(100, one_of_three_killed);
}

static void source_restarted(uint64_t seed) {
    struct scenario s = open_house(6);
    struct world *w = world_new(&s, seed);
    world_run(w, JOINED_US);
    uint64_t broadcast = stats_of(w, 1).broadcast, fragments = world_peer(w, 1).fragments;
    world_kill(w, 0);
    world_run(w, world_now(w) + 3 * US_PER_S);
    world_restart(w, 0);
    world_run(w, world_now(w) + 10 * US_PER_S);
    for (unsigned i = 1; i < world_peers(w); i++) {
        struct node_channel_stats stats = stats_of(w, i);
        cr_expect_gt(stats.broadcast, broadcast, "SEED=%llu peer %u", (unsigned long long)seed, i);
        cr_expect(stats.on_air, "SEED=%llu peer %u", (unsigned long long)seed, i);
        cr_expect_gt(world_peer(w, i).fragments, fragments + 100, "SEED=%llu peer %u",
                     (unsigned long long)seed, i);
        expect_genuine(w, i, seed);
    }
    world_free(w);
}

Test(swarm, goes_on_when_the_source_comes_back) { over_seeds(10, source_restarted); }

static void ended(uint64_t seed) {
    struct scenario s = open_house(6);
    s.private = true;
    struct world *w = world_new(&s, seed);
    world_run(w, JOINED_US);
    world_end(w);
    world_run(w, JOINED_US + 3 * US_PER_S);
    for (unsigned i = 1; i < world_peers(w); i++)
        cr_expect(world_peer(w, i).has_ended, "SEED=%llu peer %u", (unsigned long long)seed, i);
    expect_nothing_missed(w, seed);
    world_free(w);
}

Test(swarm, of_a_private_channel_plays_to_the_signed_end) { over_seeds(10, ended); }

static void keyframes(uint64_t seed) {
    struct scenario s = open_house(8);
    s.keyframe_ratio = 8;
    struct world *w = world_new(&s, seed);
    world_run(w, 10 * US_PER_S);
    expect_nothing_missed(w, seed);
    world_free(w);
}

Test(swarm, carries_keyframes_of_eight_times_the_mean) { over_seeds(5, keyframes); }

/* Twice the stream from each viewer, three times from the source, and all come within two seconds:
 * what is missed then (some 2 %) stays what it was. Requests made it ever more once. */
static void short_uplinks(uint64_t seed) {
    struct scenario s = open_house(20);
    s.declared = true;
    s.source_uplink = 3;
    s.classes[0].ratio = 2;
    struct world *w = world_new(&s, seed);
    world_run(w, 12 * US_PER_S);
    uint64_t missed[20];
    for (unsigned i = 1; i < world_peers(w); i++) missed[i] = stats_of(w, i).chunks_missed;
    world_run(w, 20 * US_PER_S);
    for (unsigned i = 1; i < world_peers(w); i++)
        cr_expect_leq(stats_of(w, i).chunks_missed, missed[i] + MISSED_LATER,
                      "SEED=%llu peer %u: %llu", (unsigned long long)seed, i,
                      (unsigned long long)(stats_of(w, i).chunks_missed - missed[i]));
    report(w, seed);
    world_free(w);
}

Test(swarm, settles_where_uplinks_are_short) { over_seeds(3, short_uplinks); }

static uint64_t trace_of(uint64_t seed) {
    struct scenario s = open_house(8);
    struct world *w = world_new(&s, seed);
    world_run(w, JOINED_US);
    world_kill(w, world_serving_peer(w));
    world_run(w, JOINED_US + 2 * US_PER_S);
    uint64_t trace = world_trace(w);
    world_free(w);
    return trace;
}

Test(swarm, gives_the_same_trace_for_the_same_seed) {
    cr_expect_eq(trace_of(1), trace_of(1));
    cr_expect_neq(trace_of(1), trace_of(2));
}

/* One of a serving viewer's children. Its parent dies. */
static unsigned orphan_one(struct world *w) {
    unsigned parent = world_serving_peer(w), child = 0;
    struct endpoint endpoint;
    cr_assert_eq(node_children(world_node(w, parent), 0, &endpoint, 1), 1);
    cr_assert(network_find(world_network(w), &endpoint, &child));
    world_kill(w, parent);
    return child;
}

/* Returns the orphan; what the peer `told` decides is written, where `to` is not NULL. */
static unsigned orphan_told(unsigned told, FILE *to, uint64_t *ret_trace) {
    struct scenario s = open_house(8);
    struct world *w = world_new(&s, 1);
    if (to != NULL) world_tell(w, told, to);
    world_run(w, JOINED_US);
    unsigned orphan = orphan_one(w);
    world_run(w, JOINED_US + 4 * US_PER_S);
    *ret_trace = world_trace(w);
    world_free(w);
    return orphan;
}

Test(swarm, says_whom_a_viewer_asks_and_why_it_leaves_them) {
    char *told = NULL;
    size_t len = 0;
    uint64_t trace, trace_told;
    unsigned orphan = orphan_told(0, NULL, &trace);
    FILE *to = open_memstream(&told, &len);
    cr_assert_eq(orphan_told(orphan, to, &trace_told), orphan);
    fclose(to);
    cr_expect_eq(trace_told, trace, "it is not the same run when somebody reads along");
    static const char *const said[] = {" is granted by ", " gives up, as silent: peer "};
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        cr_expect(strstr(told, said[i]), "'%s' is not in\n%s", said[i], told);
    /* To whom it turns is the run's matter. */
    cr_expect(strstr(told, " asks peer ") || strstr(told, " asks the source "), "asks\n%s", told);
    free(told);
}

/* Nobody has sent so much yet that a queue could tell. The trains of those that come together meet
 * in none of the uplinks, but jitter makes some look faster and some slower. */
static void uplinks_are_known_at_once(uint64_t seed) {
    struct scenario s = open_house(8);
    s.source_uplink = 3;
    s.classes_len = 3;
    s.classes[0] = (struct scenario_class){.share = 0.3, .ratio = 10};
    s.classes[1] = (struct scenario_class){.share = 0.4, .ratio = 2};
    s.classes[2] = (struct scenario_class){.share = 0.3, .ratio = 0.3};
    struct world *w = world_new(&s, seed);
    world_run(w, 5 * US_PER_S);
    for (unsigned i = 1; i < s.peers; i++) {
        double known = (double)uplink_capacity_bps(world_node(w, i));
        double ratio = known / (double)world_peer(w, i).uplink_bps;
        cr_expect(capacity_is_known(&world_node(w, i)->uplink.capacity));
        cr_expect(ratio > 0.45 && ratio < 1.6, "SEED=%llu peer %u: %.2f of its uplink",
                  (unsigned long long)seed, i, ratio);
    }
    world_free(w);
}

Test(swarm, knows_its_uplinks_before_they_are_full) { over_seeds(5, uplinks_are_known_at_once); }
