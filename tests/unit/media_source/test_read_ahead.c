#include "media/read_ahead.h"

#include <criterion/criterion.h>

static struct read_ahead ahead;

static void start(void) { read_ahead_init(&ahead); }
static void stop(void) { read_ahead_release(&ahead); }

TestSuite(read_ahead, .init = start, .fini = stop);

static void put(unsigned stream, int64_t time_us) {
    AVPacket *p = av_packet_alloc();
    cr_assert_eq(av_new_packet(p, 10), 0);
    p->pts = time_us;
    read_ahead_put(&ahead, p, stream, time_us);
}

static int64_t take(void) {
    AVPacket *p = read_ahead_take(&ahead);
    cr_assert_not_null(p);
    int64_t time_us = p->pts;
    av_packet_free(&p);
    return time_us;
}

Test(read_ahead, puts_two_streams_in_order_of_time) {
    for (int64_t us = 0; us < 800000; us += 40000) put(0, us);
    for (int64_t us = 10000; us < 800000; us += 40000) put(1, us);
    cr_assert_not(read_ahead_is_ready(&ahead));
    put(0, 1000000);
    cr_assert(read_ahead_is_ready(&ahead));
    for (int64_t us = 0; us < 800000; us += 40000) {
        cr_assert_eq(take(), us);
        cr_assert_eq(take(), us + 10000);
    }
    cr_assert_eq(take(), 1000000);
    cr_assert_null(read_ahead_take(&ahead));
}

Test(read_ahead, empties_before_it_reads_behind_a_jump) {
    put(0, 90000000);
    put(1, 90010000);
    put(0, 0);
    cr_assert(read_ahead_is_ready(&ahead));
    cr_assert_eq(take(), 90000000);
    cr_assert(read_ahead_is_ready(&ahead));
    cr_assert_eq(take(), 90010000);
    cr_assert_eq(take(), 0);
    cr_assert_not(read_ahead_is_ready(&ahead));
    put(1, 20000);
    put(0, 10000);
    cr_assert_eq(take(), 10000);
}

Test(read_ahead, keeps_packets_without_times_where_they_came) {
    put(0, INT64_MIN);
    put(0, INT64_MIN);
    put(0, 40000);
    put(0, INT64_MIN);
    cr_assert_eq(take(), INT64_MIN);
    cr_assert_eq(take(), INT64_MIN);
    cr_assert_eq(take(), 40000);
    cr_assert_eq(take(), INT64_MIN);
}

Test(read_ahead, is_bounded_by_packets_and_bytes) {
    unsigned n = 0;
    for (; !read_ahead_is_ready(&ahead); n++) put(0, 5);
    cr_assert_eq(n, READ_AHEAD_PACKETS_MAX);
    stop();
    start();
    for (n = 0; !read_ahead_is_ready(&ahead); n++) {
        AVPacket *p = av_packet_alloc();
        cr_assert_eq(av_new_packet(p, 1 << 20), 0);
        read_ahead_put(&ahead, p, 0, 5);
    }
    cr_assert_eq(n, READ_AHEAD_BYTES_MAX >> 20);
}
