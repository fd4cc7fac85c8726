/* opendht.c - the driver on OpenDHT's C bindings, and the only file that knows them.
 *
 * Measured with OpenDHT 2.4.12 (2 cores, loopback):
 * - dht_runner_run_config takes 5 ms; a free UDP port counts for IPv4 and IPv6 together.
 * - A ping that nobody answers is three datagrams in 3.1 s and fails after 7.4 s.
 *   dht_runner_bootstrap would go on by itself, resolve names on OpenDHT's thread, and take no word
 *   back; so names are looked up elsewhere, and hosts are pinged.
 * - get and put wait inside OpenDHT while pings are open, and end at once with `false` where no
 *   node is known.
 * - The state file is written by dht_runner_shutdown, within 100 ms, whether or not its callback
 *   comes: that waits for every open search, which takes 5 s and more where nodes have gone.
 *   dht_runner_delete takes 0.2 ms in any state, and no callback comes after it.
 * - The port is kept in a file of its own, written at the start. Where it is taken, the start fails
 *   although any port would do. */
#include <opendht/opendht_c.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "dht/driver.h"

#define SHUTDOWN_MS 500 /* five times what writing the state took */

static_assert(sizeof(dht_infohash) == RECORD_KEY_BYTES, "a record's key is OpenDHT's");

struct opendht_node {
    dht_runner *runner;
    struct mailbox *mailbox;
    bool has_state;
};

static bool value_found(const dht_value *value, void *token) {
    dht_data_view view = dht_value_get_data(value);
    if (view.size > ENTRY_SIZE_MAX) view.size = 0; /* refused for its size, without a copy */
    mailbox_post(token, MAIL_VALUE, true, view.data, view.size);
    return true;
}

/* What stands at our own node's key is not ours to read: the probe asks who answers. */
static bool value_ignored(const dht_value *value, void *token) {
    (void)value;
    (void)token;
    return false;
}

static void get_done(bool ok, void *token) { mailbox_post(token, MAIL_GET_DONE, ok, NULL, 0); }
static void put_done(bool ok, void *token) { mailbox_post(token, MAIL_PUT_DONE, ok, NULL, 0); }
static void ping_done(bool ok, void *token) { mailbox_post(token, MAIL_PING_DONE, ok, NULL, 0); }

/* Signals are for the program's own thread: OpenDHT's start with all of them blocked. */
static int runner_run(dht_runner *runner, uint16_t port, const dht_runner_config *config) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = dht_runner_run_config(runner, port, config);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* Returns 0 with a runner that runs, or OpenDHT's error. */
static int runner_start(const struct discovery_config *config, const char *state_path,
                        dht_runner **ret) {
    dht_runner_config c;
    dht_runner_config_default(&c);
    c.threaded = true;
    c.peer_discovery = false;
    c.peer_publish = false;
    c.dht_config.node_config.network = config->network;
    c.dht_config.node_config.is_bootstrap = config->is_bootstrap;
    c.dht_config.node_config.persist_path = state_path != NULL ? state_path : "";
    dht_runner *runner = dht_runner_new();
    int failed = runner == NULL ? ENOMEM : runner_run(runner, config->port, &c);
    if (failed) {
        dht_runner_delete(runner);
        return failed;
    }
    *ret = runner;
    return 0;
}

/* By IPv4 or IPv6. OpenDHT does not say why it could not bind. */
static bool port_in_use(uint16_t port) {
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* Apart from each other: a socket for both would not see another program's of IPv4 alone. */
    if (fd6 >= 0) setsockopt(fd6, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    bool in_use =
        (fd6 >= 0 && bind(fd6, (struct sockaddr *)&sin6, sizeof sin6) && errno == EADDRINUSE) ||
        (fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof sin) && errno == EADDRINUSE);
    if (fd6 >= 0) close(fd6);
    if (fd >= 0) close(fd);
    return in_use;
}

static int open_error(uint16_t port, int failed, char *why) {
    if (port != 0 && port_in_use(port)) {
        snprintf(why, DISCOVERY_WHY_MAX,
                 "UDP port %u is in use by another program; choose another, or 0 for a free one",
                 port);
        return ERR_EXISTS;
    }
    snprintf(why, DISCOVERY_WHY_MAX, "cannot open the DHT node on UDP port %u: %s", port,
             strerror(failed));
    return ERR_SYSTEM;
}

