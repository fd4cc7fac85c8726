#include "tests/lib/network.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/lib/talker.h"

static char order[8];
static void note_a(void *context) { strcat(order, context); }

Test(network, does_what_falls_on_one_moment_in_the_order_of_its_making) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 1000000});
    /* Far enough apart to enter different wheels of the queue. */
    network_at(n, 3000000, note_a, "c");
    network_at(n, 2999999, note_a, "a");
    network_at(n, 3000000, note_a, "d");
    network_at(n, 2999999, note_a, "b");
    run_for(n, 2999000);
    network_at(n, 3000000, note_a, "e");
    run_for(n, 999);
    cr_assert_str_eq(order, "ab");
    network_at(n, 3000000, note_a, "f");
    network_at(n, 0, note_a, "!");
    run_for(n, 1);
    cr_assert_str_eq(order, "ab!cdef");
    cr_assert_eq(network_events(n), 7);
    network_free(n);
}

static uint64_t sorted_last_us;
static unsigned sorted_calls;
static struct network *sorted_network;
static void check_sorted(void *context) {
    uint64_t at_us = *(const uint64_t *)context;
    cr_assert_eq(network_now(sorted_network), at_us);
    cr_assert_geq(at_us, sorted_last_us);
    sorted_last_us = at_us;
    sorted_calls++;
}

Test(network, keeps_times_from_microseconds_to_centuries_in_order) {
    static uint64_t times[6000];
    sorted_network = talking(1, &(struct network_path){0});
    uint64_t random = 1;
    for (unsigned i = 0; i < 6000; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        times[i] = (random >> 11) >> i % 53;
        network_at(sorted_network, times[i], check_sorted, &times[i]);
    }
    (void)network_run(sorted_network, TIME_NEVER - 1, NULL, NULL);
    cr_assert_eq(sorted_calls, 6000);
    network_free(sorted_network);
}

Test(network, carries_bytes_of_every_length_unchanged) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 100});
    for (size_t len = 1; len <= DATAGRAM_MAX; len++) {
        talkers[1].seen = 0;
        talker_send(&talkers[0], 1, 1, len);
        run_for(n, 100);
        cr_assert_eq(talkers[1].seen, 1);
        cr_assert_eq(talkers[1].lens[0], len);
        cr_assert_eq(talkers[1].numbers[0], (uint8_t)(len - 1));
    }
    network_free(n);
}

Test(network, orders_what_jitter_would_reorder_only_where_it_is_asked_to) {
    for (unsigned ordered = 0; ordered < 2; ordered++) {
        struct network *n = talking(
            3, &(struct network_path){.delay_us = 5, .jitter_us = 20000, .is_ordered = ordered});
        talker_send_every(&talkers[0], 1, 100, 1000);
        run_for(n, US_PER_S);
        unsigned reordered = 0;
        cr_assert_eq(talkers[1].seen, 100);
        for (unsigned i = 1; i < 100; i++)
            reordered += talkers[1].numbers[i] < talkers[1].numbers[i - 1];
        cr_assert_eq(reordered > 0, !ordered, "%u reordered", reordered);
        network_free(n);
    }
}

/* Sends 200,000 datagrams; returns the share lost and in `ret_burst` the mean length of a burst. */
static double lose(double loss, double burst, double *ret_burst) {
    struct network *n = talking(5, &(struct network_path){.loss = loss, .loss_burst = burst});
    struct network_counts before = counts_of(n);
    unsigned bursts = 0, lost = 0, was_lost = 0;
    for (unsigned i = 0; i < 200000; i++) {
        talkers[1].seen = 0;
        talker_send(&talkers[0], 1, 1, 10);
        run_for(n, 1);
        unsigned is_lost = talkers[1].seen == 0;
        bursts += is_lost && !was_lost;
        lost += was_lost = is_lost;
    }
    cr_assert_eq(counts_of(n).lost - before.lost, lost);
    network_free(n);
    *ret_burst = bursts > 0 ? (double)lost / bursts : 0;
    return lost / 200000.0;
}

Test(network, loses_bursts_of_the_mean_length_that_was_asked_for) {
    static const double losses[] = {0.01, 0.05, 0.3}, bursts[] = {1, 4, 10};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            double mean, loss = lose(losses[i], bursts[k], &mean);
            /* Independent losses follow each other by chance. */
            double wanted = bursts[k] > 1 ? bursts[k] : 1 / (1 - losses[i]);
            cr_assert_float_eq(loss, losses[i], losses[i] * 0.15, "%f for %f", loss, losses[i]);
            cr_assert_float_eq(mean, wanted, wanted * 0.15, "%f for %f", mean, wanted);
        }
    }
    double mean;
    cr_assert_eq(lose(0, 5, &mean), 0);
    cr_assert_eq(lose(1, 5, &mean), 1);
    cr_assert_float_eq(lose(0.9, 2, &mean), 0.9, 0.01);
}

Test(network, serialises_an_uplink_exactly_and_drops_what_would_wait_too_long) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 10000});
    network_set_datagram_overhead(n, 28);
    /* 3 datagrams of 128 bytes take 1,024 us: the rate is met without rounding each of them. */
    network_set_uplink(n, 0, &(struct network_path){.rate_bps = 3000000, .queue_us = 10000});
    talker_send(&talkers[0], 1, 100, 100);
    cr_assert_eq(network_queue_us(n, 0, 1), 10240);
    run_for(n, US_PER_S);
    cr_assert_eq(talkers[1].seen, 30);
    cr_assert_eq(talkers[1].at_us[2], 10000 + 1024);
    cr_assert_eq(talkers[1].at_us[29], 10000 + 10240);
    cr_assert_eq(counts_of(n).overflowed, 70);
    cr_assert_eq(network_uplink_dropped(n, 0), 70);
    cr_assert_eq(network_uplink_sent_bytes(n, 0), 30 * 128);
    network_free(n);
}

