#include "tests/lab/router_queue.h"

#include <stdlib.h>

/* A heap of four children a node: half the depth of two, and they share a cache line or two. */
#define CHILDREN 4

struct event {
    uint64_t at_ns, order;
    uint32_t packet;
};

struct packet_queue {
    size_t len, free_len;
    uint64_t orders;
    struct event heap[PACKETS_MAX];
    uint32_t free[PACKETS_MAX];
    struct packet packets[PACKETS_MAX];
};

struct packet_queue *packet_queue_new(void) {
    struct packet_queue *q = calloc(1, sizeof *q);
    if (q == NULL) return NULL;
    q->free_len = PACKETS_MAX;
    for (uint32_t i = 0; i < PACKETS_MAX; i++) q->free[i] = PACKETS_MAX - 1 - i;
    return q;
}

void packet_queue_free(struct packet_queue *q) { free(q); }

struct packet *packet_take(struct packet_queue *q) {
    return q->free_len == 0 ? NULL : &q->packets[q->free[--q->free_len]];
}

void packet_drop(struct packet_queue *q, struct packet *p) {
    q->free[q->free_len++] = (uint32_t)(p - q->packets);
}

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void packet_queue_add(struct packet_queue *q, struct packet *p, uint64_t at_ns) {
    struct event e = {at_ns, q->orders++, (uint32_t)(p - q->packets)};
    size_t at = q->len++;
    while (at > 0 && is_before(&e, &q->heap[(at - 1) / CHILDREN])) {
        q->heap[at] = q->heap[(at - 1) / CHILDREN];
        at = (at - 1) / CHILDREN;
    }
    q->heap[at] = e;
}

static void sink(struct packet_queue *q, struct event e) {
    size_t at = 0;
    for (;;) {
        size_t first = at * CHILDREN + 1, end = size_min(first + CHILDREN, q->len);
        if (first >= end) break;
        size_t least = first;
        for (size_t i = first + 1; i < end; i++)
            if (is_before(&q->heap[i], &q->heap[least])) least = i;
        if (!is_before(&q->heap[least], &e)) break;
        q->heap[at] = q->heap[least];
        at = least;
    }
    q->heap[at] = e;
}

struct packet *packet_queue_next(struct packet_queue *q, uint64_t until_ns, uint64_t *ret_at_ns) {
    if (q->len == 0 || q->heap[0].at_ns > until_ns) return NULL;
    struct event first = q->heap[0];
    if (--q->len > 0) sink(q, q->heap[q->len]);
    *ret_at_ns = first.at_ns;
    return &q->packets[first.packet];
}

uint64_t packet_queue_deadline(const struct packet_queue *q) {
    return q->len == 0 ? TIME_NEVER : q->heap[0].at_ns;
}
