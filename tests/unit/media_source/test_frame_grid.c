#include "media/frame_grid.h"

#include <criterion/criterion.h>

/* Frames of `rate` a second with `jitter_us` to and fro; returns how many places were filled in all
 * and checks that none is left out. */
static unsigned run(struct frame_grid *g, unsigned rate, unsigned seconds, int64_t phase_us,
                    int64_t jitter_us) {
    unsigned filled = 0;
    int64_t next = -1;
    for (unsigned n = 0; n < rate * seconds; n++) {
        int64_t us = (int64_t)(n * US_PER_S / rate) + phase_us;
        us += n == 0 ? 0 : n % 3 == 1 ? jitter_us : n % 3 == 2 ? -jitter_us : 0;
        struct frame_place p = frame_grid_take(g, (uint64_t)us);
        if (!p.taken) continue;
        if (next >= 0) cr_assert_eq(p.tick - p.repeats, next, "frame %u", n);
        next = p.tick + 1;
        filled += 1 + p.repeats;
    }
    return filled;
}

Test(frame_grid, takes_each_frame_at_the_inputs_own_rate) {
    for (int64_t phase_us = 0; phase_us < 33333; phase_us += 1111) {
        struct frame_grid g = {.fps_num = 30, .fps_den = 1};
        cr_assert_eq(run(&g, 30, 60, phase_us, 500), 1800, "phase %lld", (long long)phase_us);
    }
}

Test(frame_grid, drops_to_a_lower_rate) {
    struct frame_grid half = {.fps_num = 30, .fps_den = 1};
    cr_assert_eq(run(&half, 60, 10, 0, 500), 301, "the last place is filled early");
    struct frame_grid third = {.fps_num = 10, .fps_den = 1};
    cr_assert_eq(run(&third, 30, 10, 0, 500), 101);
    struct frame_grid film = {.fps_num = 24, .fps_den = 1};
    unsigned n = run(&film, 25, 100, 0, 500);
    cr_assert(n >= 2399 && n <= 2401, "%u", n);
}

Test(frame_grid, repeats_to_a_higher_rate) {
    struct frame_grid g = {.fps_num = 30, .fps_den = 1};
    unsigned n = run(&g, 25, 100, 0, 500);
    cr_assert(n >= 2997 && n <= 3000, "%u", n);
    struct frame_grid slides = {.fps_num = 30, .fps_den = 1};
    cr_assert_eq(run(&slides, 1, 10, 0, 0), 271);
}

Test(frame_grid, leaves_long_holes) {
    struct frame_grid g = {.fps_num = 30, .fps_den = 1};
    frame_grid_take(&g, 0);
    struct frame_place p = frame_grid_take(&g, 5 * US_PER_S);
    cr_assert(p.taken);
    cr_assert_eq(p.tick, 150);
    cr_assert_eq(p.repeats, 0);
}

Test(frame_grid, drops_what_comes_twice) {
    struct frame_grid g = {.fps_num = 25, .fps_den = 1};
    cr_assert(frame_grid_take(&g, 40000).taken);
    cr_assert_not(frame_grid_take(&g, 40000).taken);
    cr_assert_not(frame_grid_take(&g, 0).taken);
}

Test(frame_grid, tells_the_time_of_a_place_without_adding_errors_up) {
    struct frame_grid g = {.fps_num = 30000, .fps_den = 1001};
    cr_assert_eq(frame_grid_us(&g, 30000), 1001 * US_PER_S);
    cr_assert_eq(frame_grid_us(&g, 1), 33366);
    cr_assert_eq(frame_grid_us(&g, 30000ll * 3600 * 24), 1001 * US_PER_S * 3600 * 24);
}
