#include "dht/bootstrap.h"

#include <criterion/criterion.h>

#include "core/base/err.h"

static const char *const one[] = {"192.0.2.1:4222"};
static const char *const two[] = {"192.0.2.1:4222", "node.example:4222"};

static void init(struct bootstrap *b, const char *const *hosts, size_t len) {
    size_t bad;
    cr_assert_eq(bootstrap_init(b, hosts, len, true, 0, &bad), 0);
}

/* Events since the last look, as letters: C(onnected) D(isconnected) U(nreachable) R(ecovered). */
static const char *events(struct bootstrap *b) {
    static char text[16];
    size_t n = 0;
    enum discovery_event event;
    while (bootstrap_next_event(b, &event)) text[n++] = "CDUR"[event];
    text[n] = '\0';
    return text;
}

static void fail_try(struct bootstrap *b, uint64_t *now_us) {
    *now_us = bootstrap_deadline(b);
    cr_assert(bootstrap_begin(b, *now_us));
    bootstrap_asked(b);
    bootstrap_all_asked(b, *now_us);
    *now_us += 7 * US_PER_S;
    bootstrap_answered(b, false, *now_us);
}

Test(bootstrap, reads_numeric_hosts_and_names) {
    struct bootstrap b;
    init(&b, two, 2);
    cr_assert(b.hosts[0].numeric);
    cr_assert_eq(b.hosts[0].endpoint.port, 4222);
    cr_assert_not(b.hosts[1].numeric);
    cr_assert_str_eq(b.hosts[1].name, "node.example");
    cr_assert_eq(b.hosts[1].port, 4222);
}

Test(bootstrap, refuses_what_is_no_host_and_port) {
    static const char *const bad[] = {"",        "host",  ":1",    "host:",     "host:0",   "h:1x",
                                      "h:70000", "::1:5", "h:1:2", "0.0.0.0:1", "1.2.3.4:0"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct bootstrap b;
        const char *hosts[] = {"192.0.2.1:4222", bad[i]};
        size_t which = 0;
        cr_assert_eq(bootstrap_init(&b, hosts, 2, true, 0, &which), ERR_FORMAT, "%s", bad[i]);
        cr_assert_eq(which, 1);
    }
}

Test(bootstrap, refuses_names_where_nobody_can_look_them_up) {
    struct bootstrap b;
    size_t which = 0;
    cr_assert_eq(bootstrap_init(&b, two, 2, false, 0, &which), ERR_FORMAT);
    cr_assert_eq(which, 1);
}

Test(bootstrap, refuses_more_hosts_than_it_keeps) {
    const char *hosts[DISCOVERY_BOOTSTRAP_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) hosts[i] = one[0];
    struct bootstrap b;
    size_t bad;
    cr_assert_eq(bootstrap_init(&b, hosts, ARRAY_LEN(hosts), true, 0, &bad), ERR_RANGE);
}

Test(bootstrap, tries_again_after_1_2_4_up_to_60_seconds_and_tells_it_once) {
    static const unsigned after_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct bootstrap b;
    init(&b, one, 1);
    uint64_t now_us;
    for (size_t i = 0; i < ARRAY_LEN(after_s); i++) {
        fail_try(&b, &now_us);
        cr_assert_eq(bootstrap_deadline(&b), now_us + after_s[i] * US_PER_S);
        cr_assert_not(bootstrap_begin(&b, bootstrap_deadline(&b) - 1));
        cr_assert_str_eq(events(&b), i == 0 ? "U" : "");
    }
}

Test(bootstrap, tells_that_a_host_recovered_and_starts_over_when_it_is_lost) {
    struct bootstrap b;
    init(&b, one, 1);
    uint64_t now_us;
    fail_try(&b, &now_us);
    fail_try(&b, &now_us);
    cr_assert_str_eq(events(&b), "U");
    now_us = bootstrap_deadline(&b);
    cr_assert(bootstrap_begin(&b, now_us));
    bootstrap_asked(&b);
    bootstrap_all_asked(&b, now_us);
    bootstrap_answered(&b, true, now_us);
    cr_assert_str_eq(events(&b), "CR");
    cr_assert_eq(bootstrap_deadline(&b), TIME_NEVER);
    bootstrap_set_lost(&b, now_us);
    cr_assert_str_eq(events(&b), "D");
    cr_assert_eq(bootstrap_deadline(&b), now_us);
    fail_try(&b, &now_us);
    cr_assert_eq(bootstrap_deadline(&b), now_us + US_PER_S);
    cr_assert_str_eq(events(&b), "U");
}

