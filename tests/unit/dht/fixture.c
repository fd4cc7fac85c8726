#include "tests/unit/dht/fixture.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/crypto/random.h"

void fixture_start(void) { cr_assert_eq(random_start(), 0); }

uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

struct sign_key key_from(uint8_t seed) {
    uint8_t bytes[SIGN_SEED_BYTES] = {seed, 0x5e};
    struct sign_key key;
    sign_key_from_seed(&key, bytes);
    return key;
}

struct test_channel channel_from(uint8_t seed) {
    return (struct test_channel){key_from(seed), key_from((uint8_t)(seed + 1))};
}

struct holder holder_of(const struct sign_key *peer, uint64_t issued_s) {
    struct holder h = {.peer = peer->public,
                       .issued_s = issued_s,
                       .broadcast = 1700000000000,
                       .role = ROLE_RELAY,
                       .flags = PEER_REACHABLE | PEER_UPLOADS,
                       .tracks_len = 1,
                       .endpoints_len = 1};
    cr_assert_eq(endpoint_parse("127.0.0.1:7000", &h.endpoints[0]), 0);
    return h;
}

struct entry entry_of(const struct test_channel *c, uint64_t issued_s) {
    struct entry e = {.broadcast = 1700000000000,
                      .broadcast_key = c->broadcast.public,
                      .expires_s = issued_s + 86400,
                      .issued_s = issued_s,
                      .holders_len = 1};
    e.holders[0].peer = c->broadcast.public;
    cr_assert_eq(endpoint_parse("127.0.0.1:7000", &e.holders[0].endpoint), 0);
    delegation_sign(&c->channel, e.broadcast, &e.broadcast_key, e.expires_s, e.delegation);
    return e;
}

static void note_holder(void *ctx, const struct public_key *channel, uint64_t epoch,
                        const struct holder *h, uint64_t age_s) {
    (void)channel;
    struct node *n = ctx;
    cr_assert_lt(n->holders_len, NOTED_MAX);
    n->holders[n->holders_len++] = (struct noted_holder){h->peer, epoch, h->issued_s, age_s};
    if (n->on_holder != NULL) n->on_holder(n);
}

static void note_entry(void *ctx, const struct public_key *channel, const struct entry *entry) {
    (void)channel;
    struct node *n = ctx;
    n->entry = *entry;
    n->entries_len++;
}

static void note_search(void *ctx, const struct public_key *channel,
                        const struct discovery_search *search) {
    (void)channel;
    struct node *n = ctx;
    n->search = *search;
    n->searches_len++;
}

static void note_event(void *ctx, enum discovery_event event) {
    struct node *n = ctx;
    cr_assert_lt(n->events_len, ARRAY_LEN(n->events));
    n->events[n->events_len++] = event;
}

static const struct discovery_handler handler = {note_holder, note_entry, note_search, note_event};

void node_open(struct node *n, const struct discovery_config *config) {
    memset(n, 0, sizeof *n);
    char why[DISCOVERY_WHY_MAX] = "";
    cr_assert_eq(discovery_open(&n->d, config, why), 0, "%s", why);
    n->utc_us = UTC_US;
}

void node_open_dht(struct node *n, const uint16_t *ports, size_t len, const char *state_path) {
    char text[DISCOVERY_BOOTSTRAP_MAX][24];
    const char *hosts[DISCOVERY_BOOTSTRAP_MAX];
    for (size_t i = 0; i < len; i++) {
        snprintf(text[i], sizeof text[i], "127.0.0.1:%u", ports[i]);
        hosts[i] = text[i];
    }
    struct discovery_config config = {
        .bootstrap = hosts, .bootstrap_len = len, .state_path = state_path, .network = 77};
    node_open(n, &config);
}

void node_close(struct node *n) {
    discovery_free(n->d);
    n->d = NULL;
}

void nodes_run(struct node **nodes, size_t len, bool (*done)(void *ctx), void *ctx) {
    struct pollfd fds[16];
    cr_assert_leq(len, ARRAY_LEN(fds));
    for (size_t i = 0; i < len; i++)
        fds[i] = (struct pollfd){.fd = discovery_fd(nodes[i]->d), .events = POLLIN};
    uint64_t deadline_us = clock_us() + WAIT_US;
    while (!done(ctx)) {
        cr_assert_lt(clock_us(), deadline_us, "what was waited for did not come");
        poll(fds, len, 1000);
        for (size_t i = 0; i < len; i++)
            if (fds[i].revents != 0)
                discovery_dispatch(nodes[i]->d, &handler, nodes[i], nodes[i]->utc_us);
    }
}

void node_run_until(struct node *n, bool (*done)(void *ctx)) { nodes_run(&n, 1, done, n); }

bool has_search_done(void *node) { return ((struct node *)node)->searches_len > 0; }
bool has_event(void *node) { return ((struct node *)node)->events_len > 0; }

bool has_no_put_open(void *node) {
    struct discovery_stats stats = discovery_stats(((struct node *)node)->d);
    return stats.puts == stats.puts_ok + stats.puts_failed;
}

bool has_connected(void *node) { return discovery_stats(((struct node *)node)->d).connected; }
