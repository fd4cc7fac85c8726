/* rest.h - whether the source rests: its network is down, or its process hangs or is gone.
 *
 * Then nothing comes, and no neighbour knows of more. Who serves whom stays as it is, for it will
 * be right again when the source is back; whoever moved would only tear apart what hangs on it.
 * What was published meanwhile all lack alike: it is not asked for one by one, and not waited for.
 */
#ifndef REST_H
#define REST_H

#include "core/swarm/stream.h"

struct channel;

struct rest {
    bool is_on, was_long;
    uint64_t since_us; /* when something had last come */
    uint64_t on_us;    /* the last tick at which it was on; 0: none, */
    uint64_t seen_us;  /* and the one that ended it */
    uint64_t ask_us;   /* when neighbours are next told what we have, for who has more to say so */
    uint64_t seek_us;  /* when those that are silent are next dialled */
};

/* With each tick, before anything that asks. */
void rest_tick(struct channel *c, uint64_t now_us);
/* By its own word a neighbour knows of newer chunks than we do. */
bool rest_others_know_more(const struct channel *c, const struct stream *s, uint64_t now_us);
/* Things are as usual again: what comes first after a rest says little of what is to come. */
bool rest_is_settled(const struct channel *c, uint64_t now_us);
/* So late or later, for what is measured since then: a time, or the rest's end. */
static inline uint64_t rest_since_us(const struct rest *r, uint64_t then_us) {
    return u64_max(then_us, r->seen_us);
}
/* It was published while the source could not be heard for so long that nobody waits for it. */
static inline bool rest_left_out(const struct stream *s, uint32_t number) {
    return number < s->left_out_until;
}
/* It was published while the source could not be heard: nobody but the source has it. */
static inline bool rest_all_lack(const struct stream *s, uint32_t number) {
    return number < s->lacked_until;
}

#endif
