/* recorder_order.h - fragments of a video and an audio track in, frames in decoding order out, on
 * a timeline that starts at 0.
 *
 * The timeline starts with the first random access point of the video (of the audio, where there is
 * no video); audio before it is left out. Gaps stay. A frame waits for the other track until that
 * has reached its time, at most ORDER_WAIT_US: then that track counts as silent until it is heard
 * of again. No clock, thread or file is used here. */
#ifndef RECORDER_ORDER_H
#define RECORDER_ORDER_H

#include "core/proto/fragment.h"
#include "media/cmaf_reader.h"

#define ORDER_WAIT_US (500 * US_PER_MS)
#define ORDER_FRAGMENTS_MAX 64        /* of one track that wait */
#define ORDER_BYTES_MAX (16u << 20)   /* above this nothing waits any more */
#define ORDER_GAP_MAX_US 3600000000ll /* a longer gap is a fault of the source and is closed */
#define ORDER_BACK_MAX_US 1000000ll   /* going back further is one too */
#define ORDER_LEAD_MAX_US 1000000ll   /* between decoding and showing the first frame */

enum order_kind {
    ORDER_VIDEO,
    ORDER_AUDIO,
    ORDER_KINDS,
};

struct order_track {
    bool is_present;
    struct cmaf_track track;
    int64_t lead_us; /* how long before they are shown frames are decoded */
    bool has_ended;  /* nothing follows */
    bool is_silent;  /* was waited for in vain */
    bool needs_random_access;
    int64_t reached_us; /* output time up to which the track is known */
    struct {
        struct fragment *fragment;
        uint64_t arrived_us;
    } waiting[ORDER_FRAGMENTS_MAX]; /* a ring */
    size_t first, len;
    bool is_parsed; /* the first of them */
    size_t at;      /* its next sample */
    struct cmaf_fragment parsed;
};

struct order {
    struct order_track tracks[ORDER_KINDS];
    bool is_started;
    int64_t shift_us; /* media time minus output time */
    int64_t start_us; /* audio that is heard before this media time is left out */
    int64_t end_us;   /* output time where the next broadcast goes on */
    size_t bytes;     /* of the fragments that wait */
    uint64_t dropped; /* frames; the owner takes the count and resets it */
};

struct order_frame {
    enum order_kind kind;
    struct cmaf_sample sample; /* with times of the output */
    const uint8_t *data;       /* valid until the next call */
};

/* `reorder_frames`: of the video. A broadcast that follows another goes on where that ended, or at
 * 0 where `from_zero`. All frames of the one before must have been taken. */
void order_start(struct order *o, const struct cmaf_track *video, const struct cmaf_track *audio,
                 int reorder_frames, bool from_zero);
void order_release(struct order *o);
/* Takes over the reference. The kind must be present and order_is_full false. */
void order_push(struct order *o, enum order_kind kind, struct fragment *f, uint64_t now_us);
bool order_is_full(const struct order *o);
/* The next frame. False where there is none yet; `ret_deadline_us` is then the time at which
 * waiting ends (TIME_NEVER: with the next fragment). `hurry`: waits for no track. */
bool order_next(struct order *o, bool hurry, uint64_t now_us, struct order_frame *ret,
                uint64_t *ret_deadline_us);

#endif
