#include "core/link/sent.h"

#include <assert.h>

void sent_init(struct sent_ring *r) { r->head = r->tail = r->bytes_in_flight = 0; }

size_t sent_room(const struct sent_ring *r) { return SENT_MAX - (size_t)(r->head - r->tail); }

bool sent_is_empty(const struct sent_ring *r) { return r->head == r->tail; }

struct sent *sent_at(struct sent_ring *r, uint64_t sequence) {
    assert(sequence >= r->tail && sequence < r->head);
    return &r->records[sequence % SENT_MAX];
}

void sent_add(struct sent_ring *r, const struct sent *record) {
    assert(sent_room(r) > 0);
    struct sent *slot = &r->records[r->head++ % SENT_MAX];
    *slot = *record;
    slot->is_in_flight = true;
    r->bytes_in_flight += record->bytes;
}

uint64_t sent_find_end(const struct sent_ring *r, uint64_t counter) {
    uint64_t low = r->tail, high = r->head;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (r->records[middle % SENT_MAX].counter <= counter)
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
    while (r->tail < r->head && !r->records[r->tail % SENT_MAX].is_in_flight) r->tail++;
}
