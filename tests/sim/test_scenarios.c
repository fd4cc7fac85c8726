/* The scenarios, small and short: what the engine must not fall below. Every bound has room to the
 * worst of seeds 1 to 10, which stands beside it. A failing seed is named; SEED=n runs it alone,
 * and SEEDS=n tries more of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

static struct report report; /* too large for a stack */

/* The scenario with a few peers, whose uplinks are known and six times the demand: what these tests
 * are about is not how uplinks are found out. */
static struct scenario load(const char *name, unsigned peers) {
    struct scenario s;
    char why[SCENARIO_WHY_MAX];
    cr_assert_eq(scenario_load(".", name, &s, why, sizeof why), 0, "%s", why);
    s.peers = peers;
    s.declared = true;
    s.resource_index = s.source_uplink = 6;
    s.join_spread = 2;
    s.warmup = 8;
    s.seconds = 10;
    return s;
}

static void run(const struct scenario *s, uint64_t seed) {
    char why[SCENARIO_WHY_MAX];
    cr_assert_eq(scenario_check(s, why, sizeof why), 0, "%s", why);
    struct world *w = world_new(s, seed);
    world_run_all(w);
    world_report(w, &report);
    world_free(w);
    cr_expect(isinf(report.failover_p99_ms) || report.failover_p99_ms < report.simulated_s * 1000,
              "%s SEED=%llu: failover of %f ms", s->name, (unsigned long long)seed,
              report.failover_p99_ms);
}

/* With each seed at least the share `within_1s` of all chunks in time. */
static void expect_within_1s(const struct scenario *s, uint64_t seeds, double within_1s) {
    uint64_t only = number_of("SEED", 0);
    seeds = number_of("SEEDS", seeds);
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++) {
        run(s, seed);
        unsigned long long n = seed;
        printf("%s SEED=%llu %.4f within 1 s, back within %.2f s\n", s->name, n, report.within_1s,
               report.recovery_s);
        cr_expect_geq(report.within_1s, within_1s, "%s SEED=%llu: %f within 1 s", s->name, n,
                      report.within_1s);
        cr_expect_eq(report.unverified_delivered, 0, "%s SEED=%llu", s->name, n);
        cr_expect_eq(report.honest_banned, 0, "%s SEED=%llu", s->name, n);
    }
}

Test(scenarios, a_source_and_two_viewers_are_enough) {
    struct scenario s = load("tiny", 3);
    expect_within_1s(&s, 10, 0.99); /* worst 1.000 */
}

Test(scenarios, a_source_serves_all_where_viewers_cannot_connect) {
    struct scenario s = load("source-only", 20);
    s.resource_index = 0;
    s.declared = false;
    s.warmup = 15;
    expect_within_1s(&s, 3, 0.93); /* worst 0.962 */
}

Test(scenarios, a_video_of_few_cells_is_carried) {
    struct scenario s = load("low-rate", 30);
    s.resource_index = s.source_uplink = 20;
    expect_within_1s(&s, 5, 0.95); /* worst 0.993 */
}

Test(scenarios, half_of_the_viewers_may_die) {
    struct scenario s = load("half-killed", 60);
    s.kill_at = 3;
    s.warmup = 12;
    s.join_spread = 6;
    expect_within_1s(&s, 3, 0.85); /* worst 0.914 */
}

/* Where there is not upload for all: a chunk that never comes is a failover that never ends, not
 * one of a very long time. */
Test(scenarios, what_never_comes_after_a_death_is_told_as_such) {
    struct scenario s = load("half-killed", 30);
    s.kill_at = 3;
    s.resource_index = s.source_uplink = 1.1;
    expect_within_1s(&s, 3, 0);
}

/* 30 % of the viewers for 3 of 12 s: 0.925 can be reached. */
Test(scenarios, who_was_cut_off_comes_back) {
    struct scenario s = load("partition", 60);
    s.partition_at = 2;
    s.partition_for = 3;
    s.warmup = s.seconds = 12;
    s.join_spread = 6;
    expect_within_1s(&s, 3, 0.60); /* worst 0.684 */
}

Test(scenarios, a_source_that_starts_again_is_followed) {
    struct scenario s = load("source-restart", 30);
    s.source_restart_at = 2;
    s.seconds = 12;
    expect_within_1s(&s, 3, 0.65); /* worst 0.741: all come anew at one moment */
    cr_expect_leq(report.recovery_s, 5);
}

/* For 5 of 12 s: 0.583 can be reached. */
Test(scenarios, a_source_whose_network_was_down_is_followed_at_once) {
    struct scenario s = load("source-cut", 60);
    s.source_cut_at = 2;
    s.seconds = 12;
    expect_within_1s(&s, 3, 0.54);         /* worst 0.573 */
    cr_expect_leq(report.recovery_s, 1.5); /* 0.74 */
}

Test(scenarios, loss_in_bursts_is_made_good) {
    struct scenario s = load("lossy", 30);
    expect_within_1s(&s, 3, 0.85); /* worst 0.899 */
}

/* Heads beyond what its uplink carries, to all who lacked them, left 0 to 55 % of it; worst 0.885.
 */
Test(scenarios, a_source_with_hardly_more_uplink_than_the_stream_feeds_all) {
    struct scenario s = load("thin-source", 60);
    s.source_uplink = 1.2;
    s.warmup = 15;
    expect_within_1s(&s, 3, 0.80);
}

/* The next random access point is half a second away, and the newest one others have: 1,203 ms
 * where the next is waited for. */
Test(scenarios, newcomers_do_not_wait_for_the_next_picture) {
    struct scenario s;
    char why[SCENARIO_WHY_MAX];
    cr_assert_eq(scenario_load(".", "wan", &s, why, sizeof why), 0, "%s", why);
    s.seconds = 1;
    double sum_ms = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run(&s, seed);
        sum_ms += report.startup_p50_ms;
    }
    cr_expect_lt(sum_ms / 5, 1150, "%f ms", sum_ms / 5); /* 964 */
}

Test(scenarios, fifty_peers_do_with_real_cryptography) {
    struct scenario s = load("static", 50);
    s.crypto = true;
    s.warmup = 10;
    s.join_spread = 4;
    s.seconds = 6;
    expect_within_1s(&s, 2, 0.98); /* worst 0.996 */
}

static uint64_t trace_of(const char *name, uint64_t seed) {
    struct scenario s = load(name, 20);
    s.warmup = 3;
    s.seconds = 3;
    s.session_median = 3; /* they come and go, too */
    run(&s, seed);
    return report.trace;
}

Test(scenarios, give_the_same_trace_for_the_same_seed) {
    static const char *const names[] = {"reference", "lossy", "low-rate-audio"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint64_t trace = trace_of(names[i], 1);
        cr_expect_eq(trace_of(names[i], 1), trace, "%s", names[i]);
        cr_expect_neq(trace_of(names[i], 2), trace, "%s", names[i]);
    }
}
