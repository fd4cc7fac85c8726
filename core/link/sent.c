#include "core/link/sent.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 4 /* powers of two: sequences wrap evenly */

static_assert(sizeof(struct sent) == 32, "a thousand links have many of them");

void sent_init(struct sent_ring *r) { *r = (struct sent_ring){0}; }

void sent_release(struct sent_ring *r) {
    free(r->records);
    sent_init(r);
}

size_t sent_room(const struct sent_ring *r) { return SENT_MAX - r->len; }

bool sent_is_empty(const struct sent_ring *r) { return r->len == 0; }

uint64_t sent_head(const struct sent_ring *r) { return r->tail + r->len; }

static struct sent *slot_of(const struct sent_ring *r, uint64_t sequence) {
    return &r->records[sequence & (r->capacity - 1u)];
}

static bool resize(struct sent_ring *r, size_t capacity) {
    struct sent_ring resized = *r;
    resized.records = malloc(capacity * sizeof *r->records);
    if (resized.records == NULL) return false;
    resized.capacity = (uint16_t)capacity;
    for (uint64_t i = r->tail; i < sent_head(r); i++) *slot_of(&resized, i) = *slot_of(r, i);
    free(r->records);
    *r = resized;
    return true;
}

bool sent_reserve(struct sent_ring *r) {
    if (r->len < r->capacity) return true;
    return r->len < SENT_MAX && resize(r, size_max(2 * (size_t)r->capacity, CAPACITY_MIN));
}

void sent_add(struct sent_ring *r, const struct sent *record) {
    assert(r->len < r->capacity);
    struct sent *slot = slot_of(r, sent_head(r));
    *slot = *record;
    slot->is_in_flight = true;
    r->len++;
    r->bytes_in_flight += record->bytes;
}

struct sent *sent_at(const struct sent_ring *r, uint64_t sequence) {
    assert(sequence - r->tail < r->len);
    return slot_of(r, sequence);
}

uint32_t sent_ref(const struct sent *s, unsigned i) {
    assert(i < s->refs_len);
    return i == 0 ? s->ref : s->refs[i - 1];
}

uint64_t sent_time(const struct sent *s, uint64_t now_us) {
    return now_us - ((uint32_t)now_us - s->sent_us);
}

/* What is in flight is much less than half of 2^32 counters apart. */
uint64_t sent_find_end(const struct sent_ring *r, uint64_t counter) {
    uint64_t low = r->tail, high = sent_head(r);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((int32_t)(slot_of(r, middle)->counter - (uint32_t)counter) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sent_settle(struct sent_ring *r, struct sent *record) {
    assert(record->is_in_flight);
    record->is_in_flight = false;
    r->bytes_in_flight -= record->bytes;
}

void sent_trim(struct sent_ring *r) {
    for (; r->len > 0 && !slot_of(r, r->tail)->is_in_flight; r->len--) r->tail++;
    if (r->len == 0) {
        free(r->records);
        r->records = NULL;
        r->capacity = 0;
    } else if (r->capacity > CAPACITY_MIN && r->len < r->capacity / 8) {
        (void)resize(r, r->capacity / 2); /* where there is no memory it stays as large */
    }
}
