/* Real OpenDHT nodes on loopback, with hosts named explicitly: no other network is reached. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "tests/unit/dht/fixture.h"

#define UTC_S (UTC_US / US_PER_S)

TestSuite(opendht, .init = fixture_start);

/* The first is the others' bootstrap host. */
static void swarm_open(struct node *nodes, size_t len) {
    node_open_dht(&nodes[0], NULL, 0, NULL);
    uint16_t port = discovery_port(nodes[0].d);
    cr_assert_neq(port, 0);
    for (size_t i = 1; i < len; i++) node_open_dht(&nodes[i], &port, 1, NULL);
    for (size_t i = 1; i < len; i++) node_run_until(&nodes[i], has_connected);
}

static void swarm_close(struct node *nodes, size_t len) {
    for (size_t i = 0; i < len; i++) node_close(&nodes[i]);
}

static void announce(struct node *n, const struct test_channel *c, uint8_t peer_seed) {
    struct sign_key peer = key_from(peer_seed);
    struct holder h = holder_of(&peer, UTC_S);
    cr_assert_eq(discovery_announce_holder(n->d, &c->channel.public, epoch_at(UTC_US), &h, &peer),
                 0);
    node_run_until(n, has_no_put_open);
}

static void search(struct node *n, const struct test_channel *c) {
    n->searches_len = n->holders_len = n->entries_len = 0;
    cr_assert_eq(discovery_find(n->d, &c->channel.public, UTC_US), 0);
    node_run_until(n, has_search_done);
}

Test(opendht, finds_what_another_node_has_put) {
    struct node nodes[4];
    struct test_channel c = channel_from(1);
    swarm_open(nodes, 4);
    announce(&nodes[1], &c, 20);
    announce(&nodes[2], &c, 21);
    struct entry e = entry_of(&c, UTC_S);
    cr_assert_eq(discovery_announce_entry(nodes[1].d, &c.channel.public, &e, &c.broadcast), 0);
    node_run_until(&nodes[1], has_no_put_open);
    cr_assert_eq(discovery_stats(nodes[1].d).puts_ok, 2);
    search(&nodes[3], &c);
    cr_assert_eq(nodes[3].holders_len, 2);
    cr_assert_eq(nodes[3].entries_len, 1);
    cr_assert_eq(nodes[3].entry.broadcast, e.broadcast);
    cr_assert(nodes[3].search.ok);
    cr_assert_gt(nodes[3].search.duration_us, 0);
    swarm_close(nodes, 4);
}

Test(opendht, looks_up_before_it_is_connected_without_being_asked_twice) {
    struct node nodes[3], late;
    struct test_channel c = channel_from(1);
    swarm_open(nodes, 3);
    announce(&nodes[1], &c, 20);
    uint16_t port = discovery_port(nodes[0].d);
    node_open_dht(&late, &port, 1, NULL);
    search(&late, &c);
    cr_assert_eq(late.holders_len, 1);
    node_close(&late);
    swarm_close(nodes, 3);
}

