#include "media/recorder_queue.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "media/h264_sps.h"

int recorder_tracks_read(const struct track *tracks, size_t n, struct recorder_tracks *ret) {
    struct recorder_tracks found = {0};
    for (size_t i = 0; i < n && i < TRACKS_MAX; i++) {
        size_t kind = tracks[i].kind == TRACK_VIDEO ? ORDER_VIDEO : ORDER_AUDIO;
        if (found.kinds[kind].is_present) continue;
        if (tracks[i].init_len > INIT_SIZE_MAX) return ERR_RANGE;
        int err = cmaf_read_init(tracks[i].init, tracks[i].init_len, &found.kinds[kind].track);
        if (err) return err;
        if (found.kinds[kind].track.kind != tracks[i].kind) return ERR_FORMAT;
        found.kinds[kind].is_present = true;
        found.kinds[kind].index = (uint8_t)i;
    }
    if (!found.kinds[ORDER_VIDEO].is_present && !found.kinds[ORDER_AUDIO].is_present)
        return ERR_ARGUMENT;
    if (found.kinds[ORDER_VIDEO].is_present) {
        const struct cmaf_track *video = &found.kinds[ORDER_VIDEO].track;
        found.reorder_frames = h264_reorder_frames(video->config, video->config_len);
        if (found.reorder_frames < 0) return found.reorder_frames;
    }
    *ret = found;
    return 0;
}

static bool is_main(const struct recorder_queue *q, enum order_kind kind) {
    return kind == ORDER_VIDEO || !q->tracks.kinds[ORDER_VIDEO].is_present;
}

bool queue_take(struct recorder_queue *q, struct queue_entry *ret) {
    if (q->len == 0) return false;
    *ret = q->ring[q->first];
    q->first = (q->first + 1) % RECORDER_QUEUE_FRAGMENTS;
    q->len--;
    if (ret->fragment == NULL) {
        q->switches--;
        return true;
    }
    q->bytes -= ret->fragment->len;
    if (ret->is_main) q->duration_us = u64_sub(q->duration_us, ret->fragment->duration_us);
    if (q->len == 0) q->duration_us = 0;
    return true;
}

void queue_release(struct recorder_queue *q) {
    struct queue_entry e;
    while (queue_take(q, &e)) {
        if (e.fragment != NULL) q->dropped += e.frames;
        if (e.fragment != NULL) fragment_unref(e.fragment);
        free(e.tracks);
    }
}

static bool is_full(const struct recorder_queue *q) {
    return q->len >= RECORDER_QUEUE_FRAGMENTS - QUEUE_SWITCHES_MAX ||
           q->bytes > RECORDER_QUEUE_BYTES || q->duration_us > RECORDER_QUEUE_US;
}

static bool starts_with_fragment(const struct recorder_queue *q) {
    return q->len > 0 && q->ring[q->first].fragment != NULL;
}

/* From the oldest fragment up to the next point where decoding starts, or to a change. */
static void drop(struct recorder_queue *q) {
    bool is_first = true;
    while (starts_with_fragment(q)) {
        const struct queue_entry *oldest = &q->ring[q->first];
        if (!is_first && oldest->is_main && oldest->fragment->random_access) return;
        struct queue_entry e;
        if (!queue_take(q, &e)) return;
        q->dropped += e.frames;
        fragment_unref(e.fragment);
        is_first = false;
    }
    /* The rest of that group of pictures is still to come. */
    if (q->len == 0) q->needs_random_access = true;
}

static void append(struct recorder_queue *q, struct queue_entry e) {
    q->ring[(q->first + q->len++) % RECORDER_QUEUE_FRAGMENTS] = e;
}

/* Returns how many frames a fragment holds, 0 for a broken one. */
static uint16_t count_frames(const struct cmaf_track *track, const struct fragment *f) {
    struct cmaf_fragment parsed;
    if (cmaf_read_fragment(track, f->data, f->len, &parsed) != 0) return 0;
    return (uint16_t)parsed.len;
}

bool queue_push(struct recorder_queue *q, struct fragment *f) {
    enum order_kind kind = ORDER_VIDEO;
    while (kind < ORDER_KINDS &&
           !(q->tracks.kinds[kind].is_present && q->tracks.kinds[kind].index == f->track))
        kind++;
    if (kind == ORDER_KINDS || f->len > FRAGMENT_SIZE_MAX) return false;
    uint16_t frames = f->end ? 0 : count_frames(&q->tracks.kinds[kind].track, f);
    if (frames == 0 && !f->end) {
        q->dropped++;
        return false;
    }
    bool main = is_main(q, kind);
    while (is_full(q) && starts_with_fragment(q)) drop(q);
    if (main && is_full(q))
        q->needs_random_access = true;
    else if (main && f->random_access)
        q->needs_random_access = false;
    if (is_full(q) || (main && q->needs_random_access && !f->end)) {
        q->dropped += frames;
        return false;
    }
    append(q, (struct queue_entry){
                  .fragment = fragment_ref(f), .kind = kind, .is_main = main, .frames = frames});
    q->bytes += f->len;
    if (main) q->duration_us += f->duration_us;
    return true;
}

int queue_switch(struct recorder_queue *q, const struct recorder_tracks *tracks) {
    if (q->switches == QUEUE_SWITCHES_MAX) return ERR_FULL;
    struct queue_entry e = {.tracks = malloc(sizeof *e.tracks)};
    if (e.tracks == NULL) return ERR_MEMORY;
    *e.tracks = *tracks;
    append(q, e);
    q->switches++;
    q->tracks = *tracks;
    q->needs_random_access = false;
    return 0;
}
