#include "core/swarm/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define CANDIDATES_FIRST 8

struct candidate *sampler_find(struct sampler *s, const struct public_key *peer) {
    for (size_t i = 0; i < s->len; i++)
        if (public_key_equal(&s->candidates[i].peer, peer)) return &s->candidates[i];
    return NULL;
}

static void add_endpoint(struct candidate *c, const struct endpoint *endpoint) {
    size_t at = 0;
    while (at < c->endpoints_len && !endpoint_equal(&c->endpoints[at], endpoint)) at++;
    if (at == c->endpoints_len) {
        if (c->endpoints_len < HOLDER_ENDPOINTS_MAX) c->endpoints_len++;
        at = c->endpoints_len - 1u;
    }
    memmove(&c->endpoints[1], &c->endpoints[0], at * sizeof c->endpoints[0]);
    c->endpoints[0] = *endpoint;
}

/* A place in a full table: that of a random candidate that is not linked and no better than
 * `origin`. */
static struct candidate *displace(struct sampler *s, struct rng *rng, uint8_t origin) {
    size_t first = (size_t)rng_below(rng, s->len);
    for (size_t i = 0; i < s->len; i++) {
        struct candidate *c = &s->candidates[(first + i) % s->len];
        if (!c->is_linked && c->origin <= origin) return c;
    }
    return NULL;
}

static bool has_room(struct sampler *s) {
    if (s->len < s->capacity) return true;
    size_t capacity = s->capacity == 0 ? CANDIDATES_FIRST : s->capacity * 2;
    if (capacity > CANDIDATES_MAX) return false;
    struct candidate *candidates = realloc(s->candidates, capacity * sizeof *candidates);
    if (candidates == NULL) return false;
    s->candidates = candidates;
    s->capacity = capacity;
    return true;
}

void sampler_release(struct sampler *s) {
    free(s->candidates);
    *s = (struct sampler){0};
}

int sampler_add(struct sampler *s, struct rng *rng, const struct public_key *peer,
                const struct endpoint *endpoint, enum candidate_origin origin) {
    struct candidate *c = sampler_find(s, peer);
    if (c != NULL) {
        if (origin > c->origin) c->origin = (uint8_t)origin;
        /* Hearsay does not change where a signed record says the peer is. */
        if (origin == c->origin) add_endpoint(c, endpoint);
        return ERR_DUPLICATE;
    }
    if (has_room(s))
        c = &s->candidates[s->len++];
    else if (s->len > 0)
        c = displace(s, rng, (uint8_t)origin);
    if (c == NULL) return ERR_FULL;
    *c = (struct candidate){.peer = *peer, .origin = (uint8_t)origin};
    add_endpoint(c, endpoint);
    return 0;
}

struct candidate *sampler_next(struct sampler *s, struct rng *rng, uint64_t now_us) {
    if (s->len == 0) return NULL;
    struct candidate *best = NULL;
    size_t first = (size_t)rng_below(rng, s->len);
    for (size_t i = 0; i < s->len; i++) {
        struct candidate *c = &s->candidates[(first + i) % s->len];
        if (c->is_linked || c->not_before_us > now_us) continue;
        if (best == NULL || c->failures < best->failures ||
            (c->failures == best->failures && c->origin > best->origin))
            best = c;
    }
    return best;
}

void sampler_failed(struct sampler *s, const struct public_key *peer, uint64_t now_us) {
    struct candidate *c = sampler_find(s, peer);
    if (c == NULL) return;
    c->is_linked = false;
    c->failures++;
    c->endpoint_next++;
    if (c->failures >= CANDIDATE_FAILURES_MAX * c->endpoints_len) {
        sampler_remove(s, peer);
        return;
    }
    unsigned rounds = c->failures / c->endpoints_len;
    c->not_before_us = now_us + (rounds == 0 ? 0 : CANDIDATE_PAUSE_US << (rounds - 1));
}

void sampler_remove(struct sampler *s, const struct public_key *peer) {
    struct candidate *c = sampler_find(s, peer);
    if (c == NULL) return;
    struct candidate *last = &s->candidates[--s->len];
    if (c != last) *c = *last;
}
