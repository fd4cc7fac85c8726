#include "core/base/rng.h"

#include <criterion/criterion.h>

/* What the authors' program xoshiro256starstar.c gives from the state 1, 2, 3, 4. */
Test(rng, is_xoshiro256_star_star) {
    static const uint64_t expected[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600,
    };
    struct rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) cr_assert_eq(rng_u64(&r), expected[i]);
}

/* What their splitmix64.c gives from the seed 1234567. */
Test(rng, is_seeded_by_splitmix64) {
    struct rng r = rng_init(1234567);
    cr_assert_eq(r.s[0], 6457827717110365317ull);
    cr_assert_eq(r.s[1], 3203168211198807973ull);
    cr_assert_eq(r.s[2], 9817491932198370423ull);
    cr_assert_eq(r.s[3], 4593380528125082431ull);
}

Test(rng, replays_from_its_seed_and_differs_between_seeds) {
    struct rng a = rng_init(5), b = rng_init(5), c = rng_init(6);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t v = rng_u64(&a);
        cr_assert_eq(v, rng_u64(&b));
        differs = differs || v != rng_u64(&c);
    }
    cr_assert(differs);
}

Test(rng, splits_into_one_that_goes_its_own_way) {
    struct rng a = rng_init(5), b = rng_init(5);
    struct rng child = rng_split(&a);
    cr_assert_neq(rng_u64(&child), rng_u64(&a));
    (void)rng_u64(&b); /* a split advances the parent once */
    (void)rng_u64(&b);
    cr_assert_eq(rng_u64(&a), rng_u64(&b));
}

/* 600,000 throws: 100,000 for each side, with a standard deviation of 289. The seed is fixed, so
 * the bound of 5 deviations holds always or never. */
Test(rng, throws_each_side_of_a_die_as_often) {
    struct rng r = rng_init(7);
    int counts[6] = {0};
    for (int i = 0; i < 600000; i++) {
        uint64_t side = rng_below(&r, 6);
        cr_assert_lt(side, 6);
        counts[side]++;
    }
    for (int i = 0; i < 6; i++) cr_assert(counts[i] > 98555 && counts[i] < 101445, "%d", counts[i]);
}

/* Just above half of the range is where a plain remainder would be twice as likely below n - 2^63.
 */
Test(rng, has_no_bias_for_large_bounds) {
    struct rng r = rng_init(8);
    uint64_t n = (1ull << 63) + (1ull << 62);
    int low = 0;
    for (int i = 0; i < 30000; i++)
        if (rng_below(&r, n) < n / 3) low++;
    cr_assert(low > 9500 && low < 10500, "%d", low);
}

Test(rng, below_one_is_zero) {
    struct rng r = rng_init(9);
    for (int i = 0; i < 100; i++) cr_assert_eq(rng_below(&r, 1), 0);
}

Test(rng, unit_fills_the_range_from_zero_to_below_one) {
    struct rng r = rng_init(10);
    double sum = 0, least = 1, most = 0;
    for (int i = 0; i < 100000; i++) {
        double v = rng_unit(&r);
        cr_assert(v >= 0 && v < 1);
        sum += v;
        if (v < least) least = v;
        if (v > most) most = v;
    }
    cr_assert(sum > 49500 && sum < 50500, "%f", sum);
    cr_assert(least < 0.001 && most > 0.999);
}
