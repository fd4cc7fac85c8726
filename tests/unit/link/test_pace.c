/* The pacer over simulated paths. Queues are the network's own, not the pacer's estimate. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "tests/unit/link/station.h"

static struct pair *pair_over(uint64_t seed, const struct network_path *out) {
    struct network_path back = *out;
    back.rate_bps = 0;
    back.loss = 0;
    struct pair *p = pair_linked(seed, &back);
    network_set_path(p->n, 0, 1, out);
    return p;
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The queue standing in front of the bottleneck: of each tenth of a second its least, and of those
 * the 95th percentile. */
static uint64_t standing_queue(struct pair *p, unsigned tenths) {
    uint64_t least[400];
    cr_assert_leq(tenths, ARRAY_LEN(least));
    for (unsigned i = 0; i < tenths; i++) {
        least[i] = UINT64_MAX;
        for (int j = 0; j < 20; j++) {
            stations_run(p->n, 5000);
            least[i] = u64_min(least[i], network_queue_us(p->n, 0, 1));
        }
    }
    qsort(least, tenths, sizeof least[0], compare_u64);
    return least[tenths * 95 / 100];
}

static double goodput_bps(unsigned cells, uint64_t us) {
    return (double)cells * STATION_CELL * 8 * 1e6 / (double)us;
}

Test(pace, fills_a_thin_uplink_without_standing_in_its_buffer) {
    static const uint64_t delays_us[] = {5000, 20000, 40000};
    for (size_t i = 0; i < ARRAY_LEN(delays_us); i++) {
        for (uint64_t seed = 1; seed < 4; seed++) {
            struct network_path path = {.delay_us = delays_us[i],
                                        .jitter_us = 2000,
                                        .rate_bps = 5000000,
                                        .queue_us = 500000};
            struct pair *p = pair_over(seed, &path);
            station_send_cells(&p->a, UINT64_MAX);
            stations_run(p->n, 3 * US_PER_S);
            unsigned before = p->b.cells;
            uint64_t queue_us = standing_queue(p, 150);
            double share = goodput_bps(p->b.cells - before, 15 * US_PER_S) / 5e6;
            cr_assert_leq(queue_us, 25000, "%lu us standing at %lu us, seed %lu", queue_us,
                          delays_us[i], seed);
            cr_assert_geq(share, 0.80, "%.2f of the link at %lu us, seed %lu", share, delays_us[i],
                          seed);
            pair_free(p);
        }
    }
}

Test(pace, takes_random_loss_for_no_congestion) {
    static const double losses[] = {0.005, 0.01, 0.02};
    for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
        struct network_path path = {.delay_us = 40000, .jitter_us = 4000, .loss = losses[i]};
        struct pair *p = pair_over(i, &path);
        station_send_cells(&p->a, 3000000);
        stations_run(p->n, 20 * US_PER_S);
        station_send_cells(&p->a, 0);
        stations_run(p->n, US_PER_S);
        struct network_counts counts;
        network_counts(p->n, &counts);
        double expected = 3e6 / 8 / STATION_CELL * 20 * (1 - losses[i]);
        cr_assert_eq(p->a.dropped, 0, "the sender never had to drop");
        cr_assert_geq(p->b.cells, 0.99 * expected, "%u of %.0f", p->b.cells, expected);
        cr_assert_eq(p->b.cells + counts.lost >= p->a.cells_sent, 1);
        pair_free(p);
    }
}

Test(pace, drains_the_queue_when_the_capacity_drops) {
    struct network_path path = {.delay_us = 20000, .rate_bps = 5000000, .queue_us = 500000};
    struct pair *p = pair_over(1, &path);
    station_send_cells(&p->a, UINT64_MAX);
    stations_run(p->n, 3 * US_PER_S);
    path.rate_bps = 2000000;
    network_set_path(p->n, 0, 1, &path);
    stations_run(p->n, 1500000);
    unsigned before = p->b.cells;
    uint64_t queue_us = standing_queue(p, 40);
    cr_assert_leq(queue_us, 25000, "%lu us", queue_us);
    cr_assert_geq(goodput_bps(p->b.cells - before, 4 * US_PER_S), 0.8 * 2e6);
    path.rate_bps = 5000000;
    network_set_path(p->n, 0, 1, &path);
    stations_run(p->n, 2 * US_PER_S);
    before = p->b.cells;
    stations_run(p->n, 2 * US_PER_S);
    cr_assert_geq(goodput_bps(p->b.cells - before, 2 * US_PER_S), 0.8 * 5e6, "and comes back");
    pair_free(p);
}