Test(bootstrap, is_content_with_one_host_of_two) {
    struct bootstrap b;
    init(&b, two, 2);
    cr_assert(bootstrap_begin(&b, 0));
    bootstrap_asked(&b);
    bootstrap_asked(&b);
    bootstrap_all_asked(&b, 0);
    bootstrap_answered(&b, false, 10);
    cr_assert_str_eq(events(&b), "");
    bootstrap_answered(&b, true, 20);
    cr_assert_str_eq(events(&b), "C");
    cr_assert_eq(bootstrap_deadline(&b), TIME_NEVER);
}

Test(bootstrap, asks_all_hosts_before_it_gives_up_on_one_that_fails_at_once) {
    struct bootstrap b;
    init(&b, two, 2);
    cr_assert(bootstrap_begin(&b, 0));
    bootstrap_asked(&b);
    bootstrap_answered(&b, false, 0);
    cr_assert_str_eq(events(&b), "");
    bootstrap_asked(&b);
    bootstrap_all_asked(&b, 0);
    cr_assert_str_eq(events(&b), "");
    bootstrap_answered(&b, false, 5);
    cr_assert_str_eq(events(&b), "U");
}

Test(bootstrap, ends_a_try_in_which_nobody_could_be_asked) {
    struct bootstrap b;
    init(&b, one, 1);
    cr_assert(bootstrap_begin(&b, 0));
    bootstrap_all_asked(&b, 0);
    cr_assert_str_eq(events(&b), "U");
    cr_assert_eq(bootstrap_deadline(&b), US_PER_S);
}

Test(bootstrap, takes_an_answer_that_comes_after_its_try) {
    struct bootstrap b;
    init(&b, one, 1);
    uint64_t now_us;
    fail_try(&b, &now_us);
    bootstrap_answered(&b, true, now_us + 1);
    cr_assert_str_eq(events(&b), "UCR");
    cr_assert_eq(bootstrap_deadline(&b), TIME_NEVER);
}

Test(bootstrap, ends_a_try_whose_lookup_never_answers) {
    struct bootstrap b;
    init(&b, two, 2);
    cr_assert(bootstrap_begin(&b, 0));
    bootstrap_asked(&b);
    bootstrap_asked(&b);
    bootstrap_all_asked(&b, 0);
    bootstrap_answered(&b, false, 10);
    bootstrap_expire(&b, BOOTSTRAP_TRY_US - 1);
    cr_assert_str_eq(events(&b), "");
    bootstrap_expire(&b, BOOTSTRAP_TRY_US);
    cr_assert_str_eq(events(&b), "U");
    cr_assert_eq(bootstrap_deadline(&b), BOOTSTRAP_TRY_US + US_PER_S);
}

Test(bootstrap, goes_on_trying_where_remembered_neighbours_answer) {
    struct bootstrap b;
    init(&b, one, 1);
    bootstrap_set_connected(&b);
    uint64_t now_us;
    fail_try(&b, &now_us);
    cr_assert_str_eq(events(&b), "CU");
    cr_assert_eq(bootstrap_deadline(&b), now_us + US_PER_S);
}

Test(bootstrap, has_nothing_to_try_without_hosts) {
    struct bootstrap b;
    init(&b, NULL, 0);
    cr_assert_eq(bootstrap_deadline(&b), TIME_NEVER);
    cr_assert_not(bootstrap_begin(&b, 1000));
    bootstrap_set_connected(&b);
    bootstrap_set_lost(&b, 1000);
    cr_assert_eq(bootstrap_deadline(&b), TIME_NEVER);
}
