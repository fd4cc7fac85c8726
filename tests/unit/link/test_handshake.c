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

static bool is_settled(const struct station *s) {
    return links_count(s->ls, LINK_UP) == 1 && links_count(s->ls, LINK_DIALLING) == 0 &&
           links_count(s->ls, LINK_UNPROVEN) == 0;
}

/* Both dial within a round trip of each other, over jitter and loss. */
static struct pair *crossed(uint64_t seed, uint64_t apart_us, double loss) {
    struct network_path path = {.delay_us = 20000, .jitter_us = 15000, .loss = loss};
    struct pair *p = pair_new(seed, &path, NULL);
    struct link *a = station_dial(&p->a, &p->b);
    cr_assert_eq(station_message(&p->a, a, 1, 80), 0);
    network_wake(p->n, 0);
    stations_run(p->n, apart_us);
    struct link *b = station_dial(&p->b, &p->a);
    cr_assert_not_null(b);
    cr_assert_eq(station_message(&p->b, b, 2, 80), 0);
    network_wake(p->n, 1);
    stations_run(p->n, 8 * US_PER_S);
    return p;
}

Test(handshake, of_two_at_once_ends_with_one_link_at_each_end) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct pair *p = crossed(seed, seed * 1600, 0);
        cr_assert(is_settled(&p->a) && is_settled(&p->b), "seed %lu", seed);
        cr_assert_eq(p->a.opened + p->b.opened, 2, "seed %lu: %u and %u opened", seed, p->a.opened,
                     p->b.opened);
        cr_assert_eq(p->a.closed + p->b.closed, 0, "seed %lu", seed);
        cr_assert_eq(p->b.seen[1], 1, "seed %lu", seed);
        cr_assert_eq(p->a.seen[2], 1, "seed %lu: of the dial that lost", seed);
        pair_free(p);
    }
}

Test(handshake, of_two_at_once_survives_loss) {
    for (uint64_t seed = 100; seed < 150; seed++) {
        struct pair *p = crossed(seed, seed % 10 * 5000, 0.1);
        cr_assert(is_settled(&p->a) && is_settled(&p->b), "seed %lu", seed);
        cr_assert(public_key_equal(link_peer(p->a.link), &p->b.key.public));
        pair_free(p);
    }
}

Test(handshake, of_two_at_once_reaches_a_peer_that_moved_behind_a_nat) {
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct pair *p = pair_new(seed, NULL, NULL);
        struct endpoint old = {.ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}, .port = 9};
        cr_assert_not_null(links_dial(p->a.ls, &p->b.key.public, &old, network_now(p->n)));
        network_wake(p->n, 0);
        cr_assert_not_null(station_dial(&p->b, &p->a));
        network_wake(p->n, 1);
        stations_run(p->n, 500000);
        cr_assert(is_settled(&p->a) && is_settled(&p->b), "seed %lu", seed);
        struct endpoint b = network_endpoint(p->n, 1);
        cr_assert(endpoint_equal(link_endpoint(p->a.link), &b));
        pair_free(p);
    }
}

Test(handshake, without_an_answer_ends_after_three_seconds) {
    struct pair *p = pair_new(3, NULL, NULL);
    network_detach(p->n, 1);
    uint64_t start_us = network_now(p->n);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    network_run(p->n, start_us + 2999999, NULL, NULL);
    cr_assert_eq(p->a.closed, 0);
    network_run(p->n, start_us + 3000000, NULL, NULL);
    cr_assert_eq(p->a.ends[LINK_END_UNANSWERED], 1);
    struct network_counts counts;
    network_counts(p->n, &counts);
    cr_assert_eq(counts.sent, 4, "at 0, 250, 750 and 1,750 ms");
    pair_free(p);
}

Test(handshake, of_a_peer_that_lost_its_state_replaces_the_old_link) {
    struct pair *p = pair_linked(4, NULL);
    struct link *old = p->b.link;
    stations_run(p->n, 2 * US_PER_S);
    station_stop(&p->a);
    uint8_t bytes[32] = {9};
    struct sign_key key = p->a.key;
    station_start(&p->a, p->n, 0, 4, NULL);
    cr_assert(public_key_equal(&key.public, &p->a.key.public));
    p->a.ls->random = random_from_seed(bytes);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, 20000);
    cr_assert_eq(link_state(old), LINK_UP, "in use until the new one is proven");
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->b.ends[LINK_END_REPLACED], 1);
    cr_assert(is_settled(&p->a) && is_settled(&p->b));
    pair_free(p);
}

Test(handshake, is_refused_with_oneself_and_beyond_the_limit) {
    struct station_options options = {.links_max = 1};
    struct pair *p = pair_new(5, NULL, &options);
    struct endpoint e = network_endpoint(p->n, 0);
    cr_assert_null(links_dial(p->a.ls, &p->a.key.public, &e, network_now(p->n)));
    struct public_key invalid = {{0}};
    cr_assert_null(links_dial(p->a.ls, &invalid, &e, network_now(p->n)));
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_not_null(l);
    cr_assert_eq(station_dial(&p->a, &p->b), l, "the one that stands");
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    struct station third;
    station_start(&third, p->n, 2, 5, NULL);
    cr_assert_null(station_dial(&p->a, &third));
    cr_assert_not_null(station_dial(&third, &p->b));
    network_wake(p->n, 2);
    stations_run(p->n, 4 * US_PER_S);
    cr_assert_eq(third.ends[LINK_END_UNANSWERED], 1, "the table is full");
    cr_assert(station_is_up(&p->a));
    station_stop(&third);
    pair_free(p);
}
