/* unreliable.h - messages that are sent once, in order, waiting for the next datagram.
 *
 * One with a token is waited for at the other end and leaves at once; one without (a state that
 * the next one replaces) may wait UNRELIABLE_DELAY_US for company. */
#ifndef UNRELIABLE_H
#define UNRELIABLE_H

#include <stdbool.h>

#include "core/base/base.h"

#define UNRELIABLE_MAX 1170 /* with its header fits a sealed datagram */
#define UNRELIABLE_QUEUE_BYTES (12 * 1024)
#define UNRELIABLE_DELAY_US (25 * US_PER_MS)

struct unreliable {
    uint64_t token;
    uint64_t due_us;
    uint16_t len;
};

struct unreliable_queue {
    uint8_t *bytes;  /* a struct unreliable, then its data, and so on; NULL where empty */
    uint64_t due_us; /* the earliest of all; TIME_NEVER where empty */
    uint16_t start, end, capacity; /* to UNRELIABLE_QUEUE_BYTES */
};

void unreliable_init(struct unreliable_queue *q);
void unreliable_release(struct unreliable_queue *q);
/* Returns 0, ERR_FULL or ERR_MEMORY. `len` from 1 to UNRELIABLE_MAX. */
MUST_CHECK int unreliable_add(struct unreliable_queue *q, const void *data, size_t len,
                              uint64_t token, uint64_t now_us);
/* The first one and its data, or false. */
bool unreliable_peek(const struct unreliable_queue *q, struct unreliable *ret,
                     const uint8_t **ret_data);
void unreliable_pop(struct unreliable_queue *q);

#endif
