#include "media/rate_meter.h"

#include <criterion/criterion.h>

Test(rate_meter, measures_a_constant_rate) {
    struct rate_meter m = {.slot = 0};
    cr_assert_eq(rate_meter_bps(&m), 0);
    for (uint64_t us = 0; us < 20 * US_PER_S; us += 10000) {
        rate_meter_add(&m, us, 1250);
        if (us > US_PER_S) cr_assert_eq(rate_meter_bps(&m), 1000000);
    }
}

Test(rate_meter, forgets_what_is_older_than_its_window) {
    struct rate_meter m = {.slot = 0};
    for (uint64_t us = 0; us < US_PER_S; us += 10000) rate_meter_add(&m, us, 100000);
    for (uint64_t us = US_PER_S; us < 6 * US_PER_S; us += 10000) rate_meter_add(&m, us, 1250);
    cr_assert_eq(rate_meter_bps(&m), 1000000);
    rate_meter_add(&m, 1000 * US_PER_S, 1);
    cr_assert_eq(rate_meter_bps(&m), 0, "a hole of hours is no rate");
}
