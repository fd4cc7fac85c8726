/* network_queue.h - what will happen in a simulated network, in order: by time, and where times
 * are equal by the order of being added.
 *
 * A hierarchical timing wheel (Varghese and Lauck 1987) with slots of 1 us, 1 ms, 1 s and so on:
 * adding and taking cost the same however many events wait. A slot is a list of chunks, so that
 * moving a slot to the finer wheel below it reads memory in order. The next few events of the
 * finest wheel stand in an array of their own, so that it can be told what comes next. Invariant:
 * no event is earlier than the last one taken. */
#ifndef NETWORK_QUEUE_H
#define NETWORK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_QUEUE_BITS 10
#define NETWORK_QUEUE_SLOTS (1u << NETWORK_QUEUE_BITS)
#define NETWORK_QUEUE_LEVELS 7 /* of 10 bits: all of 64 */
#define NETWORK_QUEUE_HOST_MAX ((1u << 18) - 1)
#define NETWORK_QUEUE_LEN_MAX ((1u << 11) - 1)
#define NETWORK_QUEUE_SOON                                                                         \
    12                         /* events that are known in order, where the finest wheel has them  \
                                */
#define NETWORK_CHUNK_EVENTS 7 /* fills two lines of a cache */

struct network_event {
    uint64_t at_us;
    /* What it is about: the queue does not look at it. */
    uint32_t index;
    uint32_t host : 18, len : 11, kind : 3;
};

struct network_chunk {
    struct network_event events[NETWORK_CHUNK_EVENTS];
    uint32_t next; /* 0: the last */
    uint16_t taken, len;
    uint64_t unused; /* to the end of the second line */
};

struct network_slot {
    uint32_t head, tail; /* 0: empty */
};

struct network_wheel {
    uint64_t used[NETWORK_QUEUE_SLOTS / 64]; /* a bit for each slot that is not empty */
    uint64_t used_words;                     /* a bit for each word above that is not 0 */
    struct network_slot slots[NETWORK_QUEUE_SLOTS];
};

struct network_queue {
    uint64_t at_us; /* of the event that left the wheels last, or the start of the slot that was
                       opened since */
    /* The soonest, in order: what comes before `at_us` is sorted in here. */
    struct network_event *soon;
    uint32_t soon_first, soon_end, soon_max;
    struct network_wheel wheels[NETWORK_QUEUE_LEVELS];
    struct network_chunk *chunks; /* the first is never used */
    uint32_t chunks_len, chunks_max, free_chunk;
};

void network_queue_init(struct network_queue *q);
void network_queue_release(struct network_queue *q);
/* Not before what was taken last, nor before the `until_us` of a take that found nothing. */
void network_queue_add(struct network_queue *q, struct network_event e);
/* The soonest event; false when none is due at `until_us`. */
bool network_queue_take(struct network_queue *q, uint64_t until_us, struct network_event *ret);
/* The one that is taken next but `after`, unless others are added before it; NULL: not known yet.
 */
static inline const struct network_event *network_queue_peek(const struct network_queue *q,
                                                             unsigned after) {
    return after < q->soon_end - q->soon_first ? &q->soon[q->soon_first + after] : NULL;
}

#endif
