/* train.h - what a path carries, from a train of datagrams that leave at once: they come as far
 * apart as its narrowest part lets them through (packet dispersion; Keshav 1991, Dovrolis et al.
 * 2001), and the receiver says over which time. One measurement in each direction at a time.
 *
 * Nothing of a train is acknowledged or repeated: where its last datagram or the report is lost
 * there is no result, and the owner sends another. */
#ifndef TRAIN_H
#define TRAIN_H

#include "core/link/frame.h"

struct train {
    /* Ours: sent so far, and how many it has; the report is taken once. */
    uint8_t id, sent, datagrams;
    bool is_awaited;
    /* The peer's: those that came so far, and whether it is to be told. */
    uint8_t seen_id, seen;
    bool has_seen, is_due;
    uint32_t first_us, last_us; /* low bits */
};

void train_begin(struct train *t, unsigned datagrams);
static inline bool train_has_next(const struct train *t) { return t->sent < t->datagrams; }
/* The frame of the next datagram, which fills it. */
void train_write_next(struct train *t, struct writer *w);
void train_take(struct train *t, const struct frame *f, uint64_t now_us);
/* Where train.is_due. */
void train_write_report(struct train *t, struct writer *w);
/* Whether the report is about the train that was sent last, and believable. */
bool train_take_report(struct train *t, const struct frame *f);

#endif
