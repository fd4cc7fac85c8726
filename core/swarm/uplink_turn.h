/* uplink_turn.h - which of the neighbours that something waits for is sent to next.
 *
 * Only core/swarm/uplink*.c includes this file. */
#ifndef UPLINK_TURN_H
#define UPLINK_TURN_H

#include "core/swarm/engine.h"

/* Finds those whose fresh cells have waited for long. */
void uplink_turn_tick(struct node *n, uint64_t now_us);
/* Who is sent the next datagram of the class, where its path lets one go; that counts as sent.
 * NULL: nobody. */
struct neighbour *uplink_turn_next(struct node *n, enum send_class class, uint64_t now_us);
/* Turns after which everybody has had one. */
size_t uplink_turns(const struct node *n);
/* When the path of somebody that something waits for lets it go; TIME_NEVER: when something comes,
 * or nothing waits. */
uint64_t uplink_turn_deadline(const struct node *n);

#endif