Test(opendht, finds_three_good_records_among_five_hundred_of_junk) {
    struct node nodes[5];
    struct test_channel c = channel_from(1);
    swarm_open(nodes, 5);
    struct record_key key = holder_record_key(&c.channel.public, epoch_at(UTC_US));
    struct rng rng = rng_init(3);
    for (size_t i = 0; i < 500; i++) {
        uint8_t junk[HOLDER_SIZE_MAX];
        for (size_t k = 0; k < sizeof junk; k++) junk[k] = (uint8_t)rng_u64(&rng);
        struct node *n = &nodes[1 + i % 3];
        while (discovery_put(n->d, &key, junk, 100 + i % 400) == ERR_FULL)
            node_run_until(n, has_no_put_open);
        if (i % 200 == 50) announce(&nodes[1 + i % 3], &c, (uint8_t)(20 + i / 200));
    }
    for (size_t i = 1; i < 4; i++) node_run_until(&nodes[i], has_no_put_open);
    /* Datagrams are lost where hundreds come at once, so a search may miss records; a caller
     * searches again while it wants more of them. */
    uint64_t deadline_us = clock_us() + WAIT_US;
    unsigned searches = 0, found = 0;
    while (found != 7) {
        cr_assert_lt(clock_us(), deadline_us);
        search(&nodes[4], &c);
        searches++;
        for (size_t i = 0; i < nodes[4].holders_len; i++)
            for (uint8_t k = 0; k < 3; k++) {
                struct sign_key peer = key_from((uint8_t)(20 + k));
                if (public_key_equal(&nodes[4].holders[i].peer, &peer.public)) found |= 1u << k;
            }
    }
    struct discovery_stats stats = discovery_stats(nodes[4].d);
    fprintf(stderr, "junk: 3 good records after %u searches, %llu different values\n", searches,
            (unsigned long long)(stats.values - stats.values_repeated));
    cr_assert_geq(stats.refused[REFUSED_FORM] + stats.refused[REFUSED_SIGNATURE], 100);
    swarm_close(nodes, 5);
}

/* A bound UDP socket that never answers. */
static int dead_host(uint16_t *ret_port) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    cr_assert_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    *ret_port = ntohs(sin.sin_port);
    return fd;
}

static size_t drain(int fd) {
    uint8_t bytes[2048];
    size_t n = 0;
    while (recv(fd, bytes, sizeof bytes, 0) >= 0) n++;
    return n;
}

static bool has_tried_twice_and_failed(void *node) {
    return discovery_stats(((struct node *)node)->d).bootstrap_attempts >= 3;
}

/* Measured: three datagrams a try of 7.4 s. Twice that is the bound, whatever the machine's speed:
 * it counts datagrams a try, not a second. */
Test(opendht, does_not_flood_a_dead_host_and_tells_of_it_once) {
    uint16_t port;
    int fd = dead_host(&port);
    struct node n;
    struct test_channel c = channel_from(1);
    node_open_dht(&n, &port, 1, NULL);
    uint64_t start_us = clock_us();
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    node_run_until(&n, has_tried_twice_and_failed);
    size_t datagrams = drain(fd);
    fprintf(stderr, "dead host: %zu datagrams in %.1f s, two tries and the start of a third\n",
            datagrams, (double)(clock_us() - start_us) / 1e6);
    cr_assert_geq(datagrams, 3);
    cr_assert_leq(datagrams, 3 * 6);
    cr_assert_eq(n.events_len, 1);
    cr_assert_eq(n.events[0], DISCOVERY_UNREACHABLE);
    cr_assert_eq(n.searches_len, 0, "the search waits");
    node_close(&n);
    close(fd);
}

static bool has_search_done_and_two_events(void *node) {
    return has_search_done(node) && ((struct node *)node)->events_len >= 3;
}

Test(opendht, joins_when_a_dead_host_comes_up_and_ends_the_search_that_waited) {
    uint16_t port;
    int fd = dead_host(&port);
    struct node n, host;
    struct test_channel c = channel_from(1);
    node_open_dht(&n, &port, 1, NULL);
    cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
    node_run_until(&n, has_event);
    cr_assert_eq(n.events[0], DISCOVERY_UNREACHABLE);
    close(fd);
    struct discovery_config config = {.port = port, .network = 77, .is_bootstrap = true};
    node_open(&host, &config);
    cr_assert_eq(discovery_port(host.d), port);
    node_run_until(&n, has_search_done_and_two_events);
    cr_assert_eq(n.events[1], DISCOVERY_CONNECTED);
    cr_assert_eq(n.events[2], DISCOVERY_RECOVERED);
    cr_assert(n.search.ok);
    node_close(&n);
    node_close(&host);
}

