#include "core/swarm/send_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 8
#define CAPACITY_KEPT 16 /* of fresh cells: a frame's share */

void send_queue_release(struct send_queue *q) {
    for (size_t i = 0; i < SEND_CLASSES; i++) free(q->rings[i].items);
    memset(q, 0, sizeof *q);
}

static bool grow(struct send_ring *r) {
    uint32_t capacity = r->capacity == 0 ? CAPACITY_FIRST : r->capacity * 2u;
    if (capacity > SEND_QUEUE_MAX) return false;
    struct send_item *items = malloc(capacity * sizeof *items);
    if (items == NULL) return false;
    for (uint32_t i = 0; i < r->len; i++) items[i] = r->items[(r->head + i) % r->capacity];
    free(r->items);
    *r = (struct send_ring){.items = items, .capacity = (uint16_t)capacity, .len = r->len};
    return true;
}

bool send_queue_push(struct send_queue *q, enum send_class class, const struct send_item *item) {
    struct send_ring *r = &q->rings[class];
    bool kept_all = true;
    if (r->len == r->capacity && !grow(r)) {
        kept_all = false;
        if (r->len == 0) return false;
        send_queue_pop(q, class);
    }
    r->items[(r->head + r->len) & (r->capacity - 1)] = *item;
    r->len++;
    r->was_used = true;
    return kept_all;
}

void send_queue_pop(struct send_queue *q, enum send_class class) {
    struct send_ring *r = &q->rings[class];
    assert(r->len > 0);
    r->head = (uint16_t)((r->head + 1) & (r->capacity - 1));
    r->len--;
}

void send_queue_trim(struct send_queue *q) {
    for (enum send_class class = 0; class < SEND_CLASSES; class ++) {
        struct send_ring *r = &q->rings[class];
        uint32_t kept = class <= SEND_FRESH && r->was_used ? CAPACITY_KEPT : 0;
        r->was_used = false;
        if (r->len > 0 || r->capacity <= kept) continue;
        free(r->items);
        *r = (struct send_ring){0};
    }
}

void send_queue_clear(struct send_queue *q) {
    for (size_t i = 0; i < SEND_CLASSES; i++) q->rings[i].head = q->rings[i].len = 0;
}
