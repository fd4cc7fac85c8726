/* frame_queue.h - pictures on their way from the reader to the encoder's thread.
 *
 * Short, because every picture in it is delay. When it is full the oldest goes: the newest is
 * nearest to live. */
#ifndef FRAME_QUEUE_H
#define FRAME_QUEUE_H

#include <libavutil/frame.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/base.h"

#define FRAME_QUEUE_MAX 6u

struct queued_frame {
    AVFrame *frame;
    int64_t tick;     /* its place in the constant frame rate */
    unsigned repeats; /* places behind it that it fills too */
    uint64_t capture_us;
};

struct frame_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queued_frame frames[FRAME_QUEUE_MAX];
    size_t first, len;
    bool finished; /* nothing comes any more */
    bool aborted;  /* and what is left is not wanted */
};

void frame_queue_init(struct frame_queue *q);
void frame_queue_release(struct frame_queue *q);

/* Takes the frame over. Where the queue is full it waits if `wait`, else drops the oldest. Returns
 * how many places of the output were dropped. */
unsigned frame_queue_push(struct frame_queue *q, const struct queued_frame *f, bool wait);
/* Waits for a frame, which the caller then frees. False when none will come. */
bool frame_queue_pop(struct frame_queue *q, struct queued_frame *ret);
void frame_queue_finish(struct frame_queue *q);
void frame_queue_abort(struct frame_queue *q);

#endif
