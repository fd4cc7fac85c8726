#include "core/link/unreliable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define CAPACITY_MIN 256

void unreliable_init(struct unreliable_queue *q) {
    *q = (struct unreliable_queue){.due_us = TIME_NEVER};
}

void unreliable_release(struct unreliable_queue *q) {
    free(q->bytes);
    unreliable_init(q);
}

/* Room for `len` bytes behind the last, moved to the front or into more memory where need be. */
static int reserve(struct unreliable_queue *q, size_t len) {
    size_t used = (size_t)(q->end - q->start);
    if (used + len > UNRELIABLE_QUEUE_BYTES) return ERR_FULL;
    if (q->end + len <= q->capacity) return 0;
    size_t capacity = size_max(q->capacity, CAPACITY_MIN);
    while (capacity < used + len) capacity *= 2;
    capacity = size_min(capacity, UNRELIABLE_QUEUE_BYTES);
    if (used > 0) memmove(q->bytes, q->bytes + q->start, used);
    q->start = 0;
    q->end = (uint16_t)used;
    if (capacity == q->capacity) return 0;
    uint8_t *bytes = realloc(q->bytes, capacity);
    if (bytes == NULL) return ERR_MEMORY;
    q->bytes = bytes;
    q->capacity = (uint16_t)capacity;
    return 0;
}

int unreliable_add(struct unreliable_queue *q, const void *data, size_t len, uint64_t token,
                   uint64_t now_us) {
    assert(len >= 1 && len <= UNRELIABLE_MAX);
    struct unreliable u = {.token = token,
                           .due_us = token != 0 ? now_us : now_us + UNRELIABLE_DELAY_US,
                           .len = (uint16_t)len};
    int err = reserve(q, sizeof u + len);
    if (err) return err;
    memcpy(q->bytes + q->end, &u, sizeof u);
    memcpy(q->bytes + q->end + sizeof u, data, len);
    q->end = (uint16_t)(q->end + sizeof u + len);
    q->due_us = u64_min(q->due_us, u.due_us);
    return 0;
}

bool unreliable_peek(const struct unreliable_queue *q, struct unreliable *ret,
                     const uint8_t **ret_data) {
    if (q->start == q->end) return false;
    memcpy(ret, q->bytes + q->start, sizeof *ret);
    *ret_data = q->bytes + q->start + sizeof *ret;
    return true;
}

/* Once the first is due all that wait go with it, so the queue's due time stays until it is
 * empty: what is behind a due one is at most one datagram later. */
void unreliable_pop(struct unreliable_queue *q) {
    struct unreliable u;
    const uint8_t *data;
    bool has_one = unreliable_peek(q, &u, &data);
    assert(has_one);
    q->start = (uint16_t)(q->start + sizeof u + u.len);
    if (q->start == q->end) unreliable_release(q);
}
