/* What discovery makes of a driver's answers: one that a test scripts. */
#include "dht/driver.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/unit/dht/fixture.h"

TestSuite(driver, .init = fixture_start);

#define OPS_MAX 64

/* Operations that were asked for and have no answer yet, by kind. */
static struct script {
    struct mailbox *mailbox;
    uint32_t gets[OPS_MAX], puts[OPS_MAX], pings[OPS_MAX], probes[OPS_MAX];
    size_t gets_len, puts_len, pings_len, probes_len;
    int put_error;
} script;

static int script_open(void **ret, const struct discovery_config *config, struct mailbox *mailbox,
                       char *why) {
    (void)config;
    (void)why;
    script = (struct script){.mailbox = mailbox};
    *ret = &script;
    return 0;
}

static void script_free(void *self) { (void)self; }

static uint16_t script_port(void *self) {
    (void)self;
    return 1;
}

static int script_get(void *self, const struct record_key *key, uint32_t op) {
    (void)self;
    (void)key;
    script.gets[script.gets_len++] = op;
    return 0;
}

static int script_put(void *self, const struct record_key *key, const void *data, size_t len,
                      uint32_t op) {
    (void)self;
    (void)key;
    (void)data;
    (void)len;
    if (script.put_error) return script.put_error;
    script.puts[script.puts_len++] = op;
    return 0;
}

static int script_ping(void *self, const struct endpoint *to, uint32_t op) {
    (void)self;
    (void)to;
    script.pings[script.pings_len++] = op;
    return 0;
}

static int script_probe(void *self, uint32_t op) {
    (void)self;
    script.probes[script.probes_len++] = op;
    return 0;
}

static const struct discovery_driver scripted = {
    .name = "scripted",
    .open = script_open,
    .free = script_free,
    .port = script_port,
    .get = script_get,
    .put = script_put,
    .ping = script_ping,
    .probe = script_probe,
};

/* Answers all that is open of a kind. */
static void answer(uint32_t *ops, size_t *len, enum mail_kind kind, bool ok) {
    for (size_t i = 0; i < *len; i++)
        mailbox_post(mailbox_token(script.mailbox, ops[i]), kind, ok, NULL, 0);
    *len = 0;
}

static void open_scripted(struct node *n, uint64_t search_us) {
    static const char *const hosts[] = {"127.0.0.1:9"};
    struct discovery_config config = {
        .driver = &scripted, .bootstrap = hosts, .bootstrap_len = 1, .search_us = search_us};
    node_open(n, &config);
}

static void connect_scripted(struct node *n) {
    open_scripted(n, 0);
    answer(script.pings, &script.pings_len, MAIL_PING_DONE, true);
    answer(script.probes, &script.probes_len, MAIL_GET_DONE, true);
    node_run_until(n, has_connected);
}

Test(driver, is_asked_only_after_the_bootstrap_host_has_answered) {
    struct node n;
    struct test_channel c = channel_from(1);
    struct entry e = entry_of(&c, UTC_US / US_PER_S);
    open_scripted(&n, 0);
    cr_assert_eq(script.pings_len, 1);
    cr_assert_eq(script.probes_len, 1);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), 0);
    cr_assert_eq(script.gets_len + script.puts_len, 0);
    answer(script.pings, &script.pings_len, MAIL_PING_DONE, true);
    node_run_until(&n, has_connected);
    cr_assert_eq(script.gets_len, 4);
    cr_assert_eq(script.puts_len, 1);
    answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
    answer(script.puts, &script.puts_len, MAIL_PUT_DONE, true);
    node_run_until(&n, has_search_done);
    cr_assert(n.search.ok);
    node_close(&n);
}

static bool has_two_events(void *node) { return ((struct node *)node)->events_len >= 2; }

Test(driver, is_probed_when_a_search_fails_and_the_dht_is_lost_only_when_that_fails_too) {
    struct node n;
    struct test_channel c = channel_from(1);
    connect_scripted(&n);
    for (int round = 0; round < 2; round++) {
        n.searches_len = 0;
        cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
        answer(script.gets, &script.gets_len, MAIL_GET_DONE, false);
        node_run_until(&n, has_search_done);
        cr_assert_not(n.search.ok);
        cr_assert_eq(script.probes_len, 1, "one probe for four failures");
        cr_assert_eq(n.events_len, 1);
        if (round == 1) break;
        answer(script.probes, &script.probes_len, MAIL_GET_DONE, true);
        cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
        n.searches_len = 0;
        answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
        node_run_until(&n, has_search_done);
        cr_assert_eq(n.events_len, 1, "still connected");
    }
    answer(script.probes, &script.probes_len, MAIL_GET_DONE, false);
    node_run_until(&n, has_two_events);
    cr_assert_eq(n.events[1], DISCOVERY_DISCONNECTED);
    cr_assert_eq(script.pings_len, 1, "the host is tried again at once");
    node_close(&n);
}

Test(driver, may_leave_a_search_without_an_end) {
    struct node n;
    struct test_channel c = channel_from(1);
    open_scripted(&n, 50 * US_PER_MS);
    answer(script.pings, &script.pings_len, MAIL_PING_DONE, true);
    node_run_until(&n, has_connected);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    cr_assert_eq(script.gets_len, 4);
    node_run_until(&n, has_search_done);
    cr_assert_not(n.search.ok);
    cr_assert_geq(n.search.duration_us, 50 * US_PER_MS);
    cr_assert_eq(discovery_stats(n.d).gets_failed, 4);
    answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
    n.searches_len = 0;
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
    node_run_until(&n, has_search_done);
    cr_assert_eq(n.searches_len, 1, "late answers belong to nobody");
    node_close(&n);
}

Test(driver, may_bring_values_that_are_too_large) {
    struct node n;
    struct test_channel c = channel_from(1);
    connect_scripted(&n);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    mailbox_post(mailbox_token(script.mailbox, script.gets[0]), MAIL_VALUE, true, NULL, 0);
    answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
    node_run_until(&n, has_search_done);
    cr_assert_eq(discovery_stats(n.d).refused[REFUSED_SIZE], 1);
    node_close(&n);
}

static bool is_asked(void *node) {
    (void)node;
    return script.gets_len > 0;
}

/* They fill the socket's buffer as others do, and a good one may have been lost behind them. */
Test(driver, is_asked_again_where_values_that_are_too_large_crowd_a_key) {
    struct node n;
    struct test_channel c = channel_from(1);
    connect_scripted(&n);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    for (unsigned i = 0; i < 40; i++)
        mailbox_post(mailbox_token(script.mailbox, script.gets[0]), MAIL_VALUE, true, NULL, 0);
    answer(script.gets, &script.gets_len, MAIL_GET_DONE, true);
    node_run_until(&n, is_asked);
    cr_assert_eq(script.gets_len, 1);
    node_close(&n);
}

Test(driver, may_fail_to_put_at_once) {
    struct node n;
    struct test_channel c = channel_from(1);
    struct entry e = entry_of(&c, UTC_US / US_PER_S);
    connect_scripted(&n);
    script.put_error = ERR_MEMORY;
    cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), 0);
    cr_assert_eq(discovery_stats(n.d).puts_failed, 1);
    node_close(&n);
}

Test(driver, is_given_no_more_records_than_the_queue_holds) {
    struct node n;
    struct test_channel c = channel_from(1);
    struct entry e = entry_of(&c, UTC_US / US_PER_S);
    connect_scripted(&n);
    for (int i = 0; i < DISCOVERY_PUTS_MAX; i++)
        cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), 0);
    cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), ERR_FULL);
    node_close(&n);
}
