#include "media/frame_queue.h"

void frame_queue_init(struct frame_queue *q) {
    *q = (struct frame_queue){.first = 0};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
}

static struct queued_frame take_first(struct frame_queue *q) {
    struct queued_frame f = q->frames[q->first];
    q->first = (q->first + 1) % FRAME_QUEUE_MAX;
    q->len--;
    return f;
}

void frame_queue_release(struct frame_queue *q) {
    while (q->len > 0) {
        struct queued_frame f = take_first(q);
        av_frame_free(&f.frame);
    }
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
}

unsigned frame_queue_push(struct frame_queue *q, const struct queued_frame *f, bool wait) {
    struct queued_frame out = {.frame = NULL};
    pthread_mutex_lock(&q->lock);
    while (wait && q->len == FRAME_QUEUE_MAX && !q->aborted)
        pthread_cond_wait(&q->changed, &q->lock);
    if (q->aborted) {
        out = *f;
    } else {
        if (q->len == FRAME_QUEUE_MAX) out = take_first(q);
        q->frames[(q->first + q->len++) % FRAME_QUEUE_MAX] = *f;
        pthread_cond_broadcast(&q->changed);
    }
    pthread_mutex_unlock(&q->lock);
    if (out.frame == NULL) return 0;
    av_frame_free(&out.frame);
    return 1 + out.repeats;
}

bool frame_queue_pop(struct frame_queue *q, struct queued_frame *ret) {
    pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->finished && !q->aborted) pthread_cond_wait(&q->changed, &q->lock);
    bool has = q->len > 0 && !q->aborted;
    if (has) {
        *ret = take_first(q);
        pthread_cond_broadcast(&q->changed);
    }
    pthread_mutex_unlock(&q->lock);
    return has;
}

void frame_queue_finish(struct frame_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->finished = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

void frame_queue_abort(struct frame_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->aborted = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}
