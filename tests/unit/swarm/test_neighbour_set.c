#include "core/swarm/neighbour_set.h"

#include <criterion/criterion.h>

static struct neighbour_set s;

/* The same operations on an array of flags. */
static bool model[NEIGHBOURS_MAX];

static void expect_same(void) {
    size_t next = 0;
    bool is_empty = true;
    for (size_t i = 0; i < NEIGHBOURS_MAX; i++) {
        cr_assert_eq(neighbour_set_has(&s, i), model[i], "%zu", i);
        if (!model[i]) continue;
        is_empty = false;
        next = neighbour_set_next(&s, next);
        cr_assert_eq(next, i);
        next++;
    }
    cr_assert_eq(neighbour_set_next(&s, next), NEIGHBOURS_MAX);
    cr_assert_eq(neighbour_set_is_empty(&s), is_empty);
}

static void add_every(size_t step) {
    for (size_t i = 0; i < NEIGHBOURS_MAX; i += step) {
        neighbour_set_add(&s, i);
        model[i] = true;
    }
}

Test(neighbour_set, is_empty_at_first) { expect_same(); }

Test(neighbour_set, holds_what_was_added_and_not_removed) {
    add_every(7);
    expect_same();
    for (size_t i = 0; i < NEIGHBOURS_MAX; i += 3) {
        neighbour_set_remove(&s, i);
        model[i] = false;
    }
    expect_same();
}

Test(neighbour_set, passes_over_what_is_in_the_other_set) {
    add_every(5);
    struct neighbour_set but = {{0}};
    for (size_t i = 0; i < NEIGHBOURS_MAX; i += 10) neighbour_set_add(&but, i);
    for (size_t i = 5; i < NEIGHBOURS_MAX - 10; i += 10) {
        cr_assert_eq(neighbour_set_next_but(&s, &but, i - 4), i);
        cr_assert_eq(neighbour_set_next_but(&s, &but, i), i);
    }
    cr_assert_eq(neighbour_set_next_but(&s, &s, 0), NEIGHBOURS_MAX);
}

Test(neighbour_set, closes_the_gap_that_a_neighbour_leaves) {
    const size_t places[] = {0, 62, 62, 63, 63, 64, 1, 127, 128, 126, 140, 0};
    add_every(3);
    add_every(4);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        neighbour_set_close(&s, places[i]);
        for (size_t k = places[i]; k < NEIGHBOURS_MAX; k++)
            model[k] = k + 1 < NEIGHBOURS_MAX && model[k + 1];
        expect_same();
    }
}
