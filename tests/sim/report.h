/* report.h - what came out of a simulated run: figures, their JSON, and whether they are what the
 * scenario expects. The words are those of the README: lag, missed, overhead. report.def has the
 * figures. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "tests/sim/scenario.h"

#define REPORT_LAG_BINS 4000 /* of a millisecond; the last takes all that is later */
#define REPORT_SECONDS_MAX 4200

/* Counts by lag in milliseconds, and those that never came. */
struct lag_histogram {
    uint64_t bins[REPORT_LAG_BINS]; /* bin i: from i ms to less than i + 1 ms */
    uint64_t total;                 /* `infinite` included */
    uint64_t infinite;
    uint64_t max_us; /* of those that came */
};
void lag_histogram_add(struct lag_histogram *h, uint64_t lag_us); /* TIME_NEVER: never came */
/* `q` from 0 to 1, in ms: the upper end of the bin in which that share of all is reached (of the
 * last bin: the latest of all). INFINITY where that quantile never came, 0 where there is none. */
double lag_histogram_quantile(const struct lag_histogram *h, double q);

struct report_second {
    double lag_p50_ms, lag_p99_ms; /* of the chunks published in this second */
    uint64_t peers;
    /* Bytes sent by all peers, IP and UDP headers included. Each counts once: `media` is the
     * payload of first copies, as in the denominator of the overhead. */
    uint64_t media, headers, control, duplicate, repair;
    uint64_t source_bytes;
};

struct report {
    unsigned peers;
    uint64_t seed;
    char scenario[32];
    double warmup_s;          /* where the measured window begins in `seconds` */
    double stream_bps;        /* of all tracks */
    struct lag_histogram lag; /* of the measured window, all peers that upload */
    double lag_p50_ms, lag_p99_ms, lag_p999_ms, lag_max_ms; /* INFINITY: null in JSON */
    double within_1s, stall_free;
    /* within_1s over the peers that were up before the flash crowd alone; of all without one. */
    double within_1s_settled;
    double source_upload_x;
    double overhead_total, overhead_headers, overhead_control, overhead_duplicate, overhead_repair;
    double startup_p50_ms, startup_p95_ms;
    double failover_p50_ms, failover_p99_ms;
    double free_rider_lag_ms; /* p99 of those that upload nothing; 0: there are none */
    uint64_t unverified_delivered;
    uint64_t honest_banned; /* links of honest peers that honest peers ended as hostile */
    double recovery_s;      /* worst time from meeting an honest peer to the true broadcast */
    uint64_t events;
    double events_per_cpu_s, simulated_s, cpu_s, speed_x, rss_mb;
    uint64_t trace;
    unsigned seconds_len; /* warm-up included */
    struct report_second seconds[REPORT_SECONDS_MAX];
};

/* Fills the quantiles of `lag`. */
void report_finish(struct report *r);
/* One object on one line: report.def's fields, in its order. */
void report_print_json(const struct report *r, FILE *to);
/* The same with `seconds` behind them, an array of objects. */
void report_print_json_seconds(const struct report *r, FILE *to);
void report_print_text(const struct report *r, FILE *to); /* for people: ten lines */
/* A figure by its path in the JSON ("overhead.total"), or one of those that only expectations name:
 * within_1s_settled, honest_banned, recovery_s. False: there is no such figure. */
bool report_figure(const struct report *r, const char *path, double *ret);
bool report_has_figure(const char *path);
/* Says on `to` which expectations do not hold; returns how many. */
unsigned report_check(const struct report *r, const struct scenario *s, FILE *to);

#endif
