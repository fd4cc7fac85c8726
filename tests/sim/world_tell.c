/* world_tell.c - one peer's decisions, in words. */
#include "tests/sim/world_internal.h"

void world_tell(struct world *w, unsigned peer, FILE *to) {
    w->told = peer;
    w->tell_to = to;
}

/* "peer 17", or one that is no longer up under this key. */
static void name_peer(const struct world *w, const struct public_key *peer, char ret[32]) {
    unsigned i = 0;
    while (i < w->places && !public_key_equal(&w->residents[i].identity.public, peer)) i++;
    if (i == w->places)
        snprintf(ret, 32, "a peer that has left");
    else if (i == 0)
        snprintf(ret, 32, "the source");
    else
        snprintf(ret, 32, "peer %u", i);
}

void tell_decision(void *context, const struct trace_event *e) {
    const struct resident *p = context;
    char peer[32] = "", text[TRACE_TEXT_MAX];
    if (e->peer != NULL) name_peer(p->world, e->peer, peer);
    trace_format(e, peer, text);
    fprintf(p->world->tell_to, "%10.6f  ", (double)e->now_us / (double)US_PER_S);
    if (p->world->told == WORLD_TELL_ALL) fprintf(p->world->tell_to, "%-5u ", p->number);
    fprintf(p->world->tell_to, "%s\n", text);
}
