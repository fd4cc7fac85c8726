#include "media/pace_clock.h"

uint64_t pace_clock_due(struct pace_clock *c, uint64_t pts_us, uint64_t now_us) {
    /* The difference may wrap below 0 where the machine is younger than the timeline's time; sums
     * of unsigned numbers come out right all the same. */
    uint64_t due_us = c->anchor_us + pts_us;
    bool late = (int64_t)(now_us - due_us) > (int64_t)PACE_LATE_MAX_US;
    if (c->anchored && !late) return due_us;
    c->anchored = true;
    c->anchor_us = now_us - pts_us;
    return now_us;
}
