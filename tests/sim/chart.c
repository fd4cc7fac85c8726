#include "tests/sim/chart.h"

#include <cairo/cairo-svg.h>
#include <cairo/cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define FONT "sans-serif"
#define TEXT_SIZE 13
#define TITLE_SIZE 14
#define TICKS 5 /* about as many on a linear axis */
#define TICK_TEXT_MAX 32

struct chart {
    cairo_surface_t *surface;
    cairo_t *cairo;
    char path[512];
    bool is_png;
};

static const struct chart_colour ink = {0.13, 0.13, 0.13}, grey = CHART_GREY,
                                 pale = {0.87, 0.87, 0.87}, faint = {0.93, 0.93, 0.93},
                                 shade = {0.945, 0.945, 0.945};

enum anchor { ANCHOR_LEFT, ANCHOR_MIDDLE, ANCHOR_RIGHT };

static void set_colour(struct chart *c, struct chart_colour colour) {
    cairo_set_source_rgb(c->cairo, colour.red, colour.green, colour.blue);
}

/* --- the page --- */

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static int refuse(const char *path, const char *reason, char *ret_why, size_t why_size) {
    snprintf(ret_why, why_size, "%.200s: %s", path, reason);
    return ERR_SYSTEM;
}

struct chart *chart_new(const char *path, double width, double height, char *ret_why,
                        size_t why_size) {
    struct chart *c = calloc(1, sizeof *c);
    bool is_png = ends_with(path, ".png");
    if (c == NULL || strlen(path) >= sizeof c->path || (!is_png && !ends_with(path, ".svg"))) {
        refuse(path, c == NULL ? "out of memory" : "expected the name of an .svg or .png file",
               ret_why, why_size);
        free(c);
        return NULL;
    }
    strcpy(c->path, path);
    c->is_png = is_png;
    if (is_png)
        c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width * CHART_PNG_SCALE,
                                                (int)height * CHART_PNG_SCALE);
    else
        c->surface = cairo_svg_surface_create(path, width, height);
    if (!is_png) cairo_svg_surface_set_document_unit(c->surface, CAIRO_SVG_UNIT_PX);
    c->cairo = cairo_create(c->surface);
    if (is_png) cairo_scale(c->cairo, CHART_PNG_SCALE, CHART_PNG_SCALE);
    cairo_set_source_rgb(c->cairo, 1, 1, 1);
    cairo_paint(c->cairo);
    return c;
}

