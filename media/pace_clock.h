/* pace_clock.h - when a frame of a stored input is due, so that a file plays in real time.
 *
 * Each due time is the anchor plus the frame's time, never the last due time plus a duration, so
 * nothing adds up to a drift. An input that falls far behind (a pipe that stalled) moves the anchor
 * instead of being caught up with: a burst of frames would only be dropped at the encoder. */
#ifndef PACE_CLOCK_H
#define PACE_CLOCK_H

#include <stdbool.h>

#include "core/base/base.h"

/* Behind by less than this is caught up with: a slow disk or a busy moment. */
#define PACE_LATE_MAX_US (500 * US_PER_MS)

struct pace_clock {
    bool anchored;
    uint64_t anchor_us; /* monotonic time of the timeline's 0 */
};

/* The monotonic time at which what stands at `pts_us` of the timeline is due; `now_us` for the
 * first, and for one that is later than PACE_LATE_MAX_US. */
uint64_t pace_clock_due(struct pace_clock *c, uint64_t pts_us, uint64_t now_us);

#endif
