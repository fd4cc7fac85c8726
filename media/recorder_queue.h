/* recorder_queue.h - what waits for the recorder's thread: fragments, and changes of the broadcast.
 *
 * A ring with bounds in bytes, seconds and entries. Where one is passed, the oldest fragments go,
 * up to the next random access point, so that what stays can be decoded; a change of the broadcast
 * is never dropped. The owner holds a lock around each call. */
#ifndef RECORDER_QUEUE_H
#define RECORDER_QUEUE_H

#include "media/cmaf_reader.h"
#include "media/recorder.h"
#include "media/recorder_order.h"

#define QUEUE_SWITCHES_MAX 4

/* The two tracks that are recorded, of all that a manifest lists. */
struct recorder_tracks {
    struct {
        bool is_present;
        uint8_t index; /* in the manifest */
        struct cmaf_track track;
    } kinds[ORDER_KINDS];
    int reorder_frames; /* of the video */
};

struct queue_entry {
    struct fragment *fragment;      /* NULL for a change */
    struct recorder_tracks *tracks; /* of the new broadcast; the queue's until it is taken */
    enum order_kind kind;
    bool is_main; /* of the video, or of the audio where there is no video */
    uint16_t frames;
};

struct recorder_queue {
    struct queue_entry ring[RECORDER_QUEUE_FRAGMENTS];
    size_t first, len;
    size_t bytes, switches;
    uint64_t duration_us; /* of the main track's fragments */
    bool needs_random_access;
    uint64_t dropped;              /* frames */
    struct recorder_tracks tracks; /* of the newest broadcast */
};

/* The first video and audio track. Returns 0, ERR_ARGUMENT (neither), ERR_FORMAT
 * (no decoder takes it) or an error of cmaf_read_init. */
MUST_CHECK int recorder_tracks_read(const struct track *tracks, size_t n,
                                    struct recorder_tracks *ret);

void queue_release(struct recorder_queue *q);
/* Takes a reference where the fragment is of use; returns whether. */
bool queue_push(struct recorder_queue *q, struct fragment *f);
/* Returns 0, ERR_FULL or ERR_MEMORY. */
MUST_CHECK int queue_switch(struct recorder_queue *q, const struct recorder_tracks *tracks);
/* The oldest entry, whose reference or memory goes to the caller; false where there is none. */
bool queue_take(struct recorder_queue *q, struct queue_entry *ret);

#endif