int chart_finish(struct chart *c, char *ret_why, size_t why_size) {
    cairo_status_t status = cairo_status(c->cairo);
    cairo_destroy(c->cairo);
    if (c->is_png && status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png(c->surface, c->path);
    cairo_surface_finish(c->surface);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(c->surface);
    cairo_surface_destroy(c->surface);
    int err = 0;
    if (status != CAIRO_STATUS_SUCCESS)
        err = refuse(c->path, cairo_status_to_string(status), ret_why, why_size);
    free(c);
    return err;
}

/* --- places --- */

/* From 0 to 1 along the axis, beyond that outside of it. */
static double along(const struct chart_axis *a, double value) {
    if (!a->is_log) return (value - a->least) / (a->most - a->least);
    if (value <= 0) return -1;
    return log(value / a->least) / log(a->most / a->least);
}

static double place_x(const struct chart_panel *p, double x) {
    return p->left + p->width * along(&p->x, x);
}

static double place_y(const struct chart_panel *p, double y) {
    return p->top + p->height * (1 - along(&p->y, y));
}

/* The smallest of these times a power of ten that is at least `value`. */
static double round_up(double value, const double *steps, size_t len) {
    double decade = pow(10, floor(log10(value)));
    for (size_t i = 0; i < len; i++)
        if (steps[i] * decade >= value * (1 - 1e-9)) return steps[i] * decade;
    return 10 * decade;
}

double chart_nice_most(double value) {
    static const double ends[] = {1, 1.5, 2, 3, 4, 5, 6, 8};
    if (!(value > 0) || !isfinite(value)) return 1;
    return round_up(value, ends, ARRAY_LEN(ends));
}

/* --- text --- */

static void draw_text(struct chart *c, double x, double y, enum anchor anchor, double size,
                      bool is_bold, const char *text) {
    static const double shifts[] = {[ANCHOR_MIDDLE] = 0.5, [ANCHOR_RIGHT] = 1};
    cairo_text_extents_t extents;
    cairo_select_font_face(c->cairo, FONT, CAIRO_FONT_SLANT_NORMAL,
                           is_bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, size);
    cairo_text_extents(c->cairo, text, &extents);
    cairo_move_to(c->cairo, x - extents.x_advance * shifts[anchor], y);
    cairo_show_text(c->cairo, text);
}

static double text_width(struct chart *c, double size, const char *text) {
    cairo_text_extents_t extents;
    cairo_select_font_face(c->cairo, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, size);
    cairo_text_extents(c->cairo, text, &extents);
    return extents.x_advance;
}

void chart_text(struct chart *c, double x, double y, double size, bool is_bold, const char *text) {
    set_colour(c, ink);
    draw_text(c, x, y, ANCHOR_LEFT, size, is_bold, text);
}

/* "10,000", "0.5", "1 %". */
static const char *tick_text(const struct chart_axis *a, double value, char ret[TICK_TEXT_MAX]) {
    if (fabs(value) < 1e-12) value = 0;
    if (a->is_share)
        snprintf(ret, TICK_TEXT_MAX, "%.6g %%", 100 * value);
    else if (value >= 1000 && value < 1e9)
        snprintf(ret, TICK_TEXT_MAX, value < 1e6 ? "%.0f,%03.0f" : "%.0f,%03.0f,000",
                 floor(value / (value < 1e6 ? 1e3 : 1e6)),
                 fmod(value / (value < 1e6 ? 1 : 1e3), 1e3));
    else
        snprintf(ret, TICK_TEXT_MAX, "%.6g", value);
    return ret;
}

/* --- axes --- */

/* Calls `draw` for each value that gets a line; `is_minor`: without its number. */
static void each_tick(struct chart *c, const struct chart_panel *p, const struct chart_axis *a,
                      void (*draw)(struct chart *, const struct chart_panel *, double, bool)) {
    static const double steps[] = {1, 2, 5};
    double most = a->most * (1 + 1e-9);
    if (a->is_log) {
        for (double decade = pow(10, floor(log10(a->least) + 1e-9)); decade <= most; decade *= 10)
            for (unsigned i = 1; i < 10; i++)
                if (i * decade >= a->least * (1 - 1e-9) && i * decade <= most)
                    draw(c, p, i * decade, i != 1);
        return;
    }
    double step = round_up((a->most - a->least) / TICKS, steps, ARRAY_LEN(steps));
    for (double i = ceil(a->least / step - 1e-9); i * step <= a->most + step * 1e-9; i++)
        draw(c, p, i * step, false);
}

static void segment(struct chart *c, double x1, double y1, double x2, double y2) {
    cairo_move_to(c->cairo, x1, y1);
    cairo_line_to(c->cairo, x2, y2);
    cairo_stroke(c->cairo);
}

static void tick_x(struct chart *c, const struct chart_panel *p, double value, bool is_minor) {
    char text[TICK_TEXT_MAX];
    double x = place_x(p, value), bottom = p->top + p->height;
    set_colour(c, is_minor ? faint : pale);
    segment(c, x, p->top, x, bottom);
    if (is_minor) return;
    set_colour(c, ink);
    draw_text(c, x, bottom + 18, ANCHOR_MIDDLE, TEXT_SIZE, false, tick_text(&p->x, value, text));
}

static void tick_y(struct chart *c, const struct chart_panel *p, double value, bool is_minor) {
    char text[TICK_TEXT_MAX];
    double y = place_y(p, value);
    set_colour(c, is_minor ? faint : pale);
    segment(c, p->left, y, p->left + p->width, y);
    if (is_minor) return;
    set_colour(c, ink);
    draw_text(c, p->left - 8, y + 4.5, ANCHOR_RIGHT, TEXT_SIZE, false,
              tick_text(&p->y, value, text));
}

void chart_axes(struct chart *c, const struct chart_panel *p) {
    cairo_set_line_width(c->cairo, 1);
    each_tick(c, p, &p->x, tick_x);
    each_tick(c, p, &p->y, tick_y);
    set_colour(c, grey);
    segment(c, p->left, p->top + p->height, p->left + p->width, p->top + p->height);
    segment(c, p->left, p->top, p->left, p->top + p->height);
    set_colour(c, ink);
    draw_text(c, p->left + p->width / 2, p->top + p->height + 38, ANCHOR_MIDDLE, TEXT_SIZE, false,
              p->x.label);
    cairo_save(c->cairo);
    cairo_translate(c->cairo, p->left - 62, p->top + p->height / 2);
    cairo_rotate(c->cairo, -M_PI / 2);
    draw_text(c, 0, 0, ANCHOR_MIDDLE, TEXT_SIZE, false, p->y.label);
    cairo_restore(c->cairo);
    draw_text(c, p->left, p->top - 12, ANCHOR_LEFT, TITLE_SIZE, true, p->title);
}

void chart_shade(struct chart *c, const struct chart_panel *p, double from, double to,
                 const char *label) {
    double x = fmax(place_x(p, from), p->left), end = fmin(place_x(p, to), p->left + p->width);
    if (end <= x) return;
    set_colour(c, shade);
    cairo_rectangle(c->cairo, x, p->top, end - x, p->height);
    cairo_fill(c->cairo);
    set_colour(c, grey);
    draw_text(c, x + 6, p->top + 26, ANCHOR_LEFT, TEXT_SIZE - 1, false, label);
}

/* --- data --- */

static void clip(struct chart *c, const struct chart_panel *p) {
    cairo_save(c->cairo);
    cairo_rectangle(c->cairo, p->left, p->top, p->width, p->height + 1);
    cairo_clip(c->cairo);
}

static bool is_above(const struct chart_panel *p, struct chart_point at) {
    return at.y > p->y.most * (1 + 1e-9);
}

static void draw_triangle(struct chart *c, double x, double y) {
    cairo_move_to(c->cairo, x - 4, y + 8);
    cairo_line_to(c->cairo, x + 4, y + 8);
    cairo_line_to(c->cairo, x, y + 1);
    cairo_fill(c->cairo);
}

static void draw_dot(struct chart *c, double x, double y) {
    cairo_arc(c->cairo, x, y, 3.5, 0, 2 * M_PI);
    cairo_fill(c->cairo);
}

static void set_stroke(struct chart *c, const struct chart_line *line) {
    static const double dashes[] = {6, 4};
    set_colour(c, line->colour);
    cairo_set_line_width(c->cairo, line->is_dashed ? 1.5 : 2);
    cairo_set_line_join(c->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(c->cairo, dashes, line->is_dashed ? ARRAY_LEN(dashes) : 0, 0);
}

static void draw_marks(struct chart *c, const struct chart_panel *p, const struct chart_line *line,
                       const struct chart_point *points, unsigned len) {
    set_colour(c, line->colour);
    for (unsigned i = 0; i < len; i++) {
        double at = along(&p->x, points[i].x);
        if (!(at > -1e-9 && at < 1 + 1e-9)) continue;
        if (is_above(p, points[i]))
            draw_triangle(c, place_x(p, points[i].x), p->top);
        else if (line->has_marks && !isnan(points[i].y))
            draw_dot(c, place_x(p, points[i].x), place_y(p, points[i].y));
    }
}

void chart_line(struct chart *c, const struct chart_panel *p, const struct chart_line *line,
                const struct chart_point *points, unsigned len) {
    bool is_drawing = false;
    clip(c, p);
    set_stroke(c, line);
    for (unsigned i = 0; i < len; i++) {
        /* What never came leads out of the panel. */
        double x = place_x(p, points[i].x), beyond = p->top - p->height;
        double y = is_above(p, points[i]) ? fmax(place_y(p, points[i].y), beyond)
                                          : place_y(p, points[i].y);
        bool is_there = !isnan(y);
        if (is_there && is_drawing)
            cairo_line_to(c->cairo, x, y);
        else if (is_there)
            cairo_move_to(c->cairo, x, y);
        is_drawing = is_there;
    }
    cairo_stroke(c->cairo);
    cairo_set_dash(c->cairo, NULL, 0, 0);
    cairo_restore(c->cairo);
    draw_marks(c, p, line, points, len);
}

void chart_area(struct chart *c, const struct chart_panel *p, const struct chart_line *line,
                const struct chart_point *low, const struct chart_point *high, unsigned len) {
    clip(c, p);
    set_colour(c, line->colour);
    for (unsigned i = 0; i < len; i++)
        cairo_line_to(c->cairo, place_x(p, high[i].x), place_y(p, high[i].y));
    for (unsigned i = len; i > 0; i--)
        cairo_line_to(c->cairo, place_x(p, low[i - 1].x), place_y(p, low[i - 1].y));
    cairo_close_path(c->cairo);
    cairo_fill(c->cairo);
    cairo_restore(c->cairo);
}

void chart_legend(struct chart *c, const struct chart_panel *p, const struct chart_line *lines,
                  unsigned len) {
    double x = p->left + p->width, y = p->top - 12;
    for (unsigned i = len; i > 0; i--) {
        const struct chart_line *line = &lines[i - 1];
        x -= text_width(c, TEXT_SIZE, line->label);
        set_colour(c, ink);
        draw_text(c, x, y, ANCHOR_LEFT, TEXT_SIZE, false, line->label);
        double stroke = line->is_area ? 12 : 24;
        x -= stroke + 6;
        set_stroke(c, line);
        if (line->is_area) {
            cairo_rectangle(c->cairo, x, y - 10, 12, 12);
            cairo_fill(c->cairo);
        } else {
            segment(c, x, y - 4, x + stroke, y - 4);
            if (line->has_marks) draw_dot(c, x + stroke / 2, y - 4);
        }
        cairo_set_dash(c->cairo, NULL, 0, 0);
        x -= 16;
    }
}

void chart_mark(struct chart *c, const struct chart_panel *p, struct chart_point at,
                const char *label) {
    double x = place_x(p, at.x), y = place_y(p, at.y);
    set_colour(c, ink);
    draw_dot(c, x, y);
    draw_text(c, x + 9, y - 6, ANCHOR_LEFT, TEXT_SIZE, false, label);
}