static int opendht_open(void **ret, const struct discovery_config *config, struct mailbox *mailbox,
                        char *why) {
    /* OpenDHT is content with one of the two families: asked before, as it would not say. */
    if (config->port != 0 && port_in_use(config->port)) return open_error(config->port, 0, why);
    struct opendht_node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        snprintf(why, DISCOVERY_WHY_MAX, "the DHT node: %s", err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    n->mailbox = mailbox;
    n->has_state = config->state_path != NULL;
    int failed = runner_start(config, config->state_path, &n->runner);
    if (failed && n->has_state && config->port == 0) {
        n->has_state = false;
        failed = runner_start(config, NULL, &n->runner);
    }
    if (failed) {
        free(n);
        return open_error(config->port, failed, why);
    }
    *ret = n;
    return 0;
}

struct shutdown {
    pthread_mutex_t lock;
    pthread_cond_t done_changed;
    bool done;
};

static void shutdown_done(void *ctx) {
    struct shutdown *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_signal(&s->done_changed);
    pthread_mutex_unlock(&s->lock);
}

static void deadline_in(struct timespec *ret, unsigned ms) {
    clock_gettime(CLOCK_REALTIME, ret);
    ret->tv_nsec += (long)ms * 1000000;
    ret->tv_sec += ret->tv_nsec / 1000000000;
    ret->tv_nsec %= 1000000000;
}

/* No callback comes after dht_runner_delete, so that what it would touch may stand here. */
static void opendht_free(void *self) {
    struct opendht_node *n = self;
    struct shutdown s = {.lock = PTHREAD_MUTEX_INITIALIZER,
                         .done_changed = PTHREAD_COND_INITIALIZER};
    if (n->has_state) {
        struct timespec deadline;
        deadline_in(&deadline, SHUTDOWN_MS);
        dht_runner_shutdown(n->runner, shutdown_done, &s);
        pthread_mutex_lock(&s.lock);
        while (!s.done && pthread_cond_timedwait(&s.done_changed, &s.lock, &deadline) == 0)
            continue;
        pthread_mutex_unlock(&s.lock);
    }
    dht_runner_delete(n->runner);
    free(n);
}

static uint16_t opendht_port(void *self) {
    struct opendht_node *n = self;
    uint16_t port = dht_runner_get_bound_port(n->runner, AF_INET);
    return port != 0 ? port : dht_runner_get_bound_port(n->runner, AF_INET6);
}

static dht_infohash infohash(const struct record_key *key) {
    dht_infohash hash;
    memcpy(hash.d, key->bytes, sizeof hash.d);
    return hash;
}

static int opendht_get(void *self, const struct record_key *key, uint32_t op) {
    struct opendht_node *n = self;
    dht_infohash hash = infohash(key);
    dht_runner_get(n->runner, &hash, value_found, get_done, mailbox_token(n->mailbox, op));
    return 0;
}

static int opendht_put(void *self, const struct record_key *key, const void *data, size_t len,
                       uint32_t op) {
    struct opendht_node *n = self;
    dht_value *value = dht_value_new(data, len);
    if (value == NULL) return ERR_MEMORY;
    dht_infohash hash = infohash(key);
    dht_runner_put(n->runner, &hash, value, put_done, mailbox_token(n->mailbox, op), false);
    dht_value_unref(value); /* the runner has a reference of its own */
    return 0;
}

static int opendht_ping(void *self, const struct endpoint *to, uint32_t op) {
    struct opendht_node *n = self;
    void *token = mailbox_token(n->mailbox, op);
    if (endpoint_is_ipv4(to)) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(to->port)};
        memcpy(&sin.sin_addr, to->ip + 12, 4);
        dht_runner_ping(n->runner, (struct sockaddr *)&sin, sizeof sin, ping_done, token);
        return 0;
    }
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
    memcpy(&sin6.sin6_addr, to->ip, sizeof to->ip);
    dht_runner_ping(n->runner, (struct sockaddr *)&sin6, sizeof sin6, ping_done, token);
    return 0;
}

/* Looks up its own place in the DHT: any key would do, and this one finds the neighbours. */
static int opendht_probe(void *self, uint32_t op) {
    struct opendht_node *n = self;
    dht_infohash hash = dht_runner_get_node_id(n->runner);
    dht_runner_get(n->runner, &hash, value_ignored, get_done, mailbox_token(n->mailbox, op));
    return 0;
}

const struct discovery_driver discovery_opendht = {
    .name = "OpenDHT",
    .open = opendht_open,
    .free = opendht_free,
    .port = opendht_port,
    .get = opendht_get,
    .put = opendht_put,
    .ping = opendht_ping,
    .probe = opendht_probe,
};
