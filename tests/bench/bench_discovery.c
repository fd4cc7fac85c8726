/* bench_discovery - how long a newcomer takes from opening its DHT node to the first holder record.
 *
 * Eight OpenDHT nodes on loopback: a bootstrap node, six that have joined (one of which put a
 * record), and the newcomer. The first argument is how many tries (default 20), the second how many
 * milliseconds the seven have before the record is put (default 0: a DHT that has just begun). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/err.h"
#include "dht/discovery.h"

#define OTHERS 7
#define TRIES_MAX 1000
#define UTC_US (1700000010 * US_PER_S)
#define GIVE_UP_US (30 * US_PER_S)

struct node {
    struct discovery *d;
    bool holder, done;
};

static uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static void on_holder(void *ctx, const struct public_key *channel, uint64_t epoch,
                      const struct holder *holder, uint64_t age_s) {
    (void)channel, (void)epoch, (void)holder, (void)age_s;
    ((struct node *)ctx)->holder = true;
}

static void on_entry(void *ctx, const struct public_key *channel, const struct entry *entry) {
    (void)ctx, (void)channel, (void)entry;
}

static void on_search(void *ctx, const struct public_key *channel,
                      const struct discovery_search *search) {
    (void)channel, (void)search;
    ((struct node *)ctx)->done = true;
}

static void on_event(void *ctx, enum discovery_event event) { (void)ctx, (void)event; }

static const struct discovery_handler handler = {on_holder, on_entry, on_search, on_event};

static void step(struct node *n) {
    struct pollfd fd = {.fd = discovery_fd(n->d), .events = POLLIN};
    if (poll(&fd, 1, 10) > 0) discovery_dispatch(n->d, &handler, n, UTC_US);
}

static void node_open(struct node *n, uint16_t port) {
    char host[32], why[DISCOVERY_WHY_MAX];
    snprintf(host, sizeof host, "127.0.0.1:%u", port);
    const char *const hosts[] = {host};
    struct discovery_config config = {
        .bootstrap = hosts, .bootstrap_len = port != 0, .network = 77};
    *n = (struct node){0};
    if (discovery_open(&n->d, &config, why) != 0) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

static void others_open(struct node *others, unsigned settle_ms) {
    node_open(&others[0], 0);
    for (size_t i = 1; i < OTHERS; i++) {
        node_open(&others[i], discovery_port(others[0].d));
        while (!discovery_stats(others[i].d).connected) step(&others[i]);
    }
    poll(NULL, 0, (int)settle_ms);
}

static void record_put(struct node *n, const struct sign_key *key) {
    struct holder h = {.peer = key->public,
                       .issued_s = UTC_US / US_PER_S,
                       .role = ROLE_SOURCE,
                       .endpoints_len = 1};
    if (endpoint_parse("127.0.0.1:7000", &h.endpoints[0]) != 0) abort();
    if (discovery_announce_holder(n->d, &key->public, epoch_at(UTC_US), &h, key) != 0) abort();
    while (discovery_stats(n->d).puts_ok == 0) step(n);
}

/* Returns the microseconds to the first holder. */
static uint64_t try_once(const struct sign_key *key, unsigned settle_ms, uint64_t *ret_done_us) {
    struct node others[OTHERS], newcomer;
    others_open(others, settle_ms);
    record_put(&others[1], key);
    uint64_t start_us = clock_us(), first_us = 0;
    node_open(&newcomer, discovery_port(others[0].d));
    if (discovery_find(newcomer.d, &key->public, UTC_US) != 0) abort();
    while (!newcomer.done && clock_us() - start_us < GIVE_UP_US) {
        step(&newcomer);
        if (newcomer.holder && first_us == 0) first_us = clock_us() - start_us;
    }
    *ret_done_us = clock_us() - start_us;
    discovery_free(newcomer.d);
    for (size_t i = 0; i < OTHERS; i++) discovery_free(others[i].d);
    return first_us != 0 ? first_us : GIVE_UP_US;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, uint64_t *times_us, size_t n) {
    qsort(times_us, n, sizeof *times_us, compare);
    printf("%s: p50 %.1f ms, p95 %.1f ms, most %.1f ms\n", what, (double)times_us[n / 2] / 1e3,
           (double)times_us[n * 95 / 100] / 1e3, (double)times_us[n - 1] / 1e3);
}

int main(int argc, char **argv) {
    size_t tries = size_min(argc > 1 ? strtoul(argv[1], NULL, 10) : 20, TRIES_MAX);
    unsigned settle_ms = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (random_start() != 0 || tries == 0) return 1;
    uint8_t seed[SIGN_SEED_BYTES] = {7};
    struct sign_key key;
    sign_key_from_seed(&key, seed);
    static uint64_t first_us[TRIES_MAX], done_us[TRIES_MAX];
    for (size_t i = 0; i < tries; i++) first_us[i] = try_once(&key, settle_ms, &done_us[i]);
    report("open to first holder", first_us, tries);
    report("open to search done", done_us, tries);
    return 0;
}
