#include "core/link/ready.h"

#include <assert.h>
#include <string.h>

struct ready *ready_add(struct ready_ring *r, const struct endpoint *peer, size_t len,
                        bool is_answer) {
    assert(len <= READY_SIZE_MAX);
    unsigned used = r->head - r->tail;
    if (used >= (is_answer ? READY_MAX / 2 : READY_MAX)) return NULL;
    struct ready *e = &r->entries[r->head++ % READY_MAX];
    e->peer = *peer;
    e->len = (uint8_t)len;
    return e;
}

bool ready_is_empty(const struct ready_ring *r) { return r->head == r->tail; }

size_t ready_take(struct ready_ring *r, struct datagram *ret) {
    if (ready_is_empty(r)) return 0;
    const struct ready *e = &r->entries[r->tail++ % READY_MAX];
    assert(ret->capacity >= e->len);
    memcpy(ret->data, e->data, e->len);
    ret->peer = e->peer;
    ret->len = e->len;
    return e->len;
}
