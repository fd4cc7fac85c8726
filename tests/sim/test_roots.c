/* The source's child from which most have most dies, again and again, in a swarm from which nobody
 * else goes. SEED=n runs that seed alone, SEEDS=n so many; PEERS=n and INDEX=n (percent) others;
 * UPLINK=n gives the source of the first test so many stream rates. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/swarm/engine.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

#define SEEDS 4
#define DEATHS 4 /* a seed */
#define PEERS 60
#define INDEX 200                 /* percent */
#define FIRST_US (20 * US_PER_S)  /* all have come, and found their places */
#define PERIOD_US (10 * US_PER_S) /* so they have until the next one */
#define AWAY_US (5 * US_PER_S)
#define CHUNKS_MOST 18 /* of 30 a second; the seeds differ by two or three */
#define UPLINK 3       /* stream rates: what the source has for one copy of everything, */
#define UPLINK_WIDE 12 /* and for four */
#define CHUNKS_MOST_WIDE 4

static struct scenario nobody_leaves(uint64_t uplink) {
    struct scenario s = scenario_default();
    s.peers = (unsigned)number_of("PEERS", PEERS);
    s.resource_index = (double)number_of("INDEX", INDEX) / 100;
    s.session_median = 0;
    s.source_uplink = (double)uplink;
    s.unreachable = 0; /* so the source meets all kinds */
    s.join_spread = 5;
    return s;
}

/* The child that the source gives most substreams. */
static unsigned find_root(struct world *w, unsigned *ret_substreams) {
    const struct channel *c = world_node(w, 0)->channels[0];
    const struct neighbour *root = NULL;
    *ret_substreams = 0;
    for (size_t i = 0; i < c->neighbours_len; i++) {
        unsigned has = (unsigned)__builtin_popcount(c->neighbours[i]->streams[0].child_granted);
        if (has <= *ret_substreams) continue;
        *ret_substreams = has;
        root = c->neighbours[i];
    }
    unsigned at = 0;
    cr_assert_not_null(root);
    cr_assert(network_find(world_network(w), link_endpoint(root->link), &at));
    return at;
}

static uint64_t count_missed(struct world *w, unsigned but) {
    uint64_t missed = 0;
    for (unsigned i = 1; i < world_peers(w); i++) {
        struct node_channel_stats stats;
        if (i == but || !world_is_up(w, i)) continue;
        node_channel_stats(world_node(w, i), 0, &stats);
        missed += stats.chunks_missed;
    }
    return missed;
}

/* Chunks that a viewer misses for a death, in the mean. */
static double missed_for_a_death(uint64_t uplink, uint64_t seed) {
    struct scenario s = nobody_leaves(uplink);
    struct world *w = world_new(&s, seed);
    uint64_t missed = 0;
    world_run(w, FIRST_US - AWAY_US);
    uint64_t usual = count_missed(w, 0);
    for (unsigned k = 0; k < DEATHS; k++) {
        world_run(w, FIRST_US + k * PERIOD_US);
        unsigned substreams, root = find_root(w, &substreams);
        uint64_t before = count_missed(w, root);
        if (k == 0)
            printf("SEED=%llu without a death: each missed %.1f chunks\n", (unsigned long long)seed,
                   (double)(count_missed(w, 0) - usual) / (double)(world_peers(w) - 1));
        world_kill(w, root);
        world_run(w, world_now(w) + AWAY_US);
        uint64_t felt = count_missed(w, root) - before;
        printf("SEED=%llu death %u of who had %u substreams: each missed %.1f chunks\n",
               (unsigned long long)seed, k, substreams,
               (double)felt / (double)(world_peers(w) - 2));
        missed += felt;
        world_restart(w, root);
    }
    double viewers = (double)(world_peers(w) - 2);
    world_free(w);
    return (double)missed / viewers / DEATHS;
}

/* The same over all seeds. */
static double missed_over_seeds(uint64_t uplink) {
    uint64_t only = number_of("SEED", 0), seeds = number_of("SEEDS", SEEDS);
    double missed = 0;
    unsigned runs = 0;
    for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); seed++) {
        missed += missed_for_a_death(uplink, seed);
        runs++;
    }
    printf("uplink of %llu rates: %.2f chunks missed by each viewer for a death\n",
           (unsigned long long)uplink, missed / runs);
    return missed / runs;
}

/* Its children notice after a third of a second, and nobody else has what they lack: twelve chunks
 * come too late (0.0 in the five seconds before the first death), and came fifteen before the
 * source spread what it gives. */
Test(roots, death_of_the_sources_widest_child_costs_less_than_a_second) {
    double missed = missed_over_seeds(number_of("UPLINK", UPLINK));
    cr_expect_lt(missed, CHUNKS_MOST, "%.2f", missed);
}

/* What died with it comes by the other copies. */
Test(roots, death_of_the_widest_child_is_hardly_felt_where_the_source_gives_more_copies) {
    double missed = missed_over_seeds(UPLINK_WIDE);
    cr_expect_lt(missed, CHUNKS_MOST_WIDE, "%.2f", missed);
}