Test(pace, recovers_within_a_second_of_an_outage) {
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct network_path path = {.delay_us = 40000, .jitter_us = 3000}, out = {.loss = 1};
        struct pair *p = pair_over(seed, &path);
        station_send_cells(&p->a, 3000000);
        stations_run(p->n, 3 * US_PER_S + seed * 37000);
        network_set_path(p->n, 0, 1, &out);
        network_set_path(p->n, 1, 0, &out);
        stations_run(p->n, 2 * US_PER_S);
        network_set_path(p->n, 0, 1, &path);
        network_set_path(p->n, 1, 0, &path);
        stations_run(p->n, US_PER_S);
        unsigned before = p->b.cells;
        stations_run(p->n, US_PER_S);
        double bps = goodput_bps(p->b.cells - before, US_PER_S);
        cr_assert_geq(bps, 0.97 * 3e6, "seed %lu: %.0f b/s in the second after", seed, bps);
        pair_free(p);
    }
}

Test(pace, does_not_collapse_when_a_busy_machine_holds_datagrams_up) {
    struct network_path path = {.delay_us = 15000, .is_ordered = true}, stalled = path;
    stalled.delay_us += 45000;
    struct pair *p = pair_over(2, &path);
    station_send_cells(&p->a, 3000000);
    struct rng rng = rng_init(2);
    for (int i = 0; i < 80; i++) {
        network_set_path(p->n, 0, 1, &stalled);
        stations_run(p->n, 1000 + rng_below(&rng, 15000));
        network_set_path(p->n, 0, 1, &path);
        stations_run(p->n, 100000 + rng_below(&rng, 200000));
    }
    cr_assert_eq(p->a.dropped, 0);
    cr_assert_geq(station_stats(&p->a).rate_bps, 3300000);
    pair_free(p);
}

Test(pace, takes_a_longer_route_for_a_route_and_not_for_a_queue) {
    struct network_path path = {.delay_us = 30000}, longer = {.delay_us = 90000};
    struct pair *p = pair_over(3, &path);
    station_send_cells(&p->a, 3000000);
    stations_run(p->n, 3 * US_PER_S);
    network_set_path(p->n, 0, 1, &longer);
    stations_run(p->n, 3 * US_PER_S);
    unsigned before = p->b.cells;
    stations_run(p->n, US_PER_S);
    cr_assert_geq(goodput_bps(p->b.cells - before, US_PER_S), 0.97 * 3e6);
    cr_assert_lt(station_stats(&p->a).queue_us, 15000);
    pair_free(p);
}

Test(pace, carries_50_megabits_on_a_short_path) {
    struct network_path path = {.delay_us = 50};
    struct pair *p = pair_over(4, &path);
    station_send_cells(&p->a, 50000000);
    stations_run(p->n, US_PER_S);
    unsigned before = p->b.cells, dropped = p->a.dropped;
    stations_run(p->n, 2 * US_PER_S);
    cr_assert_eq(p->a.dropped, dropped);
    cr_assert_geq(goodput_bps(p->b.cells - before, 2 * US_PER_S), 0.99 * 50e6);
    pair_free(p);
}

/* Cells that came within so long of a burst of `cells` handed over at once. */
static unsigned burst(struct pair *p, unsigned cells, uint64_t us) {
    unsigned before = p->b.cells;
    p->a.backlog += cells;
    network_wake(p->n, 0);
    stations_run(p->n, us);
    return p->b.cells - before;
}

Test(pace, lets_a_key_frame_leave_quickly_on_a_fat_path) {
    struct network_path path = {.delay_us = 20000};
    struct pair *p = pair_over(5, &path);
    station_send_cells(&p->a, 3000000);
    /* A second of 30 frames; each second begins with one of eight times the mean: 90 cells. */
    for (int i = 0; i < 4; i++) burst(p, 90, US_PER_S);
    unsigned came = burst(p, 90, 120000);
    cr_assert_geq(came, 90, "%u cells within 120 ms, 40 of them round trip", came);
    pair_free(p);
}

Test(pace, holds_a_burst_to_eight_datagrams) {
    struct pace p;
    pace_init(&p, 1000000);
    p.rate_bps = 100000000;
    unsigned n = 0;
    for (; pace_time(&p) <= 1000000; n++) pace_charge(&p, PACE_DATAGRAM, 1000000);
    cr_assert_eq(n, 8);
    pace_init(&p, 1000000);
    p.rate_bps = 1000000; /* 5 ms are less than a datagram: one at a time */
    for (n = 0; pace_time(&p) <= 1000000; n++) pace_charge(&p, PACE_DATAGRAM, 1000000);
    cr_assert_eq(n, 1);
    cr_assert_eq(pace_time(&p), 1009600);
}