static struct folder { char path[64], state[128], file[160]; } folder_make(void) {
    struct folder f = {.path = "/tmp/shoal-dht-XXXXXX"};
    cr_assert_not_null(mkdtemp(f.path));
    snprintf(f.state, sizeof f.state, "%s/node", f.path);
    snprintf(f.file, sizeof f.file, "%s/node_port.txt", f.path);
    return f;
}

static void folder_remove(const struct folder *f) {
    unlink(f->state);
    unlink(f->file);
    cr_assert_eq(rmdir(f->path), 0);
}

/* The state file has some 40 bytes of its own and 48 for each neighbour. */
static bool has_three_neighbours(const struct folder *f) {
    struct stat st;
    return stat(f->state, &st) == 0 && st.st_size > 40 + 3 * 48;
}

/* A young DHT is a star: its first node passes others on when it has asked them back, a second or
 * more after they came. So the newcomer joins until it has met them. */
Test(opendht, joins_by_remembered_neighbours_where_the_host_is_dead) {
    struct folder f = folder_make();
    struct node nodes[4], n;
    struct test_channel c = channel_from(1);
    swarm_open(nodes, 4);
    uint16_t port = discovery_port(nodes[0].d), own_port = 0;
    uint64_t deadline_us = clock_us() + WAIT_US;
    while (!has_three_neighbours(&f)) {
        cr_assert_lt(clock_us(), deadline_us);
        announce(&nodes[1], &c, 20);
        node_open_dht(&n, &port, 1, f.state);
        search(&n, &c);
        cr_assert_eq(n.holders_len, 1);
        own_port = discovery_port(n.d);
        node_close(&n);
        cr_assert_eq(access(f.state, F_OK), 0);
        poll(NULL, 0, 50);
    }
    announce(&nodes[1], &c, 20);

    node_close(&nodes[0]);
    node_open_dht(&n, &port, 1, f.state);
    cr_assert_eq(discovery_port(n.d), own_port, "the port is remembered");
    uint64_t start_us = clock_us();
    search(&n, &c);
    fprintf(stderr, "by remembered neighbours: search done after %.1f s\n",
            (double)(clock_us() - start_us) / 1e6);
    cr_assert_eq(n.holders_len, 1);
    node_close(&n);
    swarm_close(nodes + 1, 3);
    folder_remove(&f);
}

Test(opendht, writes_its_state_at_its_end_alone) {
    struct folder f = folder_make();
    struct node host, n;
    node_open_dht(&host, NULL, 0, NULL);
    uint16_t port = discovery_port(host.d);
    node_open_dht(&n, &port, 1, f.state);
    node_run_until(&n, has_connected);
    cr_assert_neq(access(f.state, F_OK), 0);
    cr_assert_eq(access(f.file, F_OK), 0, "only the port is kept from the start on");
    node_close(&n);
    cr_assert_eq(access(f.state, F_OK), 0);
    node_close(&host);
    folder_remove(&f);
}

Test(opendht, opens_without_its_state_where_another_node_uses_it) {
    struct folder f = folder_make();
    struct node a, b;
    node_open_dht(&a, NULL, 0, f.state);
    node_open_dht(&b, NULL, 0, f.state);
    cr_assert_neq(discovery_port(a.d), discovery_port(b.d));
    node_close(&b);
    node_close(&a);
    folder_remove(&f);
}

Test(opendht, names_the_port_that_is_in_use) {
    struct node a;
    node_open_dht(&a, NULL, 0, NULL);
    struct discovery_config config = {.port = discovery_port(a.d)};
    struct discovery *d = NULL;
    char why[DISCOVERY_WHY_MAX] = "", port[16];
    snprintf(port, sizeof port, "port %u", config.port);
    cr_assert_eq(discovery_open(&d, &config, why), ERR_EXISTS, "%s", why);
    cr_assert_null(d);
    cr_assert_not_null(strstr(why, port), "%s", why);
    cr_assert_not_null(strstr(why, "in use"), "%s", why);
    node_close(&a);
}

