#include "tests/sim/plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "tests/sim/chart.h"

#define PAGE_WIDTH 900
#define PAGE_HEIGHT 1000
#define PANEL_LEFT 84
#define PANEL_WIDTH 780
#define PANEL_HEIGHT 212
#define PANEL_TOP(i) (104 + (i)*305)

#define LAG_LEAST_MS 10         /* of the distribution's axis */
#define SHARE_LEAST 1e-5        /* so rare that a run hardly shows it */
#define MISSED_MS 1000          /* later than this is missed */
#define LAG_MOST_LEAST_MS 100.0 /* the lag's axis reaches at least this far */

/* Points of the two lines that are worked on. */
struct series {
    struct chart_point low[REPORT_SECONDS_MAX], high[REPORT_SECONDS_MAX];
};

static double time_of(const struct report *r, unsigned second) {
    return second + 0.5 - r->warmup_s;
}

static struct chart_axis time_axis(const struct report *r) {
    double most = r->seconds_len > 0 ? r->seconds_len - r->warmup_s : 0;
    return (struct chart_axis){.label = "time since the measured window began (s)",
                               .least = -r->warmup_s,
                               .most = fmax(most, 1 - r->warmup_s)};
}

/* --- lag over time --- */

/* What comes late while the swarm starts is not what the picture is about. */
static double lag_most(const struct report *r) {
    double most = LAG_MOST_LEAST_MS;
    for (unsigned i = 0; i < r->seconds_len; i++)
        if (time_of(r, i) >= 0 && isfinite(r->seconds[i].lag_p99_ms))
            most = fmax(most, r->seconds[i].lag_p99_ms);
    return chart_nice_most(1.15 * most);
}

static void draw_lag(struct chart *c, const struct report *r, struct series *s) {
    static const struct chart_line lines[] = {{.label = "p50", .colour = CHART_BLUE},
                                              {.label = "p99", .colour = CHART_RED}};
    struct chart_panel p = {
        .left = PANEL_LEFT,
        .top = PANEL_TOP(0),
        .width = PANEL_WIDTH,
        .height = PANEL_HEIGHT,
        .title = "Lag of the chunks published in each second",
        .x = time_axis(r),
        .y = {.label = "lag (ms)", .most = lag_most(r)},
    };
    for (unsigned i = 0; i < r->seconds_len; i++) {
        bool is_empty = r->seconds[i].lag_p50_ms <= 0; /* nothing was published */
        s->low[i].x = s->high[i].x = time_of(r, i);
        s->low[i].y = is_empty ? NAN : r->seconds[i].lag_p50_ms;
        s->high[i].y = is_empty ? NAN : r->seconds[i].lag_p99_ms;
    }
    chart_shade(c, &p, -r->warmup_s, 0, "warm-up");
    chart_axes(c, &p);
    chart_line(c, &p, &lines[1], s->high, r->seconds_len);
    chart_line(c, &p, &lines[0], s->low, r->seconds_len);
    chart_legend(c, &p, lines, ARRAY_LEN(lines));
}

/* --- the distribution --- */

static void mark_quantile(struct chart *c, const struct chart_panel *p, const char *name, double q,
                          double ms) {
    char label[48];
    if (!(ms >= p->x.least && ms <= p->x.most)) return;
    snprintf(label, sizeof label, "%s %.0f ms", name, ms);
    chart_mark(c, p, (struct chart_point){ms, 1 - q}, label);
}

static void draw_distribution(struct chart *c, const struct report *r) {
    static const struct chart_line line = {.label = "later than this", .colour = CHART_BLUE};
    static const struct chart_line missed = {
        .label = "missed beyond 1 s", .colour = CHART_RED, .is_dashed = true};
    struct chart_panel p = {
        .left = PANEL_LEFT,
        .top = PANEL_TOP(1),
        .width = PANEL_WIDTH,
        .height = PANEL_HEIGHT,
        .title = "Share of chunks that are later, measured window",
        .x = {.label = "lag (ms)", .least = LAG_LEAST_MS, .most = REPORT_LAG_BINS, .is_log = true},
        .y = {.label = "share later",
              .least = SHARE_LEAST,
              .most = 1,
              .is_log = true,
              .is_share = true},
    };
    static struct chart_point points[REPORT_LAG_BINS];
    double total = r->lag.total > 0 ? (double)r->lag.total : 1;
    uint64_t later = r->lag.total;
    unsigned len = 0;
    for (unsigned i = 0; i + 1 < REPORT_LAG_BINS; i++) {
        later -= r->lag.bins[i];
        /* Beyond the last chunk the line ends at the lower edge. */
        points[len++] = (struct chart_point){i + 1, fmax((double)later / total, SHARE_LEAST / 10)};
        if (later == 0) break;
    }
    struct chart_point limit[] = {{MISSED_MS, SHARE_LEAST}, {MISSED_MS, 1}};
    struct chart_line legend[] = {line, missed};
    chart_axes(c, &p);
    chart_line(c, &p, &missed, limit, ARRAY_LEN(limit));
    chart_line(c, &p, &line, points, r->lag.total > 0 ? len : 0);
    mark_quantile(c, &p, "p50", 0.5, r->lag_p50_ms);
    mark_quantile(c, &p, "p99", 0.99, r->lag_p99_ms);
    mark_quantile(c, &p, "p99.9", 0.999, r->lag_p999_ms);
    chart_legend(c, &p, legend, ARRAY_LEN(legend));
}