/* Sends a hundred datagrams, over a path where each waits `queue_us`; of it so much
 * is `shared_us`. Something else lets it go a little later than the pacer would, who is told. */
static void send_hundred(struct pace *p, uint64_t *now_us, uint32_t queue_us, uint32_t shared_us,
                         bool is_told) {
    for (unsigned i = 0; i < 100; i++) {
        *now_us = u64_max(*now_us, pace_time(p)) + 15000;
        if (is_told) pace_note_held(p);
        pace_charge(p, PACE_DATAGRAM, *now_us);
        uint64_t came_us = *now_us + 20000 + queue_us;
        pace_on_ack(p,
                    &(struct pace_ack){.bytes = PACE_DATAGRAM,
                                       .datagrams = 1,
                                       .sent_us = *now_us,
                                       .received_us = (uint32_t)came_us,
                                       .rtt_least_us = 40000,
                                       .shared_us = shared_us},
                    came_us + 20000);
    }
}

/* Three datagrams every 16 ms, the last of which wait for 27 ms behind somebody else's. */
Test(pace, counts_no_pause_of_ours_as_the_paths) {
    struct pace p;
    pace_init(&p, US_PER_S);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t now_us = US_PER_S + i * 16000, wait_us = i == 4 ? 27000 : 0;
        for (unsigned k = 0; k < 3; k++) {
            now_us = u64_max(now_us, pace_time(&p)) + 960;
            pace_charge(&p, PACE_DATAGRAM, now_us);
        }
        pace_on_ack(&p,
                    &(struct pace_ack){.bytes = 3 * PACE_DATAGRAM,
                                       .datagrams = 3,
                                       .sent_us = now_us,
                                       .received_us = (uint32_t)(now_us + 40000 + wait_us),
                                       .rtt_least_us = 80000},
                    now_us + 80000 + wait_us);
    }
    cr_assert_geq(p.rate_bps, 2500000, "%lu", p.rate_bps);
}

/* A window of datagrams leaves at once and comes slowly, behind somebody else's: what the start's
 * end pauses for is what is in flight, not what the rate would have sent meanwhile. */
Test(pace, pauses_for_no_more_than_is_in_flight) {
    struct pace p;
    uint64_t now_us = US_PER_S;
    pace_init(&p, now_us);
    struct pace_ack ack = {.bytes = PACE_DATAGRAM, .datagrams = 1, .rtt_least_us = 80000};
    for (unsigned i = 0; i < 2; i++) {
        ack.sent_us = now_us + i;
        ack.received_us = (uint32_t)(now_us + 40000);
        pace_on_ack(&p, &ack, now_us + 80000 + i);
    }
    now_us += 500000;
    for (unsigned i = 0; i < 20; i++) pace_charge(&p, PACE_DATAGRAM, now_us);
    ack = (struct pace_ack){.bytes = 16 * PACE_DATAGRAM,
                            .datagrams = 16,
                            .sent_us = now_us,
                            .received_us = (uint32_t)(now_us + 100000),
                            .rtt_least_us = 80000,
                            .in_flight = 4 * PACE_DATAGRAM};
    now_us += 140000;
    pace_on_ack(&p, &ack, now_us);
    cr_assert_not(p.is_starting);
    cr_assert_leq(p.next_us, now_us + ack.in_flight * 8 * US_PER_S / p.rate_bps + 1);
}

Test(pace, leaves_a_shared_queue_to_who_sees_to_it) {
    for (unsigned is_shared = 0; is_shared < 2; is_shared++) {
        struct pace p;
        uint64_t now_us = US_PER_S;
        pace_init(&p, now_us);
        send_hundred(&p, &now_us, 0, 0, false);
        uint64_t before_bps = p.rate_bps;
        send_hundred(&p, &now_us, 40000, is_shared ? 40000 : 0, false);
        if (is_shared)
            cr_assert_geq(p.rate_bps, before_bps);
        else
            cr_assert_lt(p.rate_bps, before_bps);
        cr_assert_float_eq((double)p.whole_us, 40000, 2000, "the owner hears of all of it");
    }
}

Test(pace, grows_where_something_else_holds_back_too) {
    for (unsigned is_told = 0; is_told < 2; is_told++) {
        struct pace p;
        uint64_t now_us = US_PER_S;
        pace_init(&p, now_us);
        p.is_starting = false;
        p.rate_bps = PACE_RATE_MIN;
        for (unsigned i = 0; i < 5; i++) send_hundred(&p, &now_us, 0, 0, is_told);
        if (is_told)
            cr_assert_geq(p.rate_bps, 2 * PACE_RATE_MIN);
        else
            cr_assert_eq(p.rate_bps, PACE_RATE_MIN, "nobody asked for more");
    }
}
