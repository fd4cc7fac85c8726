#include "core/link/unreliable.h"

#include <assert.h>
#include <string.h>

#include "core/base/err.h"

void unreliable_init(struct unreliable_queue *q) {
    q->start = q->end = 0;
    q->due_us = TIME_NEVER;
}

int unreliable_add(struct unreliable_queue *q, const void *data, size_t len, uint64_t token,
                   uint64_t now_us) {
    assert(len >= 1 && len <= UNRELIABLE_MAX);
    struct unreliable u = {.token = token,
                           .due_us = token != 0 ? now_us : now_us + UNRELIABLE_DELAY_US,
                           .len = (uint16_t)len};
    if (q->end - q->start + sizeof u + len > sizeof q->bytes) return ERR_FULL;
    if (q->end + sizeof u + len > sizeof q->bytes) {
        memmove(q->bytes, q->bytes + q->start, q->end - q->start);
        q->end -= q->start;
        q->start = 0;
    }
    memcpy(q->bytes + q->end, &u, sizeof u);
    memcpy(q->bytes + q->end + sizeof u, data, len);
    q->end += sizeof u + len;
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
    q->start += sizeof u + u.len;
    if (q->start == q->end) unreliable_init(q);
}
