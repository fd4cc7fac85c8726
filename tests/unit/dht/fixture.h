/* fixture.h - a node that notes what discovery calls back, and records to announce. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "core/proto/manifest.h"
#include "dht/discovery.h"
#include "dht/driver.h"

#define NOTED_MAX 2048
#define UTC_US (1700000010 * US_PER_S) /* some moment within an epoch */
#define WAIT_US (60 * US_PER_S)        /* for anything that must come; no test takes as long */

struct noted_holder {
    struct public_key peer;
    uint64_t epoch, issued_s, age_s;
};

struct node {
    struct discovery *d;
    uint64_t utc_us;
    size_t holders_len, entries_len, searches_len, events_len;
    struct noted_holder holders[NOTED_MAX];
    struct entry entry;
    struct discovery_search search;
    enum discovery_event events[64];
    void (*on_holder)(struct node *);
};

/* What a channel needs, from a seed. */
struct test_channel {
    struct sign_key channel, broadcast;
};

void fixture_start(void); /* before each test */
uint64_t clock_us(void);
struct sign_key key_from(uint8_t seed);
struct test_channel channel_from(uint8_t seed);
struct holder holder_of(const struct sign_key *peer, uint64_t issued_s);
struct entry entry_of(const struct test_channel *c, uint64_t issued_s);

void node_open(struct node *n, const struct discovery_config *config);
/* OpenDHT on a free port, with the given nodes on loopback for its bootstrap. */
void node_open_dht(struct node *n, const uint16_t *ports, size_t len, const char *state_path);
void node_close(struct node *n);
/* Dispatches all nodes until `done` says so for `ctx`; fails after WAIT_US. */
void nodes_run(struct node **nodes, size_t len, bool (*done)(void *ctx), void *ctx);
void node_run_until(struct node *n, bool (*done)(void *ctx));

bool has_search_done(void *node);
bool has_event(void *node);
bool has_no_put_open(void *node);
bool has_connected(void *node);

#endif
