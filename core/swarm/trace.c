#include "core/swarm/trace.h"

#include "core/swarm/engine.h"

static void emit(const struct node *n, const struct neighbour *nb, struct trace_event *e) {
    e->now_us = n->now_us;
    e->peer = nb == NULL ? NULL : link_peer(nb->peer->link);
    n->trace(n->trace_context, e);
}

void trace_supply(const struct neighbour *nb, enum trace_decision decision, uint8_t track,
                  unsigned index) {
    const struct node *n = nb->channel->node;
    if (n->trace == NULL) return;
    emit(n, nb, &(struct trace_event){.decision = decision, .track = track, .index = index});
}

void trace_repair(const struct neighbour *nb, uint8_t track, uint32_t number, uint64_t cells) {
    const struct node *n = nb->channel->node;
    if (n->trace == NULL) return;
    emit(n, nb,
         &(struct trace_event){.decision = TRACE_REPAIR_ASKED,
                               .track = track,
                               .index = cells ? TRACE_INDEX_NONE : SUBSTREAM_HEADS,
                               .number = number,
                               .cells = (unsigned)__builtin_popcountll(cells)});
}

void trace_missed(const struct channel *c, uint8_t track, uint32_t number) {
    if (c->node->trace == NULL) return;
    emit(
        c->node, NULL,
        &(struct trace_event){
            .decision = TRACE_MISSED, .track = track, .index = TRACE_INDEX_NONE, .number = number});
}
