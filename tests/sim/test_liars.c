/* Swarms with peers that do not keep to the rules: what an honest peer is handed, whom it bans, and
 * which broadcast it ends on. SEED=n runs one seed alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "tests/sim/world_internal.h"

#define SEEDS 2
#define RECOVERY_MOST_S 5

static struct report report;

static struct scenario small(void) {
    struct scenario s = scenario_default();
    s.peers = 40;
    s.warmup = 4;
    s.seconds = 8;
    s.join_spread = 2;
    s.session_median = 0;
    s.resource_index = 6;
    s.declared = true;
    s.bitrate = 1.5e6;
    return s;
}

/* Runs it with each seed; `check` sees the world at its end, with the figures in `report`. */
static void over_seeds(const struct scenario *s, void (*check)(struct world *w)) {
    const char *only = getenv("SEED");
    uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 10);
    for (uint64_t seed = first; seed < first + (only == NULL ? SEEDS : 1); seed++) {
        struct world *w = world_new(s, seed);
        world_run_all(w);
        world_report(w, &report);
        check(w);
        world_free(w);
    }
}

#define EXPECT(condition)                                                                          \
    cr_expect(condition, "SEED=%llu: " #condition, (unsigned long long)w->seed)

static void expect_innocence(struct world *w) {
    EXPECT(report.unverified_delivered == 0);
    EXPECT(report.honest_banned == 0);
    EXPECT(report.lag.total > report.lag.infinite);
}

static struct node_channel_stats stats_of(const struct resident *p) {
    struct node_channel_stats stats;
    node_channel_stats(p->node, p->channel, &stats);
    return stats;
}

static void check_polluted(struct world *w) {
    unsigned polluters = 0, exposed = 0;
    uint64_t refused = 0, banned = 0;
    for (unsigned i = 0; i < w->places; i++) {
        const struct resident *p = &w->residents[i];
        polluters += p->kind == KIND_POLLUTER;
        exposed += p->kind == KIND_POLLUTER && p->life > 1;
        if (p->kind != KIND_VIEWER) continue;
        refused += stats_of(p).refused_cell;
        banned += stats_of(p).peers_banned;
    }
    expect_innocence(w);
    EXPECT(polluters == 8);
    EXPECT(report.within_1s > 0.6); /* 0.32 where claims are believed */
    EXPECT(2 * exposed > polluters);
    EXPECT(refused >= exposed);
    EXPECT(banned >= refused); /* one bad cell is one too many */
}

Test(liars, polluters_deceive_nobody_and_lose_their_links) {
    struct scenario s = small();
    s.polluters = 0.2;
    over_seeds(&s, check_polluted);
}

static void check_equivocated(struct world *w) {
    uint64_t refused = 0;
    for (unsigned i = 0; i < w->places; i++)
        refused += stats_of(&w->residents[i]).refused_equivocation;
    expect_innocence(w);
    EXPECT(refused > 0);
    EXPECT(isfinite(report.recovery_s));
}

Test(liars, nobody_is_banned_for_two_heads_that_the_source_has_signed) {
    struct scenario s = small();
    s.equivocation = 0.2;
    over_seeds(&s, check_equivocated);
}

static void check_replayed(struct world *w) {
    uint64_t replayed = 0;
    expect_innocence(w);
    for (unsigned i = 1; i < w->places; i++) {
        const struct resident *p = &w->residents[i];
        struct node_channel_stats stats = stats_of(p);
        if (p->kind == KIND_REPLAYER) replayed += stats.media_out;
        if (p->kind == KIND_VIEWER) EXPECT(stats.on_air && p->true_us != TIME_NEVER);
        EXPECT((p->kind == KIND_REPLAYER) == (stats.broadcast < w->manifest.broadcast));
    }
    EXPECT(replayed > 0);
}

Test(liars, an_older_broadcast_is_left_for_the_one_on_air) {
    struct scenario s = small();
    s.replayers = 0.3;
    over_seeds(&s, check_replayed);
}

static void check_eclipsed(struct world *w) {
    unsigned liars = 0;
    expect_innocence(w);
    for (unsigned i = 1; i < w->places; i++) {
        const struct resident *p = &w->residents[i];
        liars += liars_is_one(p);
        if (p->kind != KIND_NEWCOMER) continue;
        EXPECT(p->honest_us > p->started_us + 2 * US_PER_S && p->honest_us != TIME_NEVER);
        EXPECT(p->true_us != TIME_NEVER);
        EXPECT(u64_sub(p->true_us, p->honest_us) <= RECOVERY_MOST_S * US_PER_S);
        EXPECT(stats_of(p).broadcast == w->manifest.broadcast);
    }
    EXPECT(liars == w->scenario.eclipse);
}

Test(liars, a_newcomer_whom_liars_surround_finds_the_true_broadcast) {
    struct scenario s = small();
    s.eclipse = 12;
    s.eclipse_for = 2;
    s.seconds = 16;
    over_seeds(&s, check_eclipsed);
}

Test(liars, a_ban_counts_for_whom_the_identity_belonged_to) {
    struct scenario s = small();
    s.peers = 4;
    s.polluters = 0.34;
    struct world *w = world_new(&s, 1);
    world_run(w, 3 * US_PER_S);
    struct resident *polluter = NULL, *viewer = NULL;
    for (unsigned i = 1; i < w->places; i++) {
        struct resident *p = &w->residents[i];
        if (p->kind == KIND_POLLUTER) polluter = p;
        if (p->kind == KIND_VIEWER) viewer = p;
    }
    struct public_key before[] = {viewer->identity.public, polluter->identity.public};
    for (unsigned i = 1; i < w->places; i++) {
        peers_stop(&w->residents[i], false);
        peers_start(&w->residents[i]);
    }
    w->report.honest_banned = 0;
    polluter->is_exposed = false;
    liars_note_banned(&w->residents[0], &before[1]);
    cr_expect_eq(w->report.honest_banned, 0);
    cr_expect(!polluter->is_exposed, "it has come back already");
    liars_note_banned(&w->residents[0], &polluter->identity.public);
    cr_expect(polluter->is_exposed);
    liars_note_banned(&w->residents[0], &before[0]);
    liars_note_banned(viewer, &w->residents[0].identity.public);
    cr_expect_eq(w->report.honest_banned, 2);
    liars_note_banned(polluter, &before[0]);
    cr_expect_eq(w->report.honest_banned, 2, "the word of a liar");
    world_free(w);
}

Test(liars, lie_alike_for_the_same_seed) {
    uint64_t trace[2];
    struct scenario s = small();
    s.peers = 30;
    s.seconds = 2;
    s.polluters = s.replayers = s.equivocation = 0.1;
    s.eclipse = 4;
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new(&s, 7);
        world_run_all(w);
        world_report(w, &report);
        trace[i] = report.trace;
        world_free(w);
    }
    cr_expect_eq(trace[0], trace[1]);
}
