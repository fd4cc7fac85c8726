#include "core/swarm/rest.h"

#include "core/swarm/engine.h"

#define REST_US (700 * US_PER_MS) /* without anything: longer than what is under way takes */
#define REST_CHUNKS 5             /* where chunks are longer */
#define KNOWN_US US_PER_S         /* for which what a neighbour has said counts */
#define SETTLED_US (2 * US_PER_S)
#define ASK_US (500 * US_PER_MS)
#define ASK_SHARE 16           /* of how long it has lasted: the source may be gone for good */
#define SEEK_US (1 * US_PER_S) /* a dial lasts three, */
#define SEEK_MOST 3            /* and so many begin at once */
#define LEFT_OUT_US (1500 * US_PER_MS) /* as long as play waits */

bool rest_others_know_more(const struct channel *c, const struct stream *s, uint64_t now_us) {
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct neighbour_stream *ns = &c->neighbours[i]->streams[s->track];
        if (!ns->has_held || now_us - ns->newest_us > KNOWN_US) continue;
        if (!s->window.has_newest || ns->newest > s->window.newest) return true;
    }
    return false;
}

static bool rests(const struct channel *c, uint64_t now_us) {
    if (c->streams_len == 0) return false;
    for (size_t t = 0; t < c->streams_len; t++) {
        const struct stream *s = &c->streams[t];
        if (!s->has_verified_start || s->has_end) return false;
        if (now_us - c->media_us < u64_max(REST_US, REST_CHUNKS * s->period_us)) return false;
        if (rest_others_know_more(c, s, now_us)) return false;
    }
    return true;
}

/* The first head of each stream since then is of what is on air again. */
static void note_gaps(struct channel *c) {
    for (size_t t = 0; t < c->streams_len; t++) {
        struct stream *s = &c->streams[t];
        if (s->newest_us <= c->rest.on_us || s->rested_us == c->rest.on_us) continue;
        s->rested_us = c->rest.on_us;
        s->lacked_until = s->window.newest;
        if (c->rest.was_long) s->left_out_until = s->window.newest;
    }
}

/* A source's process may have started again; others have ended their side of the link, where it was
 * our own network that was down: a link begins anew beside that one. The source does not seek its
 * viewers, whose side stands. */
static void seek(struct channel *c, uint64_t now_us) {
    if (now_us < c->rest.seek_us) return;
    c->rest.seek_us = now_us + SEEK_US;
    size_t first = c->neighbours_len == 0 ? 0 : rng_below(&c->node->rng, c->neighbours_len);
    for (size_t i = 0, dialled = 0; i < c->neighbours_len && dialled < SEEK_MOST; i++) {
        const struct link *link = c->neighbours[(first + i) % c->neighbours_len]->link;
        bool is_lost =
            link_state(link) == LINK_UP && now_us - link_received_us(link) >= LINK_IDLE_US;
        if (!is_lost) continue;
        (void)sampler_add(&c->sampler, &c->node->rng, link_peer(link), link_endpoint(link),
                          ORIGIN_MEMORY);
        struct candidate *known = sampler_find(&c->sampler, link_peer(link));
        if (known != NULL) node_dial(c, known, now_us);
        dialled++;
    }
}

void rest_tick(struct channel *c, uint64_t now_us) {
    struct rest *r = &c->rest;
    if (c->is_source) return;
    bool was_on = r->is_on;
    if (!was_on) r->since_us = c->media_us;
    r->is_on = rests(c, now_us);
    if (was_on || r->is_on) r->seen_us = now_us;
    if (r->is_on) {
        r->on_us = now_us;
        r->was_long = now_us - r->since_us > LEFT_OUT_US;
    }
    if (r->is_on && now_us >= r->ask_us) {
        r->ask_us = now_us + u64_max(ASK_US, (now_us - r->since_us) / ASK_SHARE);
        have_ask(c);
    }
    if (!r->is_on && r->on_us != 0) note_gaps(c);
    seek(c, now_us);
}

bool rest_is_settled(const struct channel *c, uint64_t now_us) {
    return !c->rest.is_on && (c->rest.seen_us == 0 || now_us - c->rest.seen_us > SETTLED_US);
}
