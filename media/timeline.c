#include "media/timeline.h"

void timeline_start(struct timeline *t, int64_t start_us) {
    if (start_us < -TIMELINE_INPUT_MAX_US || start_us > TIMELINE_INPUT_MAX_US) return;
    t->started = true;
    t->offset_us = -start_us;
}

/* Does `us` follow from what the track, or the timeline where the track is new, had before? */
static bool follows(const struct timeline *t, const struct timeline_track *track, int64_t us) {
    if (track->started)
        return us >= track->next_us - TIMELINE_BACK_MAX_US &&
               us <= track->next_us + TIMELINE_GAP_MAX_US;
    return us >= t->end_us - TIMELINE_START_MAX_US && us <= t->end_us + TIMELINE_START_MAX_US;
}

static int64_t place(struct timeline *t, struct timeline_track *track, int64_t input_us) {
    if (track->started && follows(t, track, input_us + track->offset_us))
        return input_us + track->offset_us;
    if (!follows(t, track, input_us + t->offset_us))
        t->offset_us = (track->started ? track->next_us : t->end_us) - input_us;
    track->offset_us = t->offset_us;
    return input_us + track->offset_us;
}

int64_t timeline_map(struct timeline *t, struct timeline_track *track, int64_t input_us,
                     uint64_t duration_us) {
    bool known = input_us >= -TIMELINE_INPUT_MAX_US && input_us <= TIMELINE_INPUT_MAX_US;
    if (!t->started) timeline_start(t, known ? input_us : 0);
    int64_t us;
    if (known)
        us = place(t, track, input_us);
    else
        us = track->started ? track->next_us : t->end_us;
    if (!known && !track->started) track->offset_us = t->offset_us;
    track->started = true;
    track->next_us = us + (int64_t)u64_min(duration_us, (uint64_t)TIMELINE_GAP_MAX_US);
    if (track->next_us > t->end_us) t->end_us = track->next_us;
    return us;
}

void timeline_loop(struct timeline *t, int64_t start_us) {
    if (start_us < -TIMELINE_INPUT_MAX_US || start_us > TIMELINE_INPUT_MAX_US) start_us = 0;
    t->offset_us = t->end_us - start_us;
}

void timeline_track_rejoin(struct timeline_track *track) { track->started = false; }
