#include "dht/discovery.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "dht/static_list.h"
#include "tests/unit/dht/fixture.h"

#define UTC_S (UTC_US / US_PER_S)

TestSuite(discovery, .init = fixture_start);

static struct static_list *list_open(struct node *n) {
    struct static_list *list = static_list_new();
    struct discovery_config config = {.driver = &discovery_static_list, .list = list};
    node_open(n, &config);
    return list;
}

static void search(struct node *n, const struct public_key *channel) {
    n->holders_len = n->entries_len = n->searches_len = 0;
    cr_assert_eq(discovery_find(n->d, channel, n->utc_us), 0);
    node_run_until(n, has_search_done);
}

static void announce(struct node *n, const struct test_channel *c, uint8_t peer_seed,
                     uint64_t epoch, uint64_t issued_s) {
    struct sign_key peer = key_from(peer_seed);
    struct holder h = holder_of(&peer, issued_s);
    cr_assert_eq(discovery_announce_holder(n->d, &c->channel.public, epoch, &h, &peer), 0);
}

Test(discovery, finds_holders_of_three_epochs_and_the_entry_among_nodes_that_share_a_list) {
    struct node a, b;
    struct static_list *list = list_open(&a);
    struct discovery_config config = {.driver = &discovery_static_list, .list = list};
    node_open(&b, &config);
    struct test_channel c = channel_from(1);
    uint64_t now = epoch_at(UTC_US);
    for (uint64_t epoch = now - 2; epoch <= now + 2; epoch++)
        announce(&a, &c, (uint8_t)(20 + epoch - now), epoch, UTC_S - 5);
    struct entry e = entry_of(&c, UTC_S - 5);
    cr_assert_eq(discovery_announce_entry(a.d, &c.channel.public, &e, &c.broadcast), 0);
    node_run_until(&a, has_no_put_open);
    search(&b, &c.channel.public);
    cr_assert_eq(b.holders_len, 3);
    for (size_t i = 0; i < 3; i++) {
        struct sign_key peer = key_from((uint8_t)(20 + b.holders[i].epoch - now));
        cr_assert(public_key_equal(&b.holders[i].peer, &peer.public));
        cr_assert_eq(b.holders[i].age_s, 5);
    }
    cr_assert_eq(b.entries_len, 1);
    cr_assert_eq(b.entry.broadcast, e.broadcast);
    cr_assert(b.search.ok);
    cr_assert_eq(b.search.valid, 4);
    cr_assert_eq(discovery_stats(a.d).puts_ok, 6);
    node_close(&a);
    node_close(&b);
    static_list_free(list);
}

Test(discovery, tells_that_the_static_list_is_there) {
    struct node n;
    struct static_list *list = list_open(&n);
    node_run_until(&n, has_event);
    cr_assert_eq(n.events[0], DISCOVERY_CONNECTED);
    cr_assert_eq(discovery_port(n.d), 0);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, hands_on_a_peers_newest_record_once) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    uint64_t now = epoch_at(UTC_US);
    static const uint64_t age_s[] = {20, 5, 5, 30};
    for (size_t i = 0; i < ARRAY_LEN(age_s); i++) announce(&n, &c, 9, now, UTC_S - age_s[i]);
    search(&n, &c.channel.public);
    cr_assert_eq(n.holders_len, 2);
    cr_assert_eq(n.holders[0].age_s, 20);
    cr_assert_eq(n.holders[1].age_s, 5);
    cr_assert_eq(n.search.repeated, 2);
    search(&n, &c.channel.public);
    cr_assert_eq(n.holders_len, 2, "a new search tells it again");
    node_close(&n);
    static_list_free(list);
}

