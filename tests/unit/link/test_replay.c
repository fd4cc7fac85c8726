#include <criterion/criterion.h>

#include "core/base/err.h"
#include "core/link/replay.h"

Test(replay, refuses_what_it_has_seen) {
    struct replay r = {0};
    for (uint64_t c = 0; c < 5000; c += 3) {
        cr_assert_eq(replay_check(&r, c), 0);
        replay_note(&r, c);
        cr_assert_eq(replay_check(&r, c), ERR_REPLAY);
        if (c > 0) cr_assert_eq(replay_check(&r, c - 1), 0, "a gap is still open");
    }
}

Test(replay, takes_late_ones_up_to_the_edge_of_the_window) {
    for (uint64_t top = 2000; top < 2200; top++) {
        struct replay r = {0};
        replay_note(&r, 0);
        replay_note(&r, top);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 1), 0);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW), ERR_STALE);
        replay_note(&r, top - REPLAY_WINDOW + 1);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 1), ERR_REPLAY);
        cr_assert_eq(replay_check(&r, top), ERR_REPLAY);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 2), 0);
    }
}

Test(replay, forgets_nothing_inside_the_window_when_it_moves) {
    struct replay r = {0};
    uint8_t seen[20000] = {0};
    uint64_t highest = 0, state = 7;
    for (int i = 0; i < 60000; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t back = (state >> 33) % u64_min(highest + 40, 700);
        uint64_t c = highest + 40 - back;
        if (c >= sizeof seen) break;
        bool is_old = highest >= REPLAY_WINDOW && c <= highest - REPLAY_WINDOW;
        int expected = is_old ? ERR_STALE : seen[c] ? ERR_REPLAY : 0;
        cr_assert_eq(replay_check(&r, c), expected, "counter %lu below %lu", c, highest);
        if (expected) continue;
        replay_note(&r, c);
        seen[c] = 1;
        if (c > highest) highest = c;
    }
    cr_assert_gt(highest, 15000);
}

Test(replay, counts_runs_of_seen_and_unseen_ones) {
    struct replay r = {0};
    bool seen[3000] = {false};
    uint64_t state = 3;
    for (uint64_t c = 0; c < ARRAY_LEN(seen); c++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        seen[c] = state >> 62 != 0 || c + 1 == ARRAY_LEN(seen) || c % 500 < 200;
        if (seen[c]) replay_note(&r, c);
    }
    cr_assert_eq(replay_least(&r), ARRAY_LEN(seen) - REPLAY_WINDOW);
    for (uint64_t c = replay_least(&r); c < ARRAY_LEN(seen); c++) {
        uint64_t run = 0;
        while (run <= c - replay_least(&r) && seen[c - run] == seen[c]) run++;
        cr_assert_eq(replay_run(&r, c, seen[c]), run, "from %lu", c);
        cr_assert_eq(replay_run(&r, c, !seen[c]), 0);
    }
}

Test(replay, jumps_further_than_its_window) {
    struct replay r = {0};
    for (uint64_t c = 0; c < 1100; c++) replay_note(&r, c);
    replay_note(&r, 1ull << 40);
    cr_assert_eq(replay_check(&r, 1099), ERR_STALE);
    for (uint64_t d = 1; d < REPLAY_WINDOW; d++)
        cr_assert_eq(replay_check(&r, (1ull << 40) - d), 0);
}
