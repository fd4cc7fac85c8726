/* random.h - secret random bytes from a seed, with fast key erasure.
 *
 * A node holds one: the program seeds it from the system, a simulation from its run's seed, so that
 * keys, nonces and indices replay there. Each call replaces the key, so what was handed out cannot
 * be computed from a later state (Bernstein, "Fast-key-erasure random-number generators", 2017). */
#ifndef RANDOM_H
#define RANDOM_H

#include "core/base/base.h"

#define RANDOM_SEED_BYTES 32

struct random {
    uint8_t key[RANDOM_SEED_BYTES];
};

/* Must succeed once before any other function of core/crypto. Returns 0 or ERR_SYSTEM. */
MUST_CHECK int random_start(void);

struct random random_from_seed(const uint8_t seed[RANDOM_SEED_BYTES]);
struct random random_from_system(void);
void random_bytes(struct random *r, void *ret, size_t len);
uint32_t random_u32(struct random *r);
uint64_t random_u64(struct random *r);
/* Overwrites memory that held a secret; the compiler may not remove it. */
void secret_erase(void *data, size_t len);

#endif