/* --- upload by class --- */

static const struct chart_line classes[] = {
    {.label = "media", .colour = CHART_SKY, .is_area = true},
    {.label = "headers", .colour = CHART_BLUE, .is_area = true},
    {.label = "control", .colour = CHART_GREEN, .is_area = true},
    {.label = "duplicate", .colour = CHART_ORANGE, .is_area = true},
    {.label = "repair", .colour = CHART_RED, .is_area = true},
};

/* Bytes of the classes below this one, in the order of `classes`. */
static double bytes_below(const struct report_second *s, unsigned class) {
    const uint64_t bytes[] = {s->media, s->headers, s->control, s->duplicate, s->repair};
    double sum = 0;
    for (unsigned i = 0; i < class; i++) sum += (double)bytes[i];
    return sum;
}

/* In stream rates for each peer; in Mb/s where the stream's rate is not known. */
static double upload_of(const struct report *r, unsigned second, unsigned class) {
    const struct report_second *s = &r->seconds[second];
    double peers = s->peers > 0 ? (double)s->peers : 1;
    return bytes_below(s, class) * 8 / peers / (r->stream_bps > 0 ? r->stream_bps : 1e6);
}

static void draw_upload(struct chart *c, const struct report *r, struct series *s) {
    double most = 0;
    for (unsigned i = 0; i < r->seconds_len; i++)
        if (time_of(r, i) >= 0) most = fmax(most, upload_of(r, i, ARRAY_LEN(classes)));
    struct chart_panel p = {
        .left = PANEL_LEFT,
        .top = PANEL_TOP(2),
        .width = PANEL_WIDTH,
        .height = PANEL_HEIGHT,
        .title = "Upload by class, mean over peers",
        .x = time_axis(r),
        .y = {.label = r->stream_bps > 0 ? "upload (stream rates)" : "upload (Mb/s)",
              .most = chart_nice_most(1.1 * most)},
    };
    chart_shade(c, &p, -r->warmup_s, 0, "warm-up");
    for (unsigned class = 0; class < ARRAY_LEN(classes); class ++) {
        for (unsigned i = 0; i < r->seconds_len; i++) {
            s->low[i] = (struct chart_point){time_of(r, i), upload_of(r, i, class)};
            s->high[i] = (struct chart_point){time_of(r, i), upload_of(r, i, class + 1)};
        }
        chart_area(c, &p, &classes[class], s->low, s->high, r->seconds_len);
    }
    chart_axes(c, &p);
    chart_legend(c, &p, classes, ARRAY_LEN(classes));
}

/* --- the page --- */

static void draw_heading(struct chart *c, const struct report *r) {
    char title[96], line[192], p99[24] = "never";
    if (isfinite(r->lag_p99_ms)) snprintf(p99, sizeof p99, "%.0f ms", r->lag_p99_ms);
    snprintf(title, sizeof title, "%s, %u peers, seed %" PRIu64, r->scenario, r->peers, r->seed);
    snprintf(line, sizeof line,
             "lag p99 %s, %.3f %% within 1 s, overhead %.1f %%, source uploads %.2f stream rates",
             p99, 100 * r->within_1s, 100 * r->overhead_total, r->source_upload_x);
    chart_text(c, 24, 34, 18, true, title);
    chart_text(c, 24, 58, 13, false, line);
}

int plot_run(const struct report *r, const char *path, char *ret_why, size_t why_size) {
    struct series *s = malloc(sizeof *s);
    struct chart *c = NULL;
    int err = ERR_SYSTEM;
    if (s == NULL) {
        snprintf(ret_why, why_size, "out of memory");
        return ERR_MEMORY;
    }
    c = chart_new(path, PAGE_WIDTH, PAGE_HEIGHT, ret_why, why_size);
    if (c == NULL) goto out;
    draw_heading(c, r);
    draw_lag(c, r, s);
    draw_distribution(c, r);
    draw_upload(c, r, s);
    err = chart_finish(c, ret_why, why_size);
out:
    free(s);
    return err;
}
