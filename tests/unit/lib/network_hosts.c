#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/lib/talker.h"

static uint64_t owed_ns;
static uint64_t take_ns(void) {
    uint64_t taken = owed_ns;
    owed_ns = 0;
    return taken;
}
static void receive_slowly(void *context, const struct datagram *d, uint64_t now_us) {
    talker_receive(context, d, now_us);
    owed_ns += 1000000;
}

Test(network, lets_a_busy_host_do_one_thing_after_the_other) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 100});
    network_set_processing(n, take_ns);
    network_attach(n, 1,
                   &(struct network_host){&talkers[1], receive_slowly, talker_expire,
                                          talker_deadline, talker_transmit});
    talker_send(&talkers[0], 1, NETWORK_BACKLOG_MAX + 11, 100);
    talkers[1].to = 2;
    talkers[1].to_send = 2;
    talkers[1].every_us = 1400;
    talkers[1].next_us = 100; /* with the first; then at 1,500, while it is busy with the second */
    run_for(n, 2 * US_PER_S);
    cr_assert_eq(talkers[1].seen, NETWORK_BACKLOG_MAX + 1);
    cr_assert_eq(counts_of(n).refused, 10);
    for (unsigned i = 0; i < talkers[1].seen; i++) {
        cr_assert_eq(talkers[1].numbers[i], (uint8_t)i);
        cr_assert_eq(talkers[1].at_us[i], 100 + 1000 * i);
    }
    cr_assert_eq(talkers[2].seen, 2);
    cr_assert_eq(talkers[2].at_us[0], 1100 + 100, "leaves when it is free again");
    cr_assert_eq(talkers[2].at_us[1], 2100 + 100, "comes before the third");
    cr_assert_eq(talkers[1].expired, 1);
    network_free(n);
}

Test(network, comes_to_each_deadline_once_however_often_it_was_put_off) {
    struct network *n = talking(1, &(struct network_path){.delay_us = 1});
    struct talker *t = &talkers[0];
    t->every_us = 1;
    static const uint64_t asked[] = {9000, 8000, 7000, 6000, 5000, 4000, 12000, 3000, 11000};
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        t->next_us = asked[i];
        network_wake(n, 0);
    }
    run_for(n, 10999);
    cr_assert_eq(t->expired, 0);
    cr_assert_eq(network_events(n), 0);
    run_for(n, 1);
    cr_assert_eq(t->expired, 1);
    run_for(n, US_PER_S);
    cr_assert_eq(t->expired, 1);
    cr_assert_eq(counts_of(n).wakes, 1);
    network_free(n);
}

/* A busy network: what it leaves in the trace. */
static uint64_t trace_of(uint64_t seed) {
    struct network *n =
        talking(seed, &(struct network_path){
                          .delay_us = 1000, .jitter_us = 3000, .loss = 0.05, .loss_burst = 2.5});
    for (unsigned i = 0; i < 4; i++) talker_send_every(&talkers[i], (i + 1) % 4, 200, 700);
    run_for(n, US_PER_S);
    uint64_t trace = network_trace(n);
    network_free(n);
    return trace;
}

Test(network, leaves_one_trace_for_one_seed_with_every_compiler) {
    cr_assert_eq(trace_of(1), trace_of(1));
    cr_assert_neq(trace_of(1), trace_of(2));
    cr_assert_eq(trace_of(1), 0x14ec804bb1793850ull, "0x%llx", (unsigned long long)trace_of(1));
}

Test(network, traces_the_first_and_last_bytes_of_each_datagram) {
    uint64_t traces[3];
    for (unsigned i = 0; i < 3; i++) {
        struct network *n = talking(1, &(struct network_path){0});
        uint8_t bytes[64] = {0};
        if (i > 0) bytes[i == 1 ? 15 : 48] = 1;
        struct endpoint from = network_endpoint(n, 0);
        network_inject(n, &from, 1, bytes, sizeof bytes);
        traces[i] = network_trace(n);
        network_free(n);
    }
    cr_assert(traces[0] != traces[1] && traces[0] != traces[2] && traces[1] != traces[2]);
}

/* One of ten thousand: sends to the next but six. */
struct walker {
    struct network *n;
    unsigned to, to_send, received;
    bool is_expired;
};

static void walker_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct walker *w = context;
    cr_assert_eq(d->len, 1200);
    cr_assert_geq(now_us, 36000);
    w->received++;
}

static size_t walker_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    (void)now_us;
    struct walker *w = context;
    if (w->to_send == 0) return 0;
    w->to_send--;
    ret->peer = network_endpoint(w->n, w->to);
    memset(ret->data, 1, 1200);
    return ret->len = 1200;
}

static void walker_expire(void *context, uint64_t now_us) {
    ((struct walker *)context)->is_expired = true;
    cr_assert_eq(now_us, 1000);
}

static uint64_t walker_deadline(void *context) {
    return ((struct walker *)context)->is_expired ? TIME_NEVER : 1000;
}

Test(network, carries_ten_thousand_hosts) {
    enum { HOSTS = 10000 };
    struct network *n =
        network_new(1, HOSTS, &(struct network_path){.delay_us = 36000, .jitter_us = 5000});
    static struct walker walkers[HOSTS];
    for (unsigned i = 0; i < HOSTS; i++) {
        walkers[i] = (struct walker){.n = n, .to = (i * 7 + 1) % HOSTS, .to_send = 20};
        network_attach(n, i,
                       &(struct network_host){&walkers[i], walker_receive, walker_expire,
                                              walker_deadline, walker_transmit});
    }
    run_for(n, US_PER_S);
    for (unsigned i = 0; i < HOSTS; i++) cr_assert_eq(walkers[i].received, 20, "host %u", i);
    cr_assert_eq(counts_of(n).delivered, 20 * HOSTS);
    cr_assert_eq(counts_of(n).wakes, HOSTS);
    network_free(n);
}
