#include "core/swarm/trace.h"

#include <stdio.h>

#include "core/swarm/engine.h"

static void emit(const struct node *n, const struct neighbour *nb, struct trace_event *e) {
    e->now_us = n->now_us;
    e->peer = nb == NULL ? NULL : link_peer(nb->peer->link);
    n->trace(n->trace_context, e);
}

void trace_peer(const struct neighbour *nb, enum trace_decision decision) {
    const struct node *n = nb->channel->node;
    if (n->trace == NULL) return;
    emit(n, nb,
         &(struct trace_event){
             .decision = decision, .track = TRACE_NO_TRACK, .index = TRACE_INDEX_NONE});
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

void trace_chunk(const struct channel *c, enum trace_decision decision, uint8_t track,
                 uint32_t number) {
    if (c->node->trace == NULL) return;
    emit(c->node, NULL,
         &(struct trace_event){
             .decision = decision, .track = track, .index = TRACE_INDEX_NONE, .number = number});
}

static const char *words_of(enum trace_decision decision) {
    static const char *const words[] = {
#define X(name, words) words,
        TRACE_DECISIONS(X)
#undef X
    };
    return words[decision];
}

void trace_format(const struct trace_event *e, const char *peer, char ret[TRACE_TEXT_MAX]) {
    char chunk[32] = "", cells[32] = "", where[48] = "";
    bool has_chunk = e->decision >= TRACE_REPAIR_ASKED;
    if (has_chunk) snprintf(chunk, sizeof chunk, "%s chunk %u", *peer ? "," : "", e->number);
    if (e->cells > 0)
        snprintf(cells, sizeof cells, ", %u cell%s", e->cells, e->cells == 1 ? "" : "s");
    if (e->index == SUBSTREAM_HEADS)
        snprintf(where, sizeof where, " (track %u, heads)", e->track);
    else if (e->index != TRACE_INDEX_NONE)
        snprintf(where, sizeof where, " (track %u, substream %u)", e->track, e->index);
    else if (e->track != TRACE_NO_TRACK)
        snprintf(where, sizeof where, " (track %u)", e->track);
    snprintf(ret, TRACE_TEXT_MAX, "%s%s%s%s%s%s", words_of(e->decision), *peer ? " " : "", peer,
             chunk, cells, where);
}
