#include <criterion/criterion.h>

#include "core/base/rng.h"
#include "core/link/schedule.h"

Test(schedule, finds_the_earliest_whatever_is_set_and_taken_out) {
    struct schedule s = {0};
    struct due dues[200] = {{0}};
    uint64_t times[ARRAY_LEN(dues)];
    for (size_t i = 0; i < ARRAY_LEN(dues); i++) times[i] = TIME_NEVER;
    cr_assert_eq(schedule_reserve(&s, ARRAY_LEN(dues)), 0);
    struct rng rng = rng_init(1);
    for (int step = 0; step < 20000; step++) {
        size_t i = rng_below(&rng, ARRAY_LEN(dues));
        times[i] = rng_below(&rng, 3) == 0 ? TIME_NEVER : rng_below(&rng, 1000);
        schedule_set(&s, &dues[i], times[i]);
        uint64_t least = TIME_NEVER;
        for (size_t j = 0; j < ARRAY_LEN(dues); j++) {
            least = u64_min(least, times[j]);
            cr_assert_eq(dues[j].place != 0, times[j] != TIME_NEVER);
        }
        cr_assert_eq(schedule_time(&s), least);
        if (least != TIME_NEVER) cr_assert_eq(times[schedule_first(&s) - dues], least);
    }
    schedule_release(&s);
}

Test(schedule, lets_equal_times_take_turns) {
    struct schedule s = {.turns = UINT32_MAX - 4}; /* wraps on the way */
    struct due dues[7] = {{0}};
    cr_assert_eq(schedule_reserve(&s, ARRAY_LEN(dues)), 0);
    for (size_t i = 0; i < ARRAY_LEN(dues); i++) schedule_set(&s, &dues[i], 5);
    for (size_t i = 0; i < 5 * ARRAY_LEN(dues); i++) {
        struct due *d = schedule_first(&s);
        cr_assert_eq(d, &dues[i % ARRAY_LEN(dues)], "turn %zu", i);
        schedule_set(&s, d, 5);
        cr_assert_eq(schedule_first(&s), d, "the same time keeps its turn");
        schedule_set(&s, d, TIME_NEVER);
        schedule_set(&s, d, 5);
    }
    schedule_release(&s);
}
