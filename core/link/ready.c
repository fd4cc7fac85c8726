#include "core/link/ready.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 2 /* powers of two: places wrap evenly */

void ready_release(struct ready_ring *r) {
    free(r->entries);
    *r = (struct ready_ring){0};
}

static bool grow(struct ready_ring *r) {
    unsigned capacity = r->capacity ? 2 * r->capacity : CAPACITY_MIN;
    struct ready *entries = malloc(capacity * sizeof *entries);
    if (entries == NULL) return false;
    for (unsigned i = r->tail; i != r->head; i++)
        entries[i % capacity] = r->entries[i % r->capacity];
    free(r->entries);
    r->entries = entries;
    r->capacity = capacity;
    return true;
}

struct ready *ready_add(struct ready_ring *r, const struct endpoint *peer, size_t len,
                        bool is_answer) {
    assert(len <= READY_SIZE_MAX);
    unsigned used = r->head - r->tail;
    if (used >= (is_answer ? READY_MAX / 2 : READY_MAX)) return NULL;
    if (used == r->capacity && !grow(r)) return NULL;
    struct ready *e = &r->entries[r->head++ % r->capacity];
    e->peer = *peer;
    e->len = (uint8_t)len;
    return e;
}

bool ready_is_empty(const struct ready_ring *r) { return r->head == r->tail; }

size_t ready_take(struct ready_ring *r, struct datagram *ret) {
    if (ready_is_empty(r)) return 0;
    const struct ready *e = &r->entries[r->tail++ % r->capacity];
    assert(ret->capacity >= e->len);
    memcpy(ret->data, e->data, e->len);
    ret->peer = e->peer;
    size_t len = ret->len = e->len;
    if (ready_is_empty(r)) ready_release(r);
    return len;
}
