#include <criterion/criterion.h>

#include "core/link/received.h"

Test(received, acknowledges_the_eighth_datagram_or_after_25_ms) {
    struct received r;
    received_init(&r);
    for (uint64_t c = 0; c < 7; c++) {
        received_note(&r, c, true, 1000 + c);
        cr_assert_eq(r.due_us, 1000 + RECEIVED_DELAY_US);
    }
    received_note(&r, 7, true, 1010);
    cr_assert_eq(r.due_us, 1010);
    received_sent(&r);
    cr_assert_eq(r.due_us, TIME_NEVER);
    received_note(&r, 8, false, 1020);
    cr_assert_eq(r.due_us, TIME_NEVER, "nobody acknowledges an acknowledgement");
}

Test(received, acknowledges_at_once_when_a_counter_is_skipped) {
    struct received r;
    received_init(&r);
    received_note(&r, 0, true, 1000);
    received_note(&r, 2, true, 1001);
    cr_assert_eq(r.due_us, 1001);
}

Test(received, reports_runs_and_the_gaps_between_them) {
    struct received r;
    received_init(&r);
    static const uint64_t counters[] = {0, 1, 2, 5, 6, 9, 8, 20};
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) received_note(&r, counters[i], true, 1000 + i);
    struct ack_frame f;
    received_fill(&r, &f, 2000);
    cr_assert_eq(f.largest, 20);
    cr_assert_eq(f.received_us, 1007);
    cr_assert_eq(f.delay_us, 993);
    cr_assert_eq(f.ranges_len, 4);
    static const struct ack_range expected[] = {{0, 1}, {10, 2}, {1, 2}, {2, 3}};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(f.ranges[i].gap, expected[i].gap, "gap %u", i);
        cr_assert_eq(f.ranges[i].run, expected[i].run, "run %u", i);
    }
    received_note(&r, 7, true, 3000); /* joins two runs */
    received_fill(&r, &f, 3000);
    cr_assert_eq(f.ranges_len, 3);
    cr_assert_eq(f.ranges[1].run, 5);
}

Test(received, keeps_the_newest_runs_in_bounded_room) {
    struct received r;
    received_init(&r);
    for (uint64_t c = 0; c < 10000; c += 2) received_note(&r, c, true, c);
    cr_assert_eq(r.runs_len, RECEIVED_RUNS_MAX);
    struct ack_frame f;
    received_fill(&r, &f, 10000);
    cr_assert_eq(f.largest, 9998);
    cr_assert_eq(f.ranges_len, FRAME_ACK_RANGES_MAX);
    received_note(&r, 1, true, 10001); /* older than all that is kept */
    cr_assert_eq(r.runs_len, RECEIVED_RUNS_MAX);
}
