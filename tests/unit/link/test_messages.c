/* Reliable and unreliable messages over a link: outbox, inbox, recovery. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/unit/link/station.h"

static struct network_path lossy(double loss) {
    return (struct network_path){.delay_us = 20000, .jitter_us = 5000, .loss = loss};
}

static void expect_each_once(const struct station *s, unsigned first, unsigned count) {
    for (unsigned id = first; id < first + count; id++)
        cr_assert_eq(s->seen[id], 1, "message %u came %u times", id, s->seen[id]);
    cr_assert_eq(s->bad, 0);
}

Test(messages, in_parts_arrive_once_where_a_tenth_is_lost) {
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct network_path path = lossy(0.10);
        struct pair *p = pair_linked(seed, &path);
        for (unsigned i = 0; i < 30; i++) {
            size_t len = i % 3 == 0 ? LINK_MESSAGE_MAX : 1000 + 229 * i;
            cr_assert_eq(station_message(&p->a, p->a.link, i, len), 0);
        }
        network_wake(p->n, 0);
        stations_run(p->n, 10 * US_PER_S);
        expect_each_once(&p->b, 0, 30);
        cr_assert(station_is_up(&p->a) && station_is_up(&p->b), "seed %lu", seed);
        cr_assert_eq(p->a.link->outbox.bytes, 0, "all of it is acknowledged");
        pair_free(p);
    }
}

Test(messages, before_and_during_the_handshake_arrive_once_whatever_is_lost) {
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct network_path path = lossy(0.25);
        struct pair *p = pair_new(seed, &path, NULL);
        struct link *l = station_dial(&p->a, &p->b);
        for (unsigned i = 0; i < 20; i++) cr_assert_eq(station_message(&p->a, l, i, 90), 0);
        network_wake(p->n, 0);
        stations_run(p->n, 8 * US_PER_S);
        if (p->a.ends[LINK_END_UNANSWERED] == 0) {
            expect_each_once(&p->b, 0, 20);
            cr_assert(station_is_up(&p->a), "seed %lu", seed);
        }
        pair_free(p);
    }
}

Test(messages, are_refused_when_too_many_wait_or_too_large) {
    struct pair *p = pair_linked(1, NULL);
    uint8_t data[LINK_MESSAGE_MAX + 1] = {1};
    cr_assert_eq(link_send_message(p->a.link, data, 0, 0), ERR_RANGE);
    cr_assert_eq(link_send_message(p->a.link, data, sizeof data, 0), ERR_RANGE);
    cr_assert_eq(link_send_unreliable(p->a.link, data, 1171, 1, 0), ERR_RANGE);
    for (unsigned i = 0; i < LINK_MESSAGES_MAX; i++)
        cr_assert_eq(link_send_message(p->a.link, data, 10, 0), 0);
    cr_assert_eq(link_send_message(p->a.link, data, 10, 0), ERR_FULL);
    data[0] = 0x80;
    cr_assert_eq(link_send_message(p->a.link, data, 10, 0), ERR_RANGE);
    network_wake(p->n, 0);
    stations_run(p->n, 2 * US_PER_S);
    cr_assert_eq(p->b.messages, LINK_MESSAGES_MAX);
    data[0] = 1;
    cr_assert_eq(link_send_message(p->a.link, data, 10, 0), 0, "room again");
    pair_free(p);
}

Test(messages, sent_once_report_their_token_when_lost_and_only_then) {
    struct network_path path = lossy(0.2);
    struct pair *p = pair_linked(3, &path);
    unsigned lost_before = p->a.lost;
    uint8_t data[100] = {0x20};
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(link_send_unreliable(p->a.link, data, 2, 1 + i, network_now(p->n)), 0);
        network_wake(p->n, 0);
        stations_run(p->n, 4000);
    }
    stations_run(p->n, 2 * US_PER_S);
    cr_assert_eq(p->a.lost_twice, 0);
    unsigned lost = p->a.lost - lost_before;
    cr_assert_geq(lost + p->b.messages, 1000, "each one came or was reported");
    cr_assert_leq(lost + p->b.messages, 1020, "and few that came were");
    cr_assert_gt(lost, 150);
    pair_free(p);
}

Test(messages, that_do_not_hurry_wait_for_company_at_most_25_ms) {
    struct pair *p = pair_linked(4, NULL);
    stations_run(p->n, 100000);
    uint8_t data[10] = {0x20};
    struct link_stats before = station_stats(&p->a), after;
    uint64_t start_us = network_now(p->n);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(link_send_unreliable(p->a.link, data, sizeof data, 0, start_us), 0);
    network_wake(p->n, 0);
    network_run(p->n, start_us + 24000, NULL, NULL);
    cr_assert_eq(station_stats(&p->a).datagrams_out, before.datagrams_out);
    network_run(p->n, start_us + 25000, NULL, NULL);
    after = station_stats(&p->a);
    cr_assert_eq(after.datagrams_out, before.datagrams_out + 1, "all in one datagram");
    stations_run(p->n, 20000);
    cr_assert_eq(p->b.messages, 5);
    pair_free(p);
}

Test(messages, of_the_largest_sizes_leave_beside_anything) {
    struct pair *p = pair_linked(5, NULL);
    uint8_t data[UNRELIABLE_MAX] = {0x20};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(link_send_unreliable(p->a.link, data, sizeof data, 7, network_now(p->n)), 0);
        cr_assert_eq(link_send_unreliable(p->b.link, data, sizeof data, 7, network_now(p->n)), 0);
        cr_assert_eq(station_message(&p->a, p->a.link, (unsigned)i, OUTBOX_SINGLE_MAX), 0);
    }
    network_wake(p->n, 0);
    network_wake(p->n, 1);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->b.messages, 10);
    cr_assert_eq(p->a.messages, 5);
    pair_free(p);
}
