#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/link/station.h"

Test(handshake, carries_messages_both_ways_in_one_round_trip) {
    struct pair *p = pair_new(1, NULL, NULL);
    uint64_t start_us = network_now(p->n);
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_eq(station_message(&p->a, l, 1, 50), 0);
    cr_assert_eq(station_message(&p->a, l, 2, 300), 0);
    network_wake(p->n, 0);
    network_run(p->n, start_us + 20000, NULL, NULL);
    cr_assert_eq(p->b.messages, 2, "the first datagram carries them");
    cr_assert_eq(p->b.state_opened, LINK_UNPROVEN);
    cr_assert(public_key_equal(link_peer(p->b.link), &p->a.key.public));
    stations_run(p->n, 20000);
    cr_assert_eq(p->a.opened, 1);
    cr_assert_eq(p->a.state_opened, LINK_UP);
    stations_run(p->n, 20000);
    cr_assert_eq(link_state(p->b.link), LINK_UP, "proven after one and a half");
    cr_assert_eq(p->b.opened, 1);
    cr_assert_eq(p->b.bad + p->a.bad, 0);
    struct link_stats stats = station_stats(&p->a);
    cr_assert_eq(stats.rtt_us, 40000);
    pair_free(p);
}

static void reply(struct station *s, struct link *l, uint64_t now_us) {
    (void)now_us;
    if (s->messages == 1) cr_assert_eq(station_message(s, l, 9, 700), 0);
}

Test(handshake, answers_with_messages_in_the_response) {
    struct pair *p = pair_new(2, NULL, NULL);
    p->b.on_message = reply;
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_eq(station_message(&p->a, l, 1, 50), 0);
    network_wake(p->n, 0);
    stations_run(p->n, 40000);
    cr_assert_eq(p->a.messages, 1, "one round trip after the dial");
    cr_assert_eq(p->a.seen[9], 1);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->a.messages, 1, "and not again");
    cr_assert_eq(p->b.messages, 1);
    pair_free(p);
}
