/* serve.h - our children: what is granted to them, passed on, asked for and sent again.
 *
 * What a child gets has been granted (admission.h decides) or requested. Invariant: stream.children
 * has exactly the neighbours that something of the substream goes to, once serve_index was called
 * for the one whose grant has changed. Only core/swarm includes this file. */
#ifndef SERVE_H
#define SERVE_H

#include "core/swarm/channel.h"

void serve_take_subscribe(struct neighbour *nb, const struct subscribe *m, uint64_t now_us);
void serve_take_request(struct neighbour *nb, const struct request *m, uint64_t now_us);
void serve_take_cancel(struct neighbour *nb, const struct cancel *m, uint64_t now_us);
/* It was verified, or published: goes to each child of its substream but `from`, whence it came,
 * and whoever holds the chunk. */
void serve_head(struct channel *c, struct chunk *chunk, const struct neighbour *from,
                uint64_t now_us);
void serve_cell(struct channel *c, struct chunk *chunk, uint32_t index,
                const struct neighbour *from, uint64_t now_us);
/* The link takes it for lost; `was_asked`: it had been requested, or was of a backlog. */
void serve_lost(struct neighbour *nb, uint8_t track, uint32_t number, uint8_t index, bool was_asked,
                uint64_t now_us);
void serve_tick(struct channel *c, uint64_t now_us);
/* What is granted to the child has changed: from now on it gets that. */
void serve_index(struct stream *s, const struct neighbour *child);
/* serve_grant.c: what is granted of the track; and of each track of which that has changed. */
void serve_send_grant(struct channel *c, struct neighbour *nb, uint8_t track, uint64_t now_us);
void serve_flush_grants(struct channel *c, struct neighbour *nb, uint64_t now_us);
/* Our own ancestors of these substreams (SUBSTREAM_HEADS: of the heads) have changed: the children
 * that have any of them from us are told. */
void serve_ancestry_changed(struct channel *c, uint8_t track, uint32_t changed, uint64_t now_us);

#endif
