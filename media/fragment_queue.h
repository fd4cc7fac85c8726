/* fragment_queue.h - finished fragments on their way to the source's caller.
 *
 * Bounded by count and bytes. Where the caller stalls, all that waits is dropped, and each track
 * goes on from its next random access point, marked as a discontinuity: a caller that comes back is
 * at live, and what it gets can be decoded. The end of a track is never dropped. */
#ifndef FRAGMENT_QUEUE_H
#define FRAGMENT_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/proto/fragment.h"

#define FRAGMENT_QUEUE_MAX 128u /* some 3 s at 30 fps with sound */
#define FRAGMENT_QUEUE_TRACKS 2u
/* Twice the largest fragment: one always fits. */
#define FRAGMENT_QUEUE_BYTES_MAX (2u * FRAGMENT_SIZE_MAX)

struct fragment_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int fd; /* an eventfd, readable while `signalled` */
    bool signalled;
    bool closed;     /* nothing comes any more */
    bool close_told; /* and the caller knows */
    bool aborted;    /* nobody takes any more: nobody waits for room */
    struct fragment *fragments[FRAGMENT_QUEUE_MAX + FRAGMENT_QUEUE_TRACKS]; /* room for the ends */
    size_t first, len;
    size_t bytes;
    bool skipping[FRAGMENT_QUEUE_TRACKS]; /* until a random access point */
    uint64_t dropped;
};

/* Returns 0 or ERR_SYSTEM. */
MUST_CHECK int fragment_queue_init(struct fragment_queue *q);
void fragment_queue_release(struct fragment_queue *q);

/* Takes the fragment over. Where it does not fit it waits if `wait`, else room is made. */
void fragment_queue_push(struct fragment_queue *q, struct fragment *f, bool wait);
struct fragment *fragment_queue_pop(struct fragment_queue *q);
void fragment_queue_close(struct fragment_queue *q);
void fragment_queue_abort(struct fragment_queue *q);
/* Closed and empty: from now on the descriptor is quiet. */
bool fragment_queue_is_over(struct fragment_queue *q);
uint64_t fragment_queue_dropped(struct fragment_queue *q);

#endif
