#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "core/link/table.h"

#define LINKS 700

/* The table never looks into a link. */
static struct link *link_number(size_t i) { return (struct link *)(uintptr_t)(64 + i); }

static struct public_key key_number(size_t i) {
    return (struct public_key){{(uint8_t)i, (uint8_t)(i >> 8)}};
}

Test(table, finds_links_by_index_while_it_grows_and_empties) {
    struct table t = {0};
    uint32_t indices[LINKS];
    struct rng rng = rng_init(3);
    cr_assert_null(table_at(&t, 7), "nothing in an empty one");
    for (size_t i = 0; i < LINKS; i++) {
        struct public_key key = key_number(i);
        uint32_t wanted = i % 3 == 0 ? 12345 : (uint32_t)rng_u64(&rng);
        cr_assert_eq(table_add(&t, link_number(i), &key, wanted, &indices[i]), 0);
        for (size_t j = 0; j <= i; j++) cr_assert_eq(table_at(&t, indices[j]), link_number(j));
        cr_assert_null(table_at(&t, indices[i] ^ 1u << 31));
    }
    cr_assert_eq(t.len, LINKS);
    cr_assert_leq(t.size, 1024);
    for (size_t i = 0; i < LINKS; i++) {
        table_remove(&t, indices[i]);
        cr_assert_null(table_at(&t, indices[i]));
    }
    cr_assert_eq(t.len, 0);
    table_release(&t);
}

Test(table, goes_through_all_or_those_that_a_key_fits) {
    struct table t = {0};
    uint32_t index;
    for (size_t i = 0; i < 90; i++) {
        struct public_key key = key_number(i % 30);
        cr_assert_eq(table_add(&t, link_number(i), &key, (uint32_t)(i * i * 77), &index), 0);
    }
    size_t at = 0, n = 0;
    while (table_next(&t, NULL, &at) != NULL) n++;
    cr_assert_eq(n, 90);
    struct public_key key = key_number(11), other = key_number(40);
    bool seen[90] = {false};
    at = n = 0;
    for (struct link *l; (l = table_next(&t, &key, &at)) != NULL; n++)
        seen[(uintptr_t)l - 64] = true;
    cr_assert_eq(n, 3);
    cr_assert(seen[11] && seen[41] && seen[71]);
    at = 0;
    cr_assert_null(table_next(&t, &other, &at));
    table_release(&t);
}
