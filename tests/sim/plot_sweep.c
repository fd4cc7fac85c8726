#include <math.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/sim/chart.h"
#include "tests/sim/plot.h"

#define PAGE_WIDTH 900
#define PAGE_HEIGHT 990
#define PANEL_LEFT 84
#define PANEL_WIDTH 780
#define PANEL_HEIGHT 212
#define PANEL_TOP(i) (94 + (i)*305)
#define LINE_TEXT_MAX 200

/* DESIGN 9: what a swarm cannot do better, and what shoal shall reach. */
static const struct chart_point lag_bound[] = {{1e3, 133}, {1e4, 176}, {1e5, 219}};
static const struct chart_point lag_goal[] = {{1e3, 300}, {1e4, 400}, {1e5, 500}};
#define OVERHEAD_LIMIT 0.06
#define OVERHEAD_GOAL 0.08
#define SOURCE_LIMIT 1.05
#define SOURCE_GOAL 1.2

static const struct chart_line goal_line = {
    .label = "goal", .colour = CHART_GREEN, .is_dashed = true};

/* --- the rows --- */

static int row_read(const char *line, const struct plot_sweep_row *before,
                    struct plot_sweep_row *ret) {
    char end;
    int n = sscanf(line, "%lf %lf %lf %lf %lf %c", &ret->peers, &ret->lag_p50_ms, &ret->lag_p99_ms,
                   &ret->overhead, &ret->source_upload_x, &end);
    if (n != 5) return ERR_FORMAT;
    bool is_fine = isfinite(ret->peers) && ret->peers >= 2 && ret->lag_p50_ms >= 0 &&
                   ret->lag_p99_ms >= 0 && isfinite(ret->overhead) && ret->source_upload_x >= 0 &&
                   isfinite(ret->source_upload_x);
    if (!is_fine || (before != NULL && ret->peers <= before->peers)) return ERR_RANGE;
    return 0;
}

static int title_read(FILE *from, char ret[PLOT_TITLE_MAX], char *ret_why, size_t why_size) {
    char line[LINE_TEXT_MAX];
    size_t len = fgets(line, sizeof line, from) != NULL ? strcspn(line, "\n") : 0;
    if (len == 0 || len >= PLOT_TITLE_MAX) {
        snprintf(ret_why, why_size, "expected a title of at most %d characters in the first line",
                 PLOT_TITLE_MAX - 1);
        return ERR_FORMAT;
    }
    memcpy(ret, line, len);
    ret[len] = '\0';
    return 0;
}

int plot_sweep_read(FILE *from, struct plot_sweep *ret, char *ret_why, size_t why_size) {
    char line[LINE_TEXT_MAX];
    int err = title_read(from, ret->title, ret_why, why_size);
    if (err) return err;
    ret->len = 0;
    while (fgets(line, sizeof line, from) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (ret->len == PLOT_SWEEP_MAX) {
            snprintf(ret_why, why_size, "more than %d rows", PLOT_SWEEP_MAX);
            return ERR_FULL;
        }
        struct plot_sweep_row *row = &ret->rows[ret->len];
        err = row_read(line, ret->len > 0 ? row - 1 : NULL, row);
        if (err) {
            snprintf(ret_why, why_size,
                     "row %u: '%.60s': expected peers (more than in the row before), lag p50 and "
                     "p99 in ms, overhead, source upload",
                     ret->len + 1, line);
            return err;
        }
        ret->len++;
    }
    if (ret->len > 0) return 0;
    snprintf(ret_why, why_size, "no rows: expected one a line, smallest swarm first");
    return ERR_TRUNCATED;
}

/* --- the panels --- */

/* Whole decades, so that every one has its number. */
static struct chart_axis peers_axis(const struct plot_sweep_row *rows, unsigned len) {
    struct chart_axis a = {.label = "peers", .is_log = true};
    a.least = pow(10, floor(log10(rows[0].peers) + 1e-9));
    a.most = pow(10, ceil(log10(rows[len - 1].peers) - 1e-9));
    if (a.most <= a.least) a.most = 10 * a.least;
    return a;
}

static struct chart_panel panel(const struct plot_sweep_row *rows, unsigned len, unsigned at) {
    return (struct chart_panel){.left = PANEL_LEFT,
                                .top = PANEL_TOP(at),
                                .width = PANEL_WIDTH,
                                .height = PANEL_HEIGHT,
                                .x = peers_axis(rows, len)};
}

