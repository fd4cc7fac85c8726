/* frame_grid.h - a constant frame rate made of frames at any times: by dropping and repeating.
 *
 * Frame k of the output stands at k / rate. A frame takes the next place when it is near it, with
 * some slack, so that rounded or jittered timestamps at the input's own rate neither drop nor
 * repeat. Larger holes than a second stay holes. */
#ifndef FRAME_GRID_H
#define FRAME_GRID_H

#include <stdbool.h>

#include "core/base/base.h"

struct frame_grid {
    unsigned fps_num, fps_den;
    bool started;
    int64_t next; /* the place behind the last frame taken */
};

struct frame_place {
    bool taken;       /* false: the frame is dropped */
    int64_t tick;     /* its place, in frames of the output */
    unsigned repeats; /* places before it that the frame before fills again */
};

struct frame_place frame_grid_take(struct frame_grid *g, uint64_t pts_us);
/* The time of a place. */
uint64_t frame_grid_us(const struct frame_grid *g, int64_t tick);

#endif
