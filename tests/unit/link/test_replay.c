#include <criterion/criterion.h>

#include "core/base/err.h"
#include "core/link/replay.h"

Test(replay, refuses_what_it_has_seen) {
    struct replay r = {0};
    for (uint64_t c = 0; c < 5000; c += 3) {
        cr_assert_eq(replay_check(&r, c), 0);
        replay_note(&r, c, 0);
        cr_assert_eq(replay_check(&r, c), ERR_REPLAY);
        if (c > 0) cr_assert_eq(replay_check(&r, c - 1), 0, "a gap is still open");
    }
    replay_release(&r);
}

Test(replay, takes_late_ones_up_to_the_edge_of_the_window) {
    for (uint64_t top = 2000; top < 2200; top++) {
        struct replay r = {0};
        for (uint64_t c = 0; c < 200; c++) replay_note(&r, c, 0);
        replay_note(&r, top, 0);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 1), 0);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW), ERR_STALE);
        replay_note(&r, top - REPLAY_WINDOW + 1, 0);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 1), ERR_REPLAY);
        cr_assert_eq(replay_check(&r, top), ERR_REPLAY);
        cr_assert_eq(replay_check(&r, top - REPLAY_WINDOW + 2), 0);
        replay_release(&r);
    }
}

Test(replay, forgets_nothing_inside_the_window_when_it_moves) {
    struct replay r = {0};
    uint8_t seen[20000] = {0};
    uint64_t highest = 127, state = 7;
    for (uint64_t c = 0; c <= highest; c++) {
        replay_note(&r, c, 0);
        seen[c] = 1;
    }
    for (int i = 0; i < 60000; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t back = (state >> 33) % u64_min(highest + 40, 700);
        uint64_t c = highest + 40 - back;
        if (c >= sizeof seen) break;
        bool is_old = highest >= REPLAY_WINDOW && c <= highest - REPLAY_WINDOW;
        int expected = is_old ? ERR_STALE : seen[c] ? ERR_REPLAY : 0;
        cr_assert_eq(replay_check(&r, c), expected, "counter %lu below %lu", c, highest);
        if (expected) continue;
        replay_note(&r, c, 0);
        seen[c] = 1;
        if (c > highest) highest = c;
    }
    cr_assert_gt(highest, 15000);
    replay_release(&r);
}

Test(replay, counts_runs_of_seen_and_unseen_ones) {
    struct replay r = {0};
    bool seen[3000] = {false};
    uint64_t state = 3;
    for (uint64_t c = 0; c < ARRAY_LEN(seen); c++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        seen[c] = state >> 62 != 0 || c + 1 == ARRAY_LEN(seen) || c % 500 < 200;
        if (seen[c]) replay_note(&r, c, 0);
    }
    cr_assert_eq(replay_least(&r), ARRAY_LEN(seen) - REPLAY_WINDOW);
    for (uint64_t c = replay_least(&r); c < ARRAY_LEN(seen); c++) {
        uint64_t run = 0;
        while (run <= c - replay_least(&r) && seen[c - run] == seen[c]) run++;
        cr_assert_eq(replay_run(&r, c, seen[c]), run, "from %lu", c);
        cr_assert_eq(replay_run(&r, c, !seen[c]), 0);
    }
    replay_release(&r);
}

Test(replay, is_short_while_few_come_and_refuses_what_it_does_not_reach) {
    struct replay r = {0};
    uint64_t c = 0, now_us = 0;
    for (; c < 640; c += 2, now_us += 40000) replay_note(&r, c, now_us);
    cr_assert_null(r.more, "50 counters a second");
    uint64_t top = r.highest;
    cr_assert_eq(replay_check(&r, top - 1), 0);
    cr_assert_eq(replay_check(&r, top - 2), ERR_REPLAY);
    cr_assert_eq(replay_check(&r, top - 63), 0);
    cr_assert_eq(replay_check(&r, top - 65), ERR_STALE);
    for (; c < 2000; c += 2, now_us += 1000) replay_note(&r, c, now_us);
    cr_assert_not_null(r.more);
    cr_assert_eq(replay_check(&r, r.highest - 1023), 0);
    for (uint64_t i = 0; i < 1024; i++) {
        int expected = (r.highest - i) % 2 ? 0 : ERR_REPLAY;
        cr_assert_eq(replay_check(&r, r.highest - i), expected);
    }
    for (; c < 3000; c += 2, now_us += 40000) replay_note(&r, c, now_us);
    cr_assert_null(r.more, "and short again");
    cr_assert_eq(replay_check(&r, r.highest - 63), 0);
    cr_assert_eq(replay_check(&r, r.highest - 64), ERR_STALE);
}

Test(replay, refuses_what_came_or_not_before_it_grew) {
    struct replay r = {0};
    for (uint64_t c = 0; c < 300; c += 3) replay_note(&r, c, c * 100000);
    cr_assert_null(r.more);
    uint64_t least = replay_least(&r);
    for (uint64_t c = 300; c < 450; c++) replay_note(&r, c, 40 * US_PER_S);
    cr_assert_not_null(r.more);
    cr_assert_geq(replay_least(&r), least);
    for (uint64_t c = 0; c < replay_least(&r); c++) cr_assert_eq(replay_check(&r, c), ERR_STALE);
    for (uint64_t c = replay_least(&r); c < 300; c++)
        cr_assert_eq(replay_check(&r, c), c % 3 ? 0 : ERR_REPLAY, "%lu", c);
    replay_release(&r);
}

Test(replay, jumps_further_than_its_window) {
    struct replay r = {0};
    for (uint64_t c = 0; c < 1100; c++) replay_note(&r, c, 0);
    replay_note(&r, 1ull << 40, 0);
    cr_assert_eq(replay_check(&r, 1099), ERR_STALE);
    for (uint64_t d = 1; d < REPLAY_WINDOW; d++)
        cr_assert_eq(replay_check(&r, (1ull << 40) - d), 0);
    replay_release(&r);
}
