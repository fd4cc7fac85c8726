/* world_tell.c - one peer's decisions, in words. */
#include "tests/sim/world_internal.h"

void world_tell(struct world *w, unsigned peer, FILE *to) {
    w->told = peer;
    w->tell_to = to;
}

static const char *words_of(enum trace_decision decision) {
    static const char *const words[] = {
#define X(name, words) words,
        TRACE_DECISIONS(X)
#undef X
    };
    return words[decision];
}

/* "peer 17", or one that is no longer up under this key. */
static void tell_peer(const struct world *w, const struct public_key *peer) {
    if (peer == NULL) return;
    for (unsigned i = 0; i < w->places; i++) {
        if (!public_key_equal(&w->residents[i].identity.public, peer)) continue;
        fprintf(w->tell_to, i == 0 ? " the source" : " peer %u", i);
        return;
    }
    fputs(" a peer that has left", w->tell_to);
}

void tell_decision(void *context, const struct trace_event *e) {
    const struct resident *p = context;
    const struct world *w = p->world;
    FILE *to = w->tell_to;
    bool has_chunk = e->decision == TRACE_REPAIR_ASKED || e->decision == TRACE_MISSED;
    fprintf(to, "%10.6f  %s", (double)e->now_us / (double)US_PER_S, words_of(e->decision));
    tell_peer(w, e->peer);
    if (has_chunk) fprintf(to, "%s chunk %u", e->peer == NULL ? "" : ",", e->number);
    if (e->cells > 0) fprintf(to, ", %u cell%s", e->cells, e->cells == 1 ? "" : "s");
    fprintf(to, " (track %u", e->track);
    if (e->index == SUBSTREAM_HEADS)
        fputs(", heads)\n", to);
    else if (e->index == TRACE_INDEX_NONE)
        fputs(")\n", to);
    else
        fprintf(to, ", substream %u)\n", e->index);
}
