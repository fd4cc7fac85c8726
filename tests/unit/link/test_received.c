#include <criterion/criterion.h>

#include "core/link/received.h"

/* What a link keeps of what came. */
struct inflow {
    struct replay window;
    struct received received;
};

static struct inflow *inflow_start(void) {
    static struct inflow f;
    replay_release(&f.window);
    received_init(&f.received);
    return &f;
}

static void came(struct inflow *f, uint64_t counter, enum received_kind kind, uint64_t now_us) {
    replay_note(&f->window, counter, now_us);
    received_note(&f->received, counter, now_us);
    received_await(&f->received, kind, now_us);
}

/* The same with the first datagrams behind it, and all acknowledged: the next counter is 20. */
static struct inflow *inflow_under_way(void) {
    struct inflow *f = inflow_start();
    for (uint64_t c = 0; c < RECEIVED_PROMPT_FIRST; c++) came(f, c, RECEIVED_PATIENT, 1000);
    received_sent(&f->received, 1000);
    return f;
}

static struct ack_frame fill(const struct inflow *f, uint64_t now_us) {
    struct ack_frame ack;
    received_fill(&f->received, &f->window, NULL, &ack, now_us);
    return ack;
}

Test(received, acknowledges_the_first_datagrams_and_messages_promptly) {
    struct inflow *f = inflow_start();
    for (uint64_t c = 0; c < RECEIVED_PROMPT_FIRST; c++) {
        came(f, c, RECEIVED_PATIENT, 1000 + c);
        cr_assert_eq(f->received.due_us, 1000 + c + RECEIVED_PROMPT_US);
        received_sent(&f->received, 1000 + c);
        cr_assert_eq(f->received.due_us, TIME_NEVER);
    }
    came(f, 20, RECEIVED_SILENT, 2000);
    cr_assert_eq(f->received.due_us, TIME_NEVER, "nobody acknowledges an acknowledgement");
    came(f, 21, RECEIVED_PATIENT, 2000);
    cr_assert_eq(f->received.due_us, 2000 + RECEIVED_DELAY_US);
    came(f, 22, RECEIVED_PROMPT, 3000);
    cr_assert_eq(f->received.due_us, 3000 + RECEIVED_PROMPT_US);
}

Test(received, acknowledges_the_sixteenth_datagram_at_once) {
    struct inflow *f = inflow_under_way();
    for (uint64_t i = 0; i < 15; i++) came(f, 20 + i, RECEIVED_PATIENT, 2000 + i);
    cr_assert_eq(f->received.due_us, 2000 + RECEIVED_DELAY_US);
    cr_assert(received_has_news(&f->received), "it rides on what leaves earlier");
    came(f, 35, RECEIVED_PATIENT, 2016);
    cr_assert_eq(f->received.due_us, 2016);
}

Test(received, acknowledges_a_hole_at_once_and_many_of_them_2_ms_apart) {
    struct inflow *f = inflow_under_way();
    came(f, 21, RECEIVED_PATIENT, 50000);
    cr_assert_eq(f->received.due_us, 50000);
    received_sent(&f->received, 50000);
    came(f, 20, RECEIVED_PATIENT, 50500);
    cr_assert_eq(f->received.due_us, 50500 + RECEIVED_LATE_US);
    came(f, 23, RECEIVED_PATIENT, 50600);
    cr_assert_eq(f->received.due_us, 50000 + RECEIVED_HOLE_US);
}

Test(received, reports_runs_and_the_gaps_between_them) {
    struct inflow *f = inflow_start();
    static const uint64_t counters[] = {0, 1, 2, 5, 6, 9, 8, 20};
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        came(f, counters[i], RECEIVED_PATIENT, 1000 + i);
    struct ack_frame ack = fill(f, 2000);
    cr_assert_eq(ack.largest, 20);
    cr_assert_eq(ack.received_us, 1007);
    cr_assert_eq(ack.delay_us, 993);
    cr_assert_eq(ack.ranges_len, 4);
    static const struct ack_range expected[] = {{0, 1}, {10, 2}, {1, 2}, {2, 3}};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(ack.ranges[i].gap, expected[i].gap, "gap %u", i);
        cr_assert_eq(ack.ranges[i].run, expected[i].run, "run %u", i);
    }
    came(f, 7, RECEIVED_PATIENT, 3000); /* joins two runs */
    ack = fill(f, 3000);
    cr_assert_eq(ack.ranges_len, 3);
    cr_assert_eq(ack.ranges[1].run, 5);
}

