/* both.h - tests that hold with real cryptography and with tags. The file that includes it defines
 * start(), which makes what its tests need. */
#ifndef BOTH_H
#define BOTH_H

#include <criterion/criterion.h>

#include "core/crypto/random.h"
#include "tests/sim/tags.h"

static void start(void);

static void use_real(void) {
    cr_assert_eq(random_start(), 0);
    tags_use(true);
    start();
}

static void use_tags(void) {
    cr_assert_eq(random_start(), 0);
    tags_use(false);
    start();
}

/* A property: a test of the suite `real` and one of the suite `tags`. */
#define BOTH(property)                                                                             \
    static void property(void);                                                                    \
    Test(real, property, .init = use_real) { property(); }                                         \
    Test(tags, property, .init = use_tags) { property(); }                                         \
    static void property(void)

#endif