Test(discovery, hands_on_the_newest_entry) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    static const uint64_t age_s[] = {50, 10, 70};
    for (size_t i = 0; i < ARRAY_LEN(age_s); i++) {
        struct entry e = entry_of(&c, UTC_S - age_s[i]);
        cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), 0);
    }
    search(&n, &c.channel.public);
    cr_assert_eq(n.entries_len, 2);
    cr_assert_eq(n.entry.issued_s, UTC_S - 10);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, refuses_records_by_their_time) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    uint64_t now = epoch_at(UTC_US);
    announce(&n, &c, 10, now, UTC_S + DISCOVERY_FUTURE_S);
    announce(&n, &c, 11, now, UTC_S + DISCOVERY_FUTURE_S + 1);
    announce(&n, &c, 12, now, UTC_S - DISCOVERY_OLD_S);
    announce(&n, &c, 13, now, UTC_S - DISCOVERY_OLD_S - 1);
    struct entry old = entry_of(&c, UTC_S - DISCOVERY_OLD_S - 1);
    cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &old, &c.broadcast), 0);
    search(&n, &c.channel.public);
    cr_assert_eq(n.holders_len, 2);
    cr_assert_eq(n.entries_len, 0);
    struct discovery_stats stats = discovery_stats(n.d);
    cr_assert_eq(stats.refused[REFUSED_FUTURE], 1);
    cr_assert_eq(stats.refused[REFUSED_OLD], 2);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, refuses_an_entry_whose_delegation_has_expired) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    struct entry e = entry_of(&c, UTC_S);
    e.expires_s = UTC_S - DISCOVERY_FUTURE_S - 1;
    delegation_sign(&c.channel, e.broadcast, &e.broadcast_key, e.expires_s, e.delegation);
    cr_assert_eq(discovery_announce_entry(n.d, &c.channel.public, &e, &c.broadcast), 0);
    search(&n, &c.channel.public);
    cr_assert_eq(n.entries_len, 0);
    cr_assert_eq(discovery_stats(n.d).refused[REFUSED_OLD], 1);
    node_close(&n);
    static_list_free(list);
}

/* A record of another epoch or channel is signed well, but for another key. */
Test(discovery, refuses_records_that_were_moved_to_another_key) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1), other = channel_from(5);
    uint64_t now = epoch_at(UTC_US);
    struct sign_key peer = key_from(9);
    struct holder h = holder_of(&peer, UTC_S);
    uint8_t record[HOLDER_SIZE_MAX];
    struct record_key key = holder_record_key(&c.channel.public, now);
    struct record_key elsewhere[] = {holder_record_key(&c.channel.public, now + 1),
                                     holder_record_key(&other.channel.public, now)};
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
        int len = holder_sign(&h, &elsewhere[i], &peer, record, sizeof record);
        cr_assert_gt(len, 0);
        cr_assert_eq(static_list_add(list, &key, record, (size_t)len), 0);
    }
    search(&n, &c.channel.public);
    cr_assert_eq(n.holders_len, 0);
    cr_assert_eq(discovery_stats(n.d).refused[REFUSED_SIGNATURE], 2);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, finds_three_good_records_among_five_hundred_of_junk_in_bounded_steps) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    uint64_t now = epoch_at(UTC_US);
    struct record_key key = holder_record_key(&c.channel.public, now);
    struct sign_key peer = key_from(9);
    struct holder h = holder_of(&peer, UTC_S);
    uint8_t record[HOLDER_SIZE_MAX];
    int len = holder_sign(&h, &key, &peer, record, sizeof record);
    cr_assert_gt(len, 0);
    for (unsigned i = 0; i < 500; i++) {
        if (i % 200 == 50) announce(&n, &c, (uint8_t)(30 + i / 200), now, UTC_S);
        uint8_t junk[HOLDER_SIZE_MAX];
        memcpy(junk, record, sizeof junk); /* well formed: only the signature tells */
        junk[len - 1 - (int)(i % 60)] ^= (uint8_t)(1 + i / 60);
        size_t junk_len = i % 5 == 0 ? (size_t)len / 2 : (size_t)len;
        cr_assert_eq(static_list_add(list, &key, junk, junk_len), 0);
    }
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    uint64_t before = discovery_stats(n.d).values;
    node_run_until(&n, has_search_done);
    struct discovery_stats stats = discovery_stats(n.d);
    cr_assert_eq(stats.values - before, 3 * 503, "a crowded key is asked until nothing new comes");
    cr_assert_geq(n.search.repeated, 2 * 503);
    cr_assert_eq(n.holders_len, 3);
    cr_assert_eq(n.search.valid, 3);
    cr_assert_eq(stats.dropped, 0);
    cr_assert_gt(stats.refused[REFUSED_FORM], 0);
    cr_assert_gt(stats.refused[REFUSED_SIGNATURE], 300);
    node_close(&n);
    static_list_free(list);
}

/* A get costs a question to each node for each value. */
Test(discovery, asks_once_where_a_crowd_of_good_records_is_found) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    uint64_t now = epoch_at(UTC_US);
    for (unsigned i = 0; i < 40; i++) announce(&n, &c, (uint8_t)(30 + i), now, UTC_S);
    uint64_t before = discovery_stats(n.d).values;
    search(&n, &c.channel.public);
    cr_assert_eq(n.holders_len, 40);
    cr_assert_eq(discovery_stats(n.d).values - before, 40);
    node_close(&n);
    static_list_free(list);
}