static struct {
    struct endpoint endpoint;
    char host[64];
    sem_t release, released;
    discovery_addresses_fn fn;
    void *ctx;
} names;

static int look_up_now(const char *host, uint16_t port, discovery_addresses_fn fn, void *ctx) {
    snprintf(names.host, sizeof names.host, "%s", host);
    struct endpoint found[2] = {names.endpoint, names.endpoint};
    found[1].port = port;
    fn(ctx, found, 2);
    return 0;
}

Test(opendht, asks_for_the_addresses_of_a_host_with_a_name) {
    struct node host, n;
    node_open_dht(&host, NULL, 0, NULL);
    char text[32];
    snprintf(text, sizeof text, "node.example:%u", discovery_port(host.d));
    const char *const hosts[] = {text};
    cr_assert_eq(endpoint_parse("127.0.0.1:9", &names.endpoint), 0);
    struct discovery_config config = {
        .bootstrap = hosts, .bootstrap_len = 1, .lookup = look_up_now, .network = 77};
    node_open(&n, &config);
    node_run_until(&n, has_connected);
    cr_assert_str_eq(names.host, "node.example");
    node_close(&n);
    node_close(&host);
}

static void *look_up_answer(void *arg) {
    (void)arg;
    sem_wait(&names.release);
    names.fn(names.ctx, &names.endpoint, 1);
    sem_post(&names.released);
    return NULL;
}

static int look_up_late(const char *host, uint16_t port, discovery_addresses_fn fn, void *ctx) {
    (void)host;
    (void)port;
    names.fn = fn;
    names.ctx = ctx;
    return 0;
}

Test(opendht, does_not_wait_for_a_lookup_that_answers_after_the_end) {
    const char *const hosts[] = {"slow.example:4222"};
    struct discovery_config config = {
        .bootstrap = hosts, .bootstrap_len = 1, .lookup = look_up_late, .network = 77};
    struct node n;
    pthread_t thread;
    sem_init(&names.release, 0, 0);
    sem_init(&names.released, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, look_up_answer, NULL), 0);
    node_open(&n, &config);
    node_close(&n);
    sem_post(&names.release);
    pthread_join(thread, NULL);
}

Test(opendht, ends_soon_in_the_middle_of_searches_and_puts_with_a_dead_host) {
    struct folder f = folder_make();
    struct node nodes[3], n;
    swarm_open(nodes, 3);
    uint16_t ports[2];
    int fd = dead_host(&ports[0]);
    ports[1] = discovery_port(nodes[0].d);
    for (uint8_t round = 0; round < 3; round++) {
        struct test_channel c = channel_from(round);
        node_open_dht(&n, ports, round == 0 ? 1 : 2, f.state);
        if (round == 2) node_run_until(&n, has_connected);
        struct sign_key peer = key_from(90);
        struct holder h = holder_of(&peer, UTC_S);
        cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
        cr_assert_eq(discovery_announce_holder(n.d, &c.channel.public, 1, &h, &peer), 0);
        uint64_t start_us = clock_us();
        node_close(&n);
        /* Ten times what it takes: a hang is what this is about. */
        cr_assert_lt(clock_us() - start_us, 10 * US_PER_S);
    }
    close(fd);
    swarm_close(nodes, 3);
    folder_remove(&f);
}

Test(opendht, opens_and_ends_many_times) {
    struct node host, n;
    node_open_dht(&host, NULL, 0, NULL);
    uint16_t port = discovery_port(host.d);
    struct test_channel c = channel_from(1);
    for (int i = 0; i < 30; i++) {
        node_open_dht(&n, &port, 1, NULL);
        cr_assert_eq(discovery_find(n.d, &c.channel.public, UTC_US), 0);
        if (i % 3 == 0) node_run_until(&n, has_search_done);
        node_close(&n);
    }
    node_close(&host);
}