Test(network, enters_a_downlink_when_a_datagram_arrives_there) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 1000});
    network_set_path(n, 0, 2, &(struct network_path){.delay_us = 500000});
    network_set_downlink(n, 2, &(struct network_path){.rate_bps = 800000, .queue_us = 50000});
    talker_send(&talkers[0], 2, 60, 100); /* 60 ms of the downlink, from 500 ms on */
    run_for(n, 10000);
    talker_send(&talkers[1], 2, 1, 100);
    run_for(n, 2000);
    cr_assert_eq(talkers[2].seen, 1, "the later one is not behind what comes much later");
    cr_assert_eq(talkers[2].at_us[0], 10000 + 1000 + 1000);
    run_for(n, US_PER_S);
    cr_assert_eq(talkers[2].seen, 1 + 51);
    cr_assert_eq(talkers[2].at_us[51], 500000 + 51 * 1000);
    cr_assert_eq(network_downlink_dropped(n, 2), 9);
    network_free(n);
}

Test(network, drops_what_is_larger_than_the_mtu) {
    struct network *n = talking(1, &(struct network_path){.mtu = 1280});
    network_set_datagram_overhead(n, 28);
    talker_send(&talkers[0], 1, 1, 1252);
    talker_send(&talkers[0], 1, 1, 1253);
    run_for(n, 1);
    cr_assert_eq(talkers[1].seen, 1);
    cr_assert_eq(talkers[1].lens[0], 1252);
    cr_assert_eq(counts_of(n).oversized, 1);
    network_free(n);
}

static unsigned model_calls;
static void split_model(void *context, unsigned from, unsigned to, struct network_path *ret) {
    model_calls++;
    ret->is_cut = *(const bool *)context && from % 2 != to % 2;
    ret->delay_us += from;
}

Test(network, cuts_and_heals_by_a_path_model_that_is_asked_once_a_pair) {
    bool is_split = false;
    struct network *n = talking(1, &(struct network_path){.delay_us = 1000});
    network_set_path_model(n, split_model, &is_split);
    network_set_path(n, 3, 0, &(struct network_path){.delay_us = 7});
    for (unsigned round = 0; round < 3; round++) {
        is_split = round == 1;
        if (round > 0) network_paths_changed(n);
        for (unsigned i = 0; i < 10; i++) {
            talker_send(&talkers[2], 1, 1, 100);
            talker_send(&talkers[2], 0, 1, 100);
            talker_send(&talkers[3], 0, 1, 100);
        }
        cr_assert_eq(network_path(n, 2, 1).is_cut, is_split);
        model_calls--;
        run_for(n, 10000);
        cr_assert_eq(model_calls, 2 * (round + 1));
        cr_assert_eq(talkers[1].seen, round == 2 ? 20 : 10);
        cr_assert_eq(talkers[0].seen, 20 * (round + 1));
        cr_assert_eq(counts_of(n).cut, round == 0 ? 0 : 10);
    }
    cr_assert_eq(network_path(n, 2, 0).delay_us, 1002);
    cr_assert_eq(network_path(n, 3, 0).delay_us, 7);
    network_free(n);
}

Test(network, forgets_pairs_that_were_idle_for_a_minute) {
    bool is_split = false;
    struct network *n = network_new(1, 200, &(struct network_path){.delay_us = 1000});
    network_set_path_model(n, split_model, &is_split);
    talker_attach(&talkers[0], n, 0);
    network_set_path(n, 0, 7, &(struct network_path){.delay_us = 7});
    for (unsigned to = 0; to < 100; to++) talker_send(&talkers[0], to, 1, 100);
    cr_assert_eq(model_calls, 99);
    run_for(n, 61 * US_PER_S);
    for (unsigned to = 100; to < 200; to++) talker_send(&talkers[0], to, 1, 100);
    model_calls = 0;
    for (unsigned to = 0; to < 200; to++) talker_send(&talkers[0], to, 1, 100);
    cr_assert_gt(model_calls, 50, "only %u are asked for anew", model_calls);
    cr_assert_leq(model_calls, 99);
    cr_assert_eq(network_path(n, 0, 7).delay_us, 7);
    network_free(n);
}

Test(network, finds_hosts_that_moved_and_not_where_they_were) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 10});
    struct endpoint old = network_endpoint(n, 1), elsewhere = {.ip = {1}, .port = 9};
    cr_assert_eq(old.ip[15], 2);
    network_move(n, 1, &elsewhere);
    talker_send(&talkers[0], 1, 1, 100);
    run_for(n, 10);
    cr_assert_eq(talkers[1].seen, 1);
    network_move(n, 2, &old);
    network_move(n, 2, &(struct endpoint){.ip = {2}, .port = 9});
    network_move(n, 1, &(struct endpoint){.ip = {3}, .port = 9});
    network_move(n, 3, &old);
    talker_send(&talkers[0], 1, 1, 100);
    talker_send(&talkers[0], 2, 2, 100);
    talker_send(&talkers[0], 3, 3, 100);
    run_for(n, 10);
    cr_assert_eq(talkers[1].seen, 2);
    cr_assert_eq(talkers[2].seen, 2);
    cr_assert_eq(talkers[3].seen, 3);
    cr_assert_eq(counts_of(n).unroutable, 0);
    network_move(n, 3, &elsewhere);
    talkers[0].n = network_new(1, 4, &(struct network_path){0}); /* whose addresses are the first */
    talkers[0].to_send = 1;
    talkers[0].to = 3;
    network_wake(n, 0);
    cr_assert_eq(counts_of(n).unroutable, 1);
    network_free(talkers[0].n);
    network_free(n);
}
