/* rng.h - a seeded generator for decisions that must replay (xoshiro256**, Blackman and Vigna
 * 2018).
 *
 * Not for secrets: keys and nonces come from core/crypto/random.h. */
#ifndef RNG_H
#define RNG_H

#include "core/base/base.h"

struct rng {
    uint64_t s[4];
};

struct rng rng_init(uint64_t seed);
/* An independent generator; advances `r` once. */
struct rng rng_split(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n); n must be at least 1. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* Uniform in [0, 1). */
double rng_unit(struct rng *r);

#endif
