/* plot.h - pictures of a run and of a sweep, as SVG or PNG by the file's name. */
#ifndef PLOT_H
#define PLOT_H

#include <stdio.h>

#include "tests/sim/report.h"

#define PLOT_SWEEP_MAX 32
#define PLOT_TITLE_MAX 128

/* What a sweep found for a number of peers: the worst over its seeds. */
struct plot_sweep_row {
    double peers;
    double lag_p50_ms, lag_p99_ms; /* INFINITY: never came */
    double overhead;               /* 0.15: 15 % */
    double source_upload_x;
};

struct plot_sweep {
    char title[PLOT_TITLE_MAX];
    unsigned len; /* at least 1, in order of their peers */
    struct plot_sweep_row rows[PLOT_SWEEP_MAX];
};

/* Lag over time (p50, p99), the distribution of lag, and upload by class over time, one below the
 * other. Time 0 is where the measured window begins. Returns 0, or a negative error with one line
 * about it. */
MUST_CHECK int plot_run(const struct report *r, const char *path, char *ret_why, size_t why_size);

/* Reads what scripts/sweep writes: a title, then `peers lag_p50_ms lag_p99_ms overhead
 * source_upload_x` a line, `inf` for what never came. Returns 0, or ERR_FORMAT, ERR_RANGE (not in
 * order, or not above 0), ERR_FULL or ERR_TRUNCATED (no rows) with one line about it. */
MUST_CHECK int plot_sweep_read(FILE *from, struct plot_sweep *ret, char *ret_why, size_t why_size);

/* Lag, overhead and source upload against the number of peers, beside the bound and the goal of
 * DESIGN 9. Returns as plot_run. */
MUST_CHECK int plot_sweep(const struct plot_sweep *s, const char *path, char *ret_why,
                          size_t why_size);

#endif
