/* sent.h - the datagrams that wait for an acknowledgement, in the order of their sending.
 *
 * A ring of fixed size. A record is known by its sequence (0, 1, ...) as well as by its counter:
 * counters skip at a change of keys and are also used up by datagrams that nobody acknowledges, so
 * "three later ones" is told by sequence. Invariant: head - tail <= SENT_MAX; the record at `tail`
 * is in flight, or the ring is empty. */
#ifndef SENT_H
#define SENT_H

#include <stdbool.h>

#include "core/base/base.h"

#define SENT_MAX 1024 /* full datagrams: 32 Mb/s at a round trip of 300 ms */
#define SENT_TOKENS_MAX 2
#define SENT_REFS_MAX 3

struct sent {
    uint64_t counter;
    uint64_t sent_us;
    uint64_t tokens[SENT_TOKENS_MAX]; /* the owner's; 0 is none */
    uint32_t refs[SENT_REFS_MAX];     /* outbox_ref: messages or their parts */
    uint16_t bytes;
    uint8_t refs_len;
    bool is_in_flight;
};

struct sent_ring {
    struct sent records[SENT_MAX];
    uint64_t head, tail;
    uint64_t bytes_in_flight;
};

void sent_init(struct sent_ring *r);
size_t sent_room(const struct sent_ring *r);
bool sent_is_empty(const struct sent_ring *r);
/* The record with this sequence, between tail and head. */
struct sent *sent_at(struct sent_ring *r, uint64_t sequence);
void sent_add(struct sent_ring *r, const struct sent *record);
/* The sequence just behind the last record whose counter is at most `counter`; tail for none. */
uint64_t sent_find_end(const struct sent_ring *r, uint64_t counter);
/* No longer in flight: acknowledged or lost. */
void sent_settle(struct sent_ring *r, struct sent *record);
/* Frees what is settled from the tail on. */
void sent_trim(struct sent_ring *r);

#endif
