/* ready.h - small datagrams that are made already and only wait to be fetched: answers to
 * strangers (cookies, versions, identities), questions, and the last word of a link that is gone.
 *
 * A ring that grows to READY_MAX and is given back when it is empty. Answers take at most half of
 * it, so that no flood of questions keeps a CLOSE from leaving. */
#ifndef READY_H
#define READY_H

#include "core/base/endpoint.h"

#define READY_MAX 128
#define READY_SIZE_MAX 100

struct ready {
    struct endpoint peer;
    uint8_t len;
    uint8_t data[READY_SIZE_MAX];
};

struct ready_ring {
    struct ready *entries;
    unsigned head, tail, capacity;
};

void ready_release(struct ready_ring *r);
/* The caller fills `data` of what this returns, before the next call; NULL where the ring is full,
 * or half full and it is an answer, or there is no memory. */
struct ready *ready_add(struct ready_ring *r, const struct endpoint *peer, size_t len,
                        bool is_answer);
bool ready_is_empty(const struct ready_ring *r);
/* Moves the oldest into `ret`; returns its length, 0 where there is none. */
size_t ready_take(struct ready_ring *r, struct datagram *ret);

#endif
