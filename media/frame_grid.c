#include "media/frame_grid.h"

#include <math.h>

/* In places. The sum is above 1, so that a frame between two places is not dropped at one and
 * missed at the other when its timestamp jitters; a half, as at 60 to 30, is well inside. */
#define EARLY_MAX 0.65
#define LATE_MAX 0.75

uint64_t frame_grid_us(const struct frame_grid *g, int64_t tick) {
    /* Whole seconds apart, so that no product overflows in a broadcast's life. */
    uint64_t n = (uint64_t)tick * g->fps_den;
    return n / g->fps_num * US_PER_S + n % g->fps_num * US_PER_S / g->fps_num;
}

struct frame_place frame_grid_take(struct frame_grid *g, uint64_t pts_us) {
    double place = (double)pts_us * g->fps_num / ((double)US_PER_S * g->fps_den);
    if (!g->started) {
        g->started = true;
        g->next = (int64_t)floor(place + 0.5);
    }
    double late = place - (double)g->next;
    if (late < -EARLY_MAX) return (struct frame_place){.taken = false};

    struct frame_place ret = {.taken = true, .tick = g->next};
    if (late > LATE_MAX) {
        int64_t missing = (int64_t)floor(late + 0.5);
        ret.tick += missing;
        unsigned second = (g->fps_num + g->fps_den - 1) / g->fps_den;
        if (missing <= (int64_t)second) ret.repeats = (unsigned)missing;
    }
    g->next = ret.tick + 1;
    return ret;
}
