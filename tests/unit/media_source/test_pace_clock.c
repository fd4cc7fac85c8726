#include "media/pace_clock.h"

#include <criterion/criterion.h>

Test(pace_clock, makes_the_first_frame_due_at_once) {
    struct pace_clock c = {.anchored = false};
    cr_assert_eq(pace_clock_due(&c, 3000000, 50), 50, "also on a machine younger than its time");
    cr_assert_eq(pace_clock_due(&c, 3040000, 60), 40050);
}

Test(pace_clock, does_not_drift) {
    struct pace_clock c = {.anchored = false};
    uint64_t now_us = 1000000;
    for (uint64_t n = 0; n < 30 * 3600; n++) {
        uint64_t pts_us = n * US_PER_S / 30;
        uint64_t due_us = pace_clock_due(&c, pts_us, now_us);
        cr_assert_eq(due_us, 1000000 + pts_us);
        now_us = due_us + n % 700; /* every wake-up is a little late */
    }
}

Test(pace_clock, catches_up_with_a_short_delay) {
    struct pace_clock c = {.anchored = false};
    pace_clock_due(&c, 0, 1000000);
    cr_assert_eq(pace_clock_due(&c, 100000, 1000000 + 100000 + PACE_LATE_MAX_US), 1100000);
    cr_assert_eq(pace_clock_due(&c, 140000, 1600000), 1140000);
}

Test(pace_clock, moves_on_after_a_stall_without_a_burst) {
    struct pace_clock c = {.anchored = false};
    pace_clock_due(&c, 0, 1000000);
    cr_assert_eq(pace_clock_due(&c, 40000, 9000000), 9000000);
    cr_assert_eq(pace_clock_due(&c, 80000, 9000001), 9040000);
}
