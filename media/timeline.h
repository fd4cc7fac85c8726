/* timeline.h - an input's timestamps made into one timeline from 0 without jumps.
 *
 * Files lack timestamps, streams start anywhere, broadcasts restart and count backwards, loops
 * begin again. A timestamp that does not follow from the one before it moves the offset of its
 * track, so that it does; the other tracks take over the new offset when they jump too, which keeps
 * sound and picture together. Small gaps are real (lost packets) and stay.
 *
 * Invariant: what timeline_map gives is at most TIMELINE_GAP_MAX_US after the end of what it gave
 * for that track before and at most TIMELINE_BACK_MAX_US before it, but for a track's first. */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <stdbool.h>

#include "core/base/base.h"

#define TIMELINE_NO_TIME INT64_MIN
#define TIMELINE_GAP_MAX_US (2 * (int64_t)US_PER_S)
#define TIMELINE_BACK_MAX_US (100 * (int64_t)US_PER_MS)
/* How far from the other tracks' end a track may begin: video that waits for its first keyframe. */
#define TIMELINE_START_MAX_US (10 * (int64_t)US_PER_S)
/* Times beyond are taken for missing, so that sums cannot overflow: 290 years. */
#define TIMELINE_INPUT_MAX_US (INT64_MAX / 1000)

struct timeline {
    bool started;
    int64_t offset_us; /* of the track that jumped last: the timeline's time minus the input's */
    int64_t end_us;    /* of the track that came furthest */
};

struct timeline_track {
    bool started;
    int64_t offset_us;
    int64_t next_us; /* the end of the last frame */
};

/* The input's time `start_us` becomes 0. Optional: without it the first timestamp does. */
void timeline_start(struct timeline *t, int64_t start_us);
/* The place of a frame on the timeline, in microseconds. Negative for what lies before its start
 * and is to be dropped. `input_us` may be TIMELINE_NO_TIME: then the frame follows the last. */
int64_t timeline_map(struct timeline *t, struct timeline_track *track, int64_t input_us,
                     uint64_t duration_us);
/* The input begins again at `start_us`: it goes on where the furthest track ended. The caller then
 * resets each track with timeline_track_rejoin. */
void timeline_loop(struct timeline *t, int64_t start_us);
void timeline_track_rejoin(struct timeline_track *track);

#endif