static void draw_lag(struct chart *c, const struct plot_sweep_row *rows, unsigned len) {
    static const struct chart_line lines[] = {
        {.label = "p99", .colour = CHART_RED, .has_marks = true},
        {.label = "p50", .colour = CHART_BLUE, .has_marks = true},
        {.label = "goal for p99", .colour = CHART_GREEN, .is_dashed = true, .has_marks = true},
        {.label = "lower bound", .colour = CHART_GREY, .is_dashed = true, .has_marks = true},
    };
    struct chart_point p50[PLOT_SWEEP_MAX], p99[PLOT_SWEEP_MAX];
    struct chart_panel p = panel(rows, len, 0);
    double most = 0;
    for (unsigned i = 0; i < len; i++) {
        p50[i] = (struct chart_point){rows[i].peers, rows[i].lag_p50_ms};
        p99[i] = (struct chart_point){rows[i].peers, rows[i].lag_p99_ms};
        if (isfinite(rows[i].lag_p99_ms)) most = fmax(most, rows[i].lag_p99_ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(lag_goal); i++)
        if (lag_goal[i].x <= p.x.most) most = fmax(most, lag_goal[i].y);
    p.title = "Lag";
    p.y = (struct chart_axis){.label = "lag (ms)", .most = chart_nice_most(1.1 * most)};
    chart_axes(c, &p);
    chart_line(c, &p, &lines[3], lag_bound, ARRAY_LEN(lag_bound));
    chart_line(c, &p, &lines[2], lag_goal, ARRAY_LEN(lag_goal));
    chart_line(c, &p, &lines[1], p50, len);
    chart_line(c, &p, &lines[0], p99, len);
    chart_legend(c, &p, lines, ARRAY_LEN(lines));
}

/* One figure, with two lines across. */
static void draw_figure(struct chart *c, struct chart_panel *p, const char *name,
                        const struct chart_point *points, unsigned len, double goal, double limit) {
    struct chart_line lines[] = {
        {.label = name, .colour = CHART_BLUE, .has_marks = true},
        goal_line,
        {.label = "best known", .colour = CHART_GREY, .is_dashed = true},
    };
    double most = goal;
    for (unsigned i = 0; i < len; i++) most = fmax(most, points[i].y);
    p->y.most = chart_nice_most(1.1 * most);
    struct chart_point across_goal[] = {{p->x.least, goal}, {p->x.most, goal}};
    struct chart_point across_limit[] = {{p->x.least, limit}, {p->x.most, limit}};
    chart_axes(c, p);
    chart_line(c, p, &lines[2], across_limit, 2);
    chart_line(c, p, &lines[1], across_goal, 2);
    chart_line(c, p, &lines[0], points, len);
    chart_legend(c, p, lines, ARRAY_LEN(lines));
}

int plot_sweep(const struct plot_sweep *s, const char *path, char *ret_why, size_t why_size) {
    const struct plot_sweep_row *rows = s->rows;
    struct chart_point points[PLOT_SWEEP_MAX];
    struct chart *c = chart_new(path, PAGE_WIDTH, PAGE_HEIGHT, ret_why, why_size);
    if (c == NULL) return ERR_SYSTEM;
    chart_text(c, 24, 38, 18, true, s->title);
    draw_lag(c, rows, s->len);

    struct chart_panel p = panel(rows, s->len, 1);
    p.title = "Overhead: all that is sent, over the media received";
    p.y = (struct chart_axis){.label = "overhead", .is_share = true};
    for (unsigned i = 0; i < s->len; i++)
        points[i] = (struct chart_point){rows[i].peers, rows[i].overhead};
    draw_figure(c, &p, "overhead", points, s->len, OVERHEAD_GOAL, OVERHEAD_LIMIT);

    p = panel(rows, s->len, 2);
    p.title = "Upload of the source";
    p.y = (struct chart_axis){.label = "upload (stream rates)"};
    for (unsigned i = 0; i < s->len; i++)
        points[i] = (struct chart_point){rows[i].peers, rows[i].source_upload_x};
    draw_figure(c, &p, "source", points, s->len, SOURCE_GOAL, SOURCE_LIMIT);
    return chart_finish(c, ret_why, why_size);
}
