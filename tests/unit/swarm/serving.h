/* serving.h - one node whose decisions about its children are looked at, and the children: hostile
 * peers, host 10 and on, which say and ask for what a test wants. */
#ifndef SERVING_H
#define SERVING_H

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (20 * US_PER_MS)
#define ALL 0xffffu
#define ONE_COPY_BPS 14000000              /* not five times the stream: no second copy */
#define COPY_BPS (16 * 187500 * 108 / 100) /* of all substreams, as they are reckoned */

extern struct stage stage;
extern struct origin source; /* what is on air; nothing is published */
extern struct actor *parent; /* the one whose decisions are looked at */
#define CHILDREN_MAX 16
extern struct hostile_peer *children[CHILDREN_MAX];

void serving_start(void);
void serving_end(void);
void serving_source(uint64_t upload_bps);
/* It has everything from a hostile peer, host 1, which is returned. */
struct hostile_peer *serving_relay(uint64_t upload_bps);
struct hostile_peer *serving_child(void);
/* It gives nothing, could give `spare_bps`, and has `held` of the substreams. */
void serving_offer(struct hostile_peer *p, uint64_t spare_bps, unsigned held);
/* What the node keeps of it, for the picture. */
const struct neighbour_stream *serving_child_at(const struct hostile_peer *p);
/* What is granted after it has subscribed to these, and nothing else. */
uint32_t serving_subscribe(struct hostile_peer *p, uint32_t substreams, uint8_t flags);
/* Of eight children the first has everything; the second, worth more, asks for it for eight
 * seconds.
 */
uint32_t serving_taken_by_the_second_of_eight(void);

#endif
