/* world_liars.c - who is a liar, who meets one, and who is banned for what. */
#include "tests/sim/world_liars.h"

#include <stdlib.h>
#include <string.h>

#include "core/proto/message.h"
#include "tests/sim/world_internal.h"

#define IDENTITIES_FIRST 1024u
#define HOUR_US (3600 * US_PER_S)
/* Younger than what a wrong clock excuses: to whoever has met nobody else, it is on air. */
#define RECENT_US (300 * US_PER_S)

struct identity {
    struct public_key key;
    uint32_t place; /* 0: free, or the source, whose place needs no entry to be honest */
};

struct liars {
    struct identity *identities; /* open addressing; a power of two, at most half full */
    size_t identities_len, identities_capacity;
    uint32_t *places; /* of all liars */
    size_t places_len;
    struct recording *old, *recent; /* NULL: nobody replays */
};

bool liars_is_one(const struct resident *p) {
    return p->kind == KIND_POLLUTER || p->kind == KIND_REPLAYER;
}

/* --- identities --- */

static struct identity *identity_at(const struct liars *l, const struct public_key *key) {
    uint64_t at;
    memcpy(&at, key->bytes, sizeof at);
    struct identity *i = &l->identities[at % l->identities_capacity];
    while (i->place != 0 && !public_key_equal(&i->key, key))
        if (++i == l->identities + l->identities_capacity) i = l->identities;
    return i;
}

static void grow(struct liars *l) {
    struct identity *before = l->identities;
    size_t len = l->identities_capacity;
    l->identities_capacity = len == 0 ? IDENTITIES_FIRST : 2 * len;
    l->identities = world_allocate(l->identities_capacity, sizeof *l->identities);
    for (size_t i = 0; i < len; i++)
        if (before[i].place != 0) *identity_at(l, &before[i].key) = before[i];
    free(before);
}

static void keep_identity(const struct resident *p) {
    struct liars *l = p->world->liars;
    if (2 * l->identities_len >= l->identities_capacity) grow(l);
    *identity_at(l, &p->identity.public) = (struct identity){p->identity.public, p->number};
    l->identities_len++;
}

/* Whose that identity is or was: the source's where nobody else had it. */
static struct resident *find(struct world *w, const struct public_key *key) {
    return &w->residents[identity_at(w->liars, key)->place];
}

/* --- who lies --- */

void liars_prepare(struct world *w) {
    struct liars *l = w->liars = world_allocate(1, sizeof *l);
    bool replays = false;
    grow(l);
    l->places = world_allocate(w->places, sizeof *l->places);
    for (uint32_t i = 0; i < w->places; i++) {
        replays |= w->residents[i].kind == KIND_REPLAYER;
        if (liars_is_one(&w->residents[i])) l->places[l->places_len++] = i;
    }
    if (!replays) return;
    l->old = recording_new(w, HOUR_US); /* the older one first: genuine bytes stand by their time */
    l->recent = recording_new(w, RECENT_US);
}

void liars_release(struct world *w) {
    if (w->liars == NULL) return;
    recording_free(w->liars->old);
    recording_free(w->liars->recent);
    free(w->liars->identities);
    free(w->liars->places);
    free(w->liars);
}

/* The same once more, to those that have forgotten the numbers of the first time. */
static void publish_again(struct resident *p) {
    peers_stop(p, false);
    peers_start(p);
}

void liars_started(struct resident *p) {
    const struct liars *l = p->world->liars;
    if (p->number != 0) keep_identity(p);
    if (p->kind == KIND_TWIN) twin_started(p);
    if (p->kind != KIND_REPLAYER) return;
    if (p->number % 2 == 0)
        replay_begin(p, l->old, NULL);
    else
        replay_begin(p, l->recent, publish_again);
}

size_t liars_name(struct resident *p, struct peer_entry *ret, size_t max) {
    struct world *w = p->world;
    const struct liars *l = w->liars;
    if (l->places_len == 0) return 0;
    size_t len = 0, first = (size_t)rng_below(&p->rng, l->places_len);
    for (size_t i = 0; i < l->places_len && len < max; i++) {
        const struct resident *liar = &w->residents[l->places[(first + i) % l->places_len]];
        if (!liar->is_up || liar == p) continue;
        ret[len++] = (struct peer_entry){
            .peer = liar->identity.public,
            .endpoint = network_endpoint(w->network, liar->number),
            .flags = PEER_UPLOADS | PEER_REACHABLE,
        };
    }
    return len;
}

bool liars_surround(struct resident *p) {
    struct world *w = p->world;
    struct peer_entry found[SCENARIO_ECLIPSE_MAX];
    uint64_t lasts_us = (uint64_t)(w->scenario.eclipse_for * (double)US_PER_S);
    if (p->kind != KIND_NEWCOMER || w->scenario.eclipse == 0) return false;
    if (network_now(w->network) >= p->started_us + lasts_us) return false;
    size_t len = liars_name(p, found, w->scenario.eclipse);
    for (size_t i = 0; i < len; i++)
        node_peer_found(p->node, p->channel, &found[i].peer, &found[i].endpoint,
                        network_now(w->network));
    return true;
}

/* --- what becomes of it --- */

void liars_note_met(struct resident *p, const struct public_key *peer) {
    struct world *w = p->world;
    if (p->honest_us != TIME_NEVER || liars_is_one(find(w, peer))) return;
    p->honest_us = network_now(w->network);
}

void liars_note_banned(struct resident *p, const struct public_key *peer) {
    struct world *w = p->world;
    struct resident *banned = find(w, peer);
    if (liars_is_one(p)) return;
    if (!liars_is_one(banned)) w->report.honest_banned++;
    bool is_current = public_key_equal(&banned->identity.public, peer);
    if (banned->kind == KIND_POLLUTER && is_current) polluter_exposed(banned);
}
