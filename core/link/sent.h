/* sent.h - the datagrams that wait for an acknowledgement, in the order of their sending.
 *
 * A ring that grows with what is in flight, to SENT_MAX, and is given back when nothing is. A
 * record is known by its sequence (0, 1, ...) as well as by its counter: counters skip at a change
 * of keys and are also used up by datagrams that nobody acknowledges, so "three later ones" is told
 * by sequence. Invariant: the record at `tail` is in flight, or the ring is empty. */
#ifndef SENT_H
#define SENT_H

#include <stdbool.h>

#include "core/base/base.h"

#define SENT_MAX 1024 /* full datagrams: 32 Mb/s at a round trip of 300 ms */
#define SENT_TOKENS_MAX 2
#define SENT_REFS_MAX 3 /* or 1, beside two tokens */

struct sent {
    uint32_t counter; /* low bits */
    uint32_t sent_us; /* low bits */
    uint16_t bytes;
    uint8_t refs_len; /* outbox_ref: messages or their parts */
    bool is_in_flight : 1, has_second : 1;
    uint32_t ref;
    uint64_t token; /* the owner's; 0 is none */
    union {
        uint32_t refs[SENT_REFS_MAX - 1];
        uint64_t second; /* token */
    };
};

struct sent_ring {
    struct sent *records; /* by sequence modulo the capacity */
    uint64_t tail;
    uint32_t bytes_in_flight;
    uint16_t len, capacity;
};

void sent_init(struct sent_ring *r);
void sent_release(struct sent_ring *r);
size_t sent_room(const struct sent_ring *r);
bool sent_is_empty(const struct sent_ring *r);
/* The sequence behind the last. */
uint64_t sent_head(const struct sent_ring *r);
/* Makes sure of memory for one more; false where there is none, or SENT_MAX are in it. */
MUST_CHECK bool sent_reserve(struct sent_ring *r);
/* After sent_reserve. */
void sent_add(struct sent_ring *r, const struct sent *record);
/* The record with this sequence, between tail and head. */
struct sent *sent_at(const struct sent_ring *r, uint64_t sequence);
uint32_t sent_ref(const struct sent *s, unsigned i);
/* When it was sent; it is less than an hour ago. */
uint64_t sent_time(const struct sent *s, uint64_t now_us);
/* The sequence just behind the last record whose counter is at most `counter`; tail for none. */
uint64_t sent_find_end(const struct sent_ring *r, uint64_t counter);
/* No longer in flight: acknowledged or lost. */
void sent_settle(struct sent_ring *r, struct sent *record);
/* Frees what is settled from the tail on. */
void sent_trim(struct sent_ring *r);

#endif