Test(received, goes_on_in_the_period_before_where_keys_have_changed) {
    struct inflow *f = inflow_start();
    for (uint64_t c = 0; c < 170; c++)
        if (c != 60) came(f, c, RECEIVED_PATIENT, 1000);
    struct replay past = f->window;
    f->window = (struct replay){0};
    for (uint64_t c = 0; c < 3; c++) came(f, (1u << 20) + c, RECEIVED_PATIENT, 2000);
    struct ack_frame ack;
    received_fill(&f->received, &f->window, &past, &ack, 2000);
    cr_assert_eq(ack.ranges_len, 3);
    cr_assert_eq(ack.ranges[0].run, 3);
    cr_assert_eq(ack.ranges[1].gap, (1u << 20) - 170);
    cr_assert_eq(ack.ranges[1].run, 109);
    cr_assert_eq(ack.ranges[2].gap, 1);
    cr_assert_eq(ack.ranges[2].run, 59, "the window grew at 64, and holds 64");
    cr_assert_eq(frame_ack_size(&ack), FRAME_ACK_SIZE_MIN + 5 + 2);
    replay_release(&past);
}

Test(received, cuts_a_long_run_and_many_holes) {
    struct inflow *f = inflow_start();
    for (uint64_t c = 0; c < 10000; c += 2) came(f, c, RECEIVED_PATIENT, c);
    struct ack_frame ack = fill(f, 10000);
    cr_assert_eq(ack.largest, 9998);
    cr_assert_eq(ack.ranges_len, FRAME_ACK_RANGES_MAX);
    for (uint64_t c = 9999; c < 10500; c++) came(f, c, RECEIVED_PATIENT, c);
    ack = fill(f, 11000);
    cr_assert_eq(ack.ranges_len, 1);
    cr_assert_eq(ack.ranges[0].run, FRAME_ACK_RUN_MAX);
    struct inflow *far = inflow_start(); /* gaps that take four bytes each */
    for (uint64_t c = 0; c < 70; c++) came(far, c, RECEIVED_PATIENT, c);
    for (uint64_t c = 300; c < 1000; c += 300) came(far, c, RECEIVED_PATIENT, c);
    ack = fill(far, 2000);
    cr_assert_eq(ack.ranges_len, 4);
    cr_assert_eq(frame_ack_size(&ack), FRAME_ACK_SIZE_MIN + 5 + 5 + 2);
    cr_assert_leq(frame_ack_size(&ack), FRAME_ACK_SIZE_MAX);
}

Test(received, stops_to_report_a_hole_after_half_a_second_to_a_second) {
    struct inflow *f = inflow_under_way();
    uint64_t start_us = US_PER_S, last_us = 0;
    for (uint64_t i = 1; i < 300; i++) {
        if (i == 150) continue;
        uint64_t now_us = start_us + i * 10000;
        came(f, 20 + i, RECEIVED_PATIENT, now_us);
        if (i > 150 && fill(f, now_us).ranges_len == 2) last_us = now_us;
        received_sent(&f->received, now_us);
    }
    uint64_t hole_us = start_us + 150 * 10000;
    cr_assert_geq(last_us, hole_us + RECEIVED_KEPT_US);
    cr_assert_leq(last_us, hole_us + 2 * RECEIVED_KEPT_US + 20000);
    came(f, 170, RECEIVED_PATIENT, 5 * US_PER_S);
    cr_assert_gt(fill(f, 5 * US_PER_S).ranges[0].run, 150, "one that comes after all is said");
}
