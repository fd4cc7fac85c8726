/* plot.h - pictures of a run and of a sweep, as SVG or PNG by the file's name (cairo). */
#ifndef PLOT_H
#define PLOT_H

#include "tests/sim/report.h"

/* Lag over time (p50, p99), the distribution of lag, and upload by class over time, one below the
 * other. Returns 0, or a negative error with one line about it. */
MUST_CHECK int plot_run(const struct report *r, const char *path, char *ret_why, size_t why_size);

#endif
