/* sampler.h - peers of a channel that we could link with (a peer sampler in GRAPES' words).
 *
 * Filled from the DHT, from neighbours (PEERS), from memory and hints; most of what it holds is
 * hearsay, so a dial that fails costs the candidate a growing pause and in the end its place. */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/base/rng.h"
#include "core/crypto/sign.h"
#include "core/proto/limits.h"

#define CANDIDATES_MAX 128
#define CANDIDATE_FAILURES_MAX 4
#define CANDIDATE_PAUSE_US (2 * US_PER_S) /* after the first failure; doubles */

enum candidate_origin {
    ORIGIN_NEIGHBOUR, /* PEERS: hearsay */
    ORIGIN_MEMORY,
    ORIGIN_RECORD, /* a signed record */
};

struct candidate {
    struct public_key peer;
    uint8_t origin; /* enum candidate_origin */
    uint8_t endpoints_len;
    uint8_t endpoint_next; /* which endpoint to try next */
    uint8_t failures;
    bool is_linked; /* a link stands or is being dialled */
    struct endpoint endpoints[HOLDER_ENDPOINTS_MAX];
    uint64_t not_before_us;
};

#define TURNED_AWAY_MAX 8

/* Who found no room here, and so looks for neighbours. */
struct turned_away {
    struct public_key peer;
    struct endpoint endpoint;
    uint64_t at_us; /* 0: nobody */
};

struct sampler {
    size_t len, capacity;
    struct candidate *candidates; /* grows up to CANDIDATES_MAX */
    struct turned_away turned_away[TURNED_AWAY_MAX];
    uint8_t turned_away_next;
};

void sampler_release(struct sampler *s);
/* Adds a peer, or an endpoint to it (the newest first). A full table drops a candidate of equal or
 * worse origin at random, so junk cannot displace signed records. Returns 0, ERR_DUPLICATE or
 * ERR_FULL (no memory for more is full, too). */
int sampler_add(struct sampler *s, struct rng *rng, const struct public_key *peer,
                const struct endpoint *endpoint, enum candidate_origin origin);
struct candidate *sampler_find(struct sampler *s, const struct public_key *peer);
/* One that may be dialled now, better origins first and at random within; or NULL. */
struct candidate *sampler_next(struct sampler *s, struct rng *rng, uint64_t now_us);
/* The dial failed: the next endpoint, after a pause; dropped after CANDIDATE_FAILURES_MAX rounds.
 */
void sampler_failed(struct sampler *s, const struct public_key *peer, uint64_t now_us);
void sampler_remove(struct sampler *s, const struct public_key *peer);

#endif
