#include "core/base/rng.h"

#include <assert.h>

static uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

/* splitmix64, which the generator's authors recommend for seeding. */
static uint64_t seed_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

struct rng rng_init(uint64_t seed) {
    struct rng r;
    for (size_t i = 0; i < ARRAY_LEN(r.s); i++) r.s[i] = seed_next(&seed);
    return r;
}

struct rng rng_split(struct rng *r) {
    return rng_init(rng_u64(r));
}

uint64_t rng_u64(struct rng *r) {
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n) {
    assert(n > 0);
    uint64_t reject_below = -n % n;
    for (;;) {
        uint64_t v = rng_u64(r);
        if (v >= reject_below) return v % n;
    }
}

double rng_unit(struct rng *r) { return (double)(rng_u64(r) >> 11) * 0x1.0p-53; }
