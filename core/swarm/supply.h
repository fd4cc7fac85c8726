/* supply.h - the parts of supply*.c, which decide whom we take each substream from.
 *
 * supply.c holds what a supply is (asked, begun, given up), supply_choice.c whom to prefer,
 * supply_watch.c whether a parent still does its part, supply_grant.c what a parent's word changes.
 * `index` is a substream, or SUPPLY_HEADS for a track's heads. Only these files include it. */
#ifndef SUPPLY_H
#define SUPPLY_H

#include "core/swarm/channel.h"

#define REFUSED_PAUSE_US                                                                           \
    (1 * US_PER_S)                       /* before a parent that failed or refused is asked again  \
                                          */
#define BETTER_PAUSE_US (5 * US_PER_S)   /* before it is asked for what comes from another anyway */
#define GRANT_WAIT_US (300 * US_PER_MS)  /* for a GRANT; three round trips where that is more */
#define SUPPLY_QUIET_US (75 * US_PER_MS) /* a parent that is silent for so long is asked why */
#define EAGER_TRACKS 2 /* subscribed to before the manifest says which there are */

bool supply_asks(const struct neighbour_stream *ns, unsigned index);
/* Subscribes, with the next SUBSCRIBE to the neighbour, from chunk `from` on. */
void supply_ask(const struct stream *s, struct neighbour *nb, unsigned index, uint32_t from);
/* Chunks before `until` are still wanted. */
void supply_unask(const struct stream *s, struct neighbour *nb, unsigned index, uint32_t until,
                  uint64_t now_us);
/* A supply whose parent has changed: what was learnt of the old one is void. */
void supply_begin(struct supply *supply, uint64_t now_us);
/* Gives the parent up and does not ask it again for `pause_us`; a next one takes its place. */
void supply_abandon(struct stream *s, unsigned index, uint64_t pause_us, uint64_t now_us);
void supply_cancel_next(struct stream *s, unsigned index, uint64_t now_us);

/* It is asked for something. */
bool supply_is_parent(const struct channel *c, const struct neighbour *nb);
/* It uploads, and its link is not about to end. */
bool supply_is_usable(const struct neighbour *nb);
/* A parent has named somebody who has it, and who can be asked. */
bool supply_names_holder(const struct channel *c, const struct stream *s, unsigned index,
                         uint64_t now_us);
/* By its own word it has the substream, and room for a starved child. */
bool supply_has_room(const struct neighbour *nb, const struct stream *s, unsigned index,
                     uint64_t now_us);
/* The first chunk that a new parent is asked for. */
uint32_t supply_owed_from(const struct stream *s);
/* The neighbour to ask, or NULL; `has_parent`: only for what would be better. */
struct neighbour *supply_best(struct channel *c, const struct stream *s, unsigned index,
                              bool has_parent, uint64_t now_us);
/* Moves that can wait: away from parents that would rather lose us and, when it `is_due`, to those
 * from whom media comes earlier. */
void supply_balance(struct channel *c, struct stream *s, bool is_due, uint64_t now_us);

#endif
