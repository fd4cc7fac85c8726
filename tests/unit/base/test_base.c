#include "core/base/base.h"

#include <criterion/criterion.h>

Test(base, subtracts_times_down_to_zero_only) {
    cr_assert_eq(u64_sub(5, 3), 2);
    cr_assert_eq(u64_sub(3, 5), 0);
    cr_assert_eq(u64_sub(5, 5), 0);
    cr_assert_eq(u64_sub(TIME_NEVER, 0), TIME_NEVER);
}

Test(base, finds_the_smaller_and_the_larger) {
    cr_assert_eq(u64_min(1, 2), 1);
    cr_assert_eq(u64_min(TIME_NEVER, 2), 2);
    cr_assert_eq(u64_max(1, 2), 2);
    cr_assert_eq(size_min(3, 2), 2);
    cr_assert_eq(size_max(3, 2), 3);
}
