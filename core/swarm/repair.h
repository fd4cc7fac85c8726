/* repair.h - asking one neighbour for single cells: what repair.c (holes) and first.c (the first
 * picture) have in common. For this folder alone. */
#ifndef REPAIR_H
#define REPAIR_H

#include "core/swarm/channel.h"

/* It is there, follows our broadcast and uploads. One that has not answered yet whether it is there
 * may be gone. */
bool repair_can_ask(const struct neighbour *nb, uint64_t now_us);
/* It has the whole chunk: as it says, or as its lag does. */
bool repair_holds(const struct neighbour *nb, const struct stream *s, const struct slot *slot,
                  uint64_t now_us);
/* Asks for cells of a chunk (bit i: cell i; those that it does not have cost nothing), and for its
 * head too. False where there is no room to ask. */
bool repair_request(struct channel *c, struct stream *s, struct neighbour *nb, struct slot *slot,
                    uint64_t cells, bool head, uint64_t now_us);

#endif
