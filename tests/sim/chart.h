/* chart.h - axes, lines, areas and legends in an SVG or PNG file: the only user of cairo.
 *
 * A chart is a page; panels are rectangles on it with axes of their own. Points that are no number
 * are gaps in a line; those above the axis, the infinite ones among them, stand as triangles at the
 * panel's upper edge, so that a picture never hides the worst. */
#ifndef CHART_H
#define CHART_H

#include <stdbool.h>

#include "core/base/base.h"

#define CHART_PNG_SCALE 2 /* pixels for a unit of length, for sharp screens */

struct chart;

struct chart_colour {
    double red, green, blue;
};

/* Initialisers: Okabe and Ito's colours, which stay apart for the colour-blind, and a grey. */
#define CHART_BLUE                                                                                 \
    { 0, 0.447, 0.698 }
#define CHART_RED                                                                                  \
    { 0.835, 0.369, 0 }
#define CHART_GREEN                                                                                \
    { 0, 0.62, 0.451 }
#define CHART_ORANGE                                                                               \
    { 0.902, 0.624, 0 }
#define CHART_SKY                                                                                  \
    { 0.337, 0.706, 0.914 }
#define CHART_GREY                                                                                 \
    { 0.35, 0.35, 0.35 }

struct chart_axis {
    const char *label; /* with its unit */
    double least, most;
    bool is_log;
    bool is_share; /* ticks in per cent */
};

struct chart_panel {
    double left, top, width, height; /* of the rectangle inside the axes */
    const char *title;
    struct chart_axis x, y;
};

struct chart_point {
    double x, y;
};

struct chart_line {
    const char *label;
    struct chart_colour colour;
    bool is_dashed;
    bool has_marks; /* a dot at each point */
    bool is_area;   /* in the legend: a square instead of a stroke */
};

/* SVG or PNG by the path's end. Returns NULL with one line about it. */
struct chart *chart_new(const char *path, double width, double height, char *ret_why,
                        size_t why_size);
/* Writes the file and frees. Returns 0, or a negative error with one line about it. */
MUST_CHECK int chart_finish(struct chart *c, char *ret_why, size_t why_size);

void chart_axes(struct chart *c, const struct chart_panel *p);
/* A part of the time, from the lower to the upper edge; before the axes. */
void chart_shade(struct chart *c, const struct chart_panel *p, double from, double to,
                 const char *label);
void chart_line(struct chart *c, const struct chart_panel *p, const struct chart_line *line,
                const struct chart_point *points, unsigned len);
/* Between two lines over the same `x`. */
void chart_area(struct chart *c, const struct chart_panel *p, const struct chart_line *line,
                const struct chart_point *low, const struct chart_point *high, unsigned len);
/* At the right end of the title's line. */
void chart_legend(struct chart *c, const struct chart_panel *p, const struct chart_line *lines,
                  unsigned len);
/* A dot at a place of the panel, with a word to the right of it and above. */
void chart_mark(struct chart *c, const struct chart_panel *p, struct chart_point at,
                const char *label);
/* Anywhere on the page; `y` is the base line. */
void chart_text(struct chart *c, double x, double y, double size, bool is_bold, const char *text);

/* At least `value`, and a number at which an axis may end. 1 where there is nothing to show. */
double chart_nice_most(double value);

#endif
