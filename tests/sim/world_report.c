/* world_report.c - what has been counted, as the figures of a report. */
#include <math.h>
#include <stdlib.h>

#include "tests/sim/world_internal.h"

static int compare_us(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile_ms(uint64_t *us, size_t len, double q) {
    if (len == 0) return 0;
    qsort(us, len, sizeof us[0], compare_us);
    uint64_t value = us[(size_t)((double)(len - 1) * q)];
    return value == TIME_NEVER ? INFINITY : (double)value / 1000;
}

void world_report(struct world *w, struct report *ret) {
    struct report *r = &w->report;
    measure_finish(w);
    bytes_report(w);
    r->peers = w->places;
    r->warmup_s = w->scenario.warmup;
    r->stream_bps = (double)w->stream_bps;
    r->seed = w->seed;
    snprintf(r->scenario, sizeof r->scenario, "%s", w->scenario.name);
    r->within_1s = w->counted == 0 ? 0 : (double)w->on_time / (double)w->counted;
    r->within_1s_settled =
        w->settled_counted == 0 ? 0 : (double)w->settled_on_time / (double)w->settled_counted;
    r->startup_p50_ms = quantile_ms(w->startups_us, w->startups_len, 0.5);
    r->startup_p95_ms = quantile_ms(w->startups_us, w->startups_len, 0.95);
    r->failover_p50_ms = quantile_ms(w->failovers_us, w->failovers_len, 0.5);
    r->failover_p99_ms = quantile_ms(w->failovers_us, w->failovers_len, 0.99);
    r->free_rider_lag_ms = lag_histogram_quantile(&w->free_rider_lag, 0.99);
    for (unsigned s = 0; s < r->seconds_len; s++) {
        r->seconds[s].lag_p50_ms = lag_histogram_quantile(&w->second_lag[s], 0.5);
        r->seconds[s].lag_p99_ms = lag_histogram_quantile(&w->second_lag[s], 0.99);
    }
    r->events = network_events(w->network);
    r->simulated_s = (double)network_now(w->network) / (double)US_PER_S;
    r->trace = network_trace(w->network);
    report_finish(r);
    *ret = *r;
}