static void count_values(void *ctx, const struct public_key *channel,
                         const struct discovery_search *s) {
    (void)channel;
    *(struct discovery_search *)ctx = *s;
}

static void ignore_event(void *ctx, enum discovery_event event) {
    (void)ctx;
    (void)event;
}

Test(discovery, judges_no_more_values_in_a_step_than_its_bound) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    struct record_key key = entry_record_key(&c.channel.public);
    for (uint32_t i = 0; i < 300; i++) cr_assert_eq(static_list_add(list, &key, &i, sizeof i), 0);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    struct discovery_search done = {0};
    const struct discovery_handler handler = {.search_done = count_values, .state = ignore_event};
    uint64_t before = 0;
    for (size_t steps = 0; done.values == 0; steps++) {
        cr_assert_lt(steps, 20);
        discovery_dispatch(n.d, &handler, &done, UTC_US);
        uint64_t now = discovery_stats(n.d).values;
        cr_assert_leq(now - before, DISCOVERY_VALUES_A_DISPATCH);
        before = now;
    }
    cr_assert_eq(done.repeated, 600, "asked again, as the key is crowded");
    cr_assert_eq(done.refused, 300);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, leaves_a_running_search_at_its_keys_when_asked_again) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    for (int i = 0; i < 5; i++) cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US + EPOCH_S * US_PER_S), 0);
    node_run_until(&n, has_search_done);
    cr_assert_eq(n.searches_len, 1);
    cr_assert_eq(discovery_stats(n.d).gets, 5, "three epochs and the entry, and the next epoch");
    node_close(&n);
    static_list_free(list);
}

static struct public_key forgotten_channel;

static void forget_it(struct node *n) { discovery_forget(n->d, &forgotten_channel); }

Test(discovery, may_be_told_from_a_callback_to_forget_the_channel) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1), other = channel_from(5);
    for (uint8_t i = 0; i < 20; i++) announce(&n, &c, (uint8_t)(40 + i), epoch_at(UTC_US), UTC_S);
    forgotten_channel = c.channel.public;
    n.on_holder = forget_it;
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    cr_assert_eq(discovery_find(n.d, &other.channel.public, UTC_US), 0);
    node_run_until(&n, has_search_done);
    cr_assert_eq(n.holders_len, 1);
    cr_assert_eq(n.searches_len, 1);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, searches_as_many_channels_as_it_says_and_more_after_some_are_forgotten) {
    struct node n;
    struct static_list *list = list_open(&n);
    for (uint8_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        struct sign_key key = key_from(i);
        cr_assert_eq(discovery_find(n.d, &key.public, UTC_US), 0);
    }
    struct sign_key first = key_from(0), second = key_from(1), more = key_from(200);
    cr_assert_eq(discovery_find(n.d, &more.public, UTC_US), ERR_FULL);
    n.searches_len = 0;
    node_run_until(&n, has_search_done);
    discovery_forget(n.d, &first.public);
    search(&n, &second.public);
    cr_assert_eq(discovery_find(n.d, &more.public, UTC_US), 0);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, refuses_to_announce_what_nobody_would_take) {
    struct node n;
    struct static_list *list = list_open(&n);
    struct test_channel c = channel_from(1);
    struct sign_key peer = key_from(9);
    struct holder h = holder_of(&peer, UTC_S);
    h.endpoints[0].port = 0;
    cr_assert_eq(discovery_announce_holder(n.d, &c.channel.public, 1, &h, &peer), ERR_RANGE);
    cr_assert_eq(discovery_stats(n.d).puts, 0);
    node_close(&n);
    static_list_free(list);
}

Test(discovery, quotes_a_bootstrap_host_that_is_malformed) {
    const char *const bad[] = {"example.net"}, *const named[] = {"example.net:4222"};
    struct discovery_config config = {.bootstrap = bad, .bootstrap_len = 1};
    struct discovery *d = NULL;
    char why[DISCOVERY_WHY_MAX] = "";
    cr_assert_eq(discovery_open(&d, &config, why), ERR_FORMAT);
    cr_assert_not_null(strstr(why, "\"example.net\""), "%s", why);
    config.bootstrap = named;
    cr_assert_eq(discovery_open(&d, &config, why), ERR_FORMAT, "no lookup was given");
    cr_assert_not_null(strstr(why, "ADDRESS:PORT"), "%s", why);
    cr_assert_null(d);
}
