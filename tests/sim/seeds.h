/* seeds.h - which seeds a test runs, and what else the environment says. */
#ifndef SEEDS_H
#define SEEDS_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

#endif
