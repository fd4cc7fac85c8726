/* climb.h - dials that bring who passes on much nearer to the source. Only core/swarm includes it.
 */
#ifndef CLIMB_H
#define CLIMB_H

#include "core/swarm/channel.h"

void climb_tick(struct channel *c, uint64_t now_us);
/* Somebody who stands above our parents and could be dialled; NULL: nobody, or we need not. */
struct candidate *climb_choose(struct channel *c, uint64_t now_us);

#endif
