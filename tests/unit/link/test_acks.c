/* What acknowledgements cost, and how soon a loss is known: one parent's share of a stream, 67
 * cells a second over 36 ms with 0.5 % lost each way. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/link/station.h"

#define CELLS_PER_S 67
#define SECONDS 300

struct flow {
    double ack_bytes; /* for each cell, with 28 a datagram of UDP and IP */
    uint64_t lost_p50_us, lost_p95_us, lost_most_us;
    unsigned spurious, lost;
};

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct flow flow_over(const struct network_path *path, uint64_t seed) {
    struct pair *p = pair_linked(seed, path);
    struct link_stats before = station_stats(&p->b);
    station_send_cells(&p->a, CELLS_PER_S * STATION_CELL * 8);
    stations_run(p->n, SECONDS * US_PER_S);
    station_send_cells(&p->a, 0);
    stations_run(p->n, US_PER_S);
    struct link_stats after = station_stats(&p->b);
    double datagrams = (double)(after.datagrams_out - before.datagrams_out);
    double bytes = (double)(after.bytes_out - before.bytes_out) + 28 * datagrams;
    unsigned n = p->a.lost;
    cr_assert_gt(n, SECONDS * CELLS_PER_S / 400);
    qsort(p->a.lost_after_us, n, sizeof p->a.lost_after_us[0], compare_u64);
    struct flow f = {.ack_bytes = bytes / (double)p->a.cells_sent,
                     .lost_p50_us = p->a.lost_after_us[n / 2],
                     .lost_p95_us = p->a.lost_after_us[n * 95 / 100],
                     .lost_most_us = p->a.lost_after_us[n - 1],
                     .lost = n,
                     .spurious = (unsigned)(n + p->b.cells - p->a.cells_sent)};
    pair_free(p);
    return f;
}

Test(acks, cost_little_and_tell_a_loss_in_a_round_trip) {
    for (uint64_t seed = 1; seed < 4; seed++) {
        struct network_path path = {.delay_us = 36000, .loss = 0.005};
        struct flow f = flow_over(&path, seed);
        cr_assert_leq(f.ack_bytes, 14, "%.1f bytes a cell, seed %lu", f.ack_bytes, seed);
        cr_assert_leq(f.lost_p50_us, 89000, "%lu us, seed %lu", f.lost_p50_us, seed);
        cr_assert_leq(f.lost_p95_us, 95000, "%lu us, seed %lu", f.lost_p95_us, seed);
        /* Where the acknowledgement is lost too, the next one comes 25 ms and 8 cells later. */
        cr_assert_leq(f.lost_most_us, 135000, "%lu us, seed %lu", f.lost_most_us, seed);
        cr_assert_eq(f.spurious, 0);
    }
}

Test(acks, stay_few_and_quick_where_datagrams_overtake) {
    for (uint64_t seed = 1; seed < 4; seed++) {
        struct network_path path = {.delay_us = 36000, .jitter_us = 15000, .loss = 0.005};
        struct flow f = flow_over(&path, seed);
        cr_assert_leq(f.ack_bytes, 15, "%.1f bytes a cell, seed %lu", f.ack_bytes, seed);
        cr_assert_leq(f.lost_p50_us, 113000, "%lu us, seed %lu", f.lost_p50_us, seed);
        cr_assert_leq(f.spurious, f.lost / 50, "%u of %u, seed %lu", f.spurious, f.lost, seed);
    }
}
