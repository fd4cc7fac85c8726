/* send_queue.h - what one neighbour is to get, oldest first, by class.
 *
 * Items name cells; the bytes stay in the window, and an item whose cell has left it is skipped
 * when its turn comes. Bounded: a full class drops its oldest, which is the least worth sending. */
#ifndef SEND_QUEUE_H
#define SEND_QUEUE_H

#include <stdbool.h>

#include "core/base/base.h"

#define SEND_QUEUE_MAX 4096 /* items of a class: a fragment of FRAGMENT_SIZE_MAX */

enum send_class {
    SEND_FIRST,   /* heads, a subscriber's cells of the sound as they arrive, and what was lost on
                   * the way to it: little */
    SEND_FRESH,   /* a subscriber's cells of the picture as they arrive */
    SEND_REPAIR,  /* asked for one by one; lost on the way, and late */
    SEND_BACKLOG, /* from a joiner's random access point to live */
    SEND_CLASSES,
};

struct send_item {
    uint32_t number;
    uint32_t queued_us; /* low bits: nothing waits for an hour */
    uint8_t track;
    uint8_t index;
    bool is_cancelled;
};

static inline uint64_t send_item_waited_us(const struct send_item *item, uint64_t now_us) {
    return (uint32_t)now_us - item->queued_us;
}

struct send_ring {
    struct send_item *items; /* NULL until used; capacity is a power of two */
    uint16_t capacity;
    uint16_t head, len;
    bool was_used; /* since it was last trimmed */
};

struct send_queue {
    struct send_ring rings[SEND_CLASSES];
};

void send_queue_release(struct send_queue *q);
/* Returns false where an older item was dropped for it, or there was no memory. */
bool send_queue_push(struct send_queue *q, enum send_class class, const struct send_item *item);
void send_queue_pop(struct send_queue *q, enum send_class class);
void send_queue_clear(struct send_queue *q);
/* Frees the rings that are empty, but for small ones of what flows all the time. */
void send_queue_trim(struct send_queue *q);

static inline size_t send_queue_len(const struct send_queue *q, enum send_class class) {
    return q->rings[class].len;
}

/* The oldest; NULL: there is none. */
static inline const struct send_item *send_queue_peek(const struct send_queue *q,
                                                      enum send_class class) {
    const struct send_ring *r = &q->rings[class];
    return r->len == 0 ? NULL : &r->items[r->head];
}

#endif
