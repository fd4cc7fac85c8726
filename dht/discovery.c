#include "dht/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "dht/alarm.h"
#include "dht/bootstrap.h"
#include "dht/driver.h"
#include "dht/put_queue.h"
#include "dht/search.h"

#define PINGS_MAX 32         /* four addresses for each of eight hosts */
#define HOST_ADDRESSES_MAX 4 /* tried of those that a name has */
#define MAILS_A_DISPATCH (DISCOVERY_VALUES_A_DISPATCH + 192) /* notices cost little */

struct discovery {
    const struct discovery_driver *driver;
    void *node;
    struct mailbox *mailbox;
    struct alarm alarm;
    int (*lookup)(const char *host, uint16_t port, discovery_addresses_fn fn, void *ctx);
    struct bootstrap bootstrap;
    uint64_t search_us;
    uint32_t probe;            /* 0: none is open */
    uint32_t pings[PINGS_MAX]; /* of the try; also lookups of names. 0: free */
    struct search *searches[DISCOVERY_CHANNELS_MAX];
    struct put_queue puts;
    struct discovery_stats stats;
};

static struct lookup *find_lookup(struct discovery *d, uint32_t op, struct search **ret) {
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        if (d->searches[i] == NULL || d->searches[i]->forgotten) continue;
        struct lookup *l = search_lookup(d->searches[i], op);
        if (l == NULL) continue;
        *ret = d->searches[i];
        return l;
    }
    return NULL;
}

/* Alone, there is nobody to wait for: our own storage answers, and others come. */
static bool must_wait(const struct discovery *d) {
    return d->bootstrap.len > 0 && !d->bootstrap.connected;
}

static void alarm_update(struct discovery *d) {
    uint64_t next_us = u64_min(bootstrap_deadline(&d->bootstrap), put_queue_deadline(&d->puts));
    if (d->bootstrap.events_len > 0) next_us = 0; /* to be told in the next step */
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        if (d->searches[i] == NULL) continue;
        for (size_t k = 0; k < SEARCH_KEYS_MAX; k++) {
            const struct lookup *l = &d->searches[i]->lookups[k];
            if (l->state != LOOKUP_FREE) next_us = u64_min(next_us, l->started_us + d->search_us);
        }
    }
    alarm_set(&d->alarm, next_us);
}

static int hosts_take(struct discovery *d, const struct discovery_config *config, char *why) {
    size_t bad = 0;
    bool names = config->lookup != NULL;
    int err = bootstrap_init(&d->bootstrap, config->bootstrap, config->bootstrap_len, names,
                             alarm_clock_us(), &bad);
    if (err == ERR_RANGE)
        snprintf(why, DISCOVERY_WHY_MAX, "more than %d bootstrap hosts", DISCOVERY_BOOTSTRAP_MAX);
    else if (err)
        snprintf(why, DISCOVERY_WHY_MAX, "\"%.80s\" is no bootstrap host: %s",
                 config->bootstrap[bad], names ? "HOST:PORT" : "ADDRESS:PORT, numeric");
    return err;
}

static void try_hosts(struct discovery *d, uint64_t now_us);

int discovery_open(struct discovery **ret, const struct discovery_config *config, char *why) {
    struct discovery *d = calloc(1, sizeof *d);
    if (d == NULL) {
        snprintf(why, DISCOVERY_WHY_MAX, "the DHT node: %s", err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    d->alarm = (struct alarm){-1, -1, TIME_NEVER};
    d->driver = config->driver != NULL ? config->driver : &discovery_opendht;
    d->lookup = config->lookup;
    d->search_us = config->search_us != 0 ? config->search_us : DISCOVERY_SEARCH_US;
    int err = hosts_take(d, config, why);
    if (err) goto failed;
    d->mailbox = mailbox_new();
    if (d->mailbox == NULL || alarm_init(&d->alarm, mailbox_fd(d->mailbox)) != 0) {
        snprintf(why, DISCOVERY_WHY_MAX, "the DHT node: no descriptors left");
        err = ERR_SYSTEM;
        goto failed;
    }
    err = d->driver->open(&d->node, config, d->mailbox, why);
    if (err) goto failed;
    if (d->driver->ping == NULL) {
        d->bootstrap.next_us = TIME_NEVER;
        bootstrap_set_connected(&d->bootstrap);
    }
    try_hosts(d, alarm_clock_us());
    alarm_update(d);
    *ret = d;
    return 0;
failed:
    discovery_free(d);
    return err;
}

void discovery_free(struct discovery *d) {
    if (d == NULL) return;
    if (d->node != NULL) d->driver->free(d->node);
    mailbox_free(d->mailbox);
    alarm_release(&d->alarm);
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) search_free(d->searches[i]);
    free(d);
}

int discovery_fd(const struct discovery *d) { return d->alarm.epoll; }
uint16_t discovery_port(const struct discovery *d) { return d->driver->port(d->node); }

struct discovery_stats discovery_stats(const struct discovery *d) {
    struct discovery_stats stats = d->stats;
    stats.puts = d->puts.added;
    stats.puts_ok = d->puts.ok;
    stats.puts_failed = d->puts.failed;
    stats.dropped = mailbox_dropped(d->mailbox);
    stats.bootstrap_attempts = d->bootstrap.tries;
    stats.connected = d->bootstrap.connected;
    return stats;
}

static void probe(struct discovery *d) {
    if (d->probe != 0 || d->driver->probe == NULL) return;
    uint32_t op = mailbox_next_op(d->mailbox);
    if (d->driver->probe(d->node, op) == 0) d->probe = op;
}

/* Keeps the number of something that the try waits for; 0 where too many are open. */
static uint32_t ping_op(struct discovery *d) {
    for (size_t i = 0; i < PINGS_MAX; i++) {
        if (d->pings[i] != 0) continue;
        bootstrap_asked(&d->bootstrap);
        return d->pings[i] = mailbox_next_op(d->mailbox);
    }
    return 0;
}

static bool ping_end(struct discovery *d, uint32_t op) {
    for (size_t i = 0; i < PINGS_MAX; i++) {
        if (d->pings[i] != op) continue;
        d->pings[i] = 0;
        return true;
    }
    return false;
}

static void ping(struct discovery *d, const struct endpoint *to, uint64_t now_us) {
    if (!endpoint_is_usable(to)) return;
    uint32_t op = ping_op(d);
    if (op == 0 || d->driver->ping(d->node, to, op) == 0) return;
    ping_end(d, op);
    bootstrap_answered(&d->bootstrap, false, now_us);
}

/* On the thread of the lookup, with a token for its context. */
static void addresses_found(void *token, const struct endpoint *endpoints, size_t len) {
    len = size_min(len, HOST_ADDRESSES_MAX);
    mailbox_post(token, MAIL_ADDRESSES, len > 0, endpoints, len * sizeof *endpoints);
}

static void look_up(struct discovery *d, const struct bootstrap_host *host, uint64_t now_us) {
    uint32_t op = ping_op(d);
    if (op == 0) return;
    void *token = mailbox_token(d->mailbox, op);
    if (d->lookup(host->name, host->port, addresses_found, token) == 0) return;
    ping_end(d, op);
    bootstrap_answered(&d->bootstrap, false, now_us);
}

static void try_hosts(struct discovery *d, uint64_t now_us) {
    if (bootstrap_begin(&d->bootstrap, now_us)) {
        memset(d->pings, 0, sizeof d->pings); /* what is left of the try before comes too late */
        for (size_t i = 0; i < d->bootstrap.len; i++) {
            const struct bootstrap_host *host = &d->bootstrap.hosts[i];
            if (host->numeric)
                ping(d, &host->endpoint, now_us);
            else
                look_up(d, host, now_us);
        }
        bootstrap_all_asked(&d->bootstrap, now_us);
        if (!d->bootstrap.connected) probe(d); /* remembered neighbours may answer */
    }
    bootstrap_expire(&d->bootstrap, now_us);
}

static void lookup_end(struct discovery *d, struct search *s, struct lookup *l, bool ok,
                       uint64_t now_us, const struct discovery_handler *handler, void *ctx) {
    l->state = LOOKUP_FREE;
    *(ok ? &d->stats.gets_ok : &d->stats.gets_failed) += 1;
    s->counts.ok |= ok;
    if (!search_is_idle(s)) return;
    s->counts.duration_us = now_us - s->started_us;
    struct discovery_search counts = s->counts; /* the handler may search again */
    handler->search_done(ctx, &s->channel, &counts);
}

/* A driver that is out of memory leaves it waiting, until its deadline. */
static void lookup_start(struct discovery *d, struct lookup *l) {
    l->op = mailbox_next_op(d->mailbox);
    bool started = d->driver->get(d->node, &l->key, l->op) == 0;
    l->state = started ? LOOKUP_RUNNING : LOOKUP_WAITING;
}

static void lookups_start(struct discovery *d, struct search *s) {
    for (size_t i = 0; i < SEARCH_KEYS_MAX; i++)
        if (s->lookups[i].state == LOOKUP_WAITING) lookup_start(d, &s->lookups[i]);
}

/* Starts what waited for the DHT to answer. */
static void release_waiting(struct discovery *d) {
    if (must_wait(d)) return;
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++)
        if (d->searches[i] != NULL && !d->searches[i]->forgotten) lookups_start(d, d->searches[i]);
    put_queue_start(&d->puts, d->driver, d->node, d->mailbox);
}

/* An operation that failed may mean that the DHT is gone; one that did not, that it is there. */
static void note_answer(struct discovery *d, bool ok) {
    if (ok)
        bootstrap_set_connected(&d->bootstrap);
    else if (d->bootstrap.connected)
        probe(d);
}

static void take_get_done(struct discovery *d, const struct mail *mail, uint64_t now_us,
                          const struct discovery_handler *handler, void *ctx) {
    if (mail->op == d->probe) {
        d->probe = 0;
        if (mail->ok)
            bootstrap_set_connected(&d->bootstrap);
        else
            bootstrap_set_lost(&d->bootstrap, now_us);
        return;
    }
    struct search *s;
    struct lookup *l = find_lookup(d, mail->op, &s);
    if (l == NULL) return;
    note_answer(d, mail->ok);
    if (mail->ok && search_round_end(l))
        lookup_start(d, l);
    else
        lookup_end(d, s, l, mail->ok, now_us, handler, ctx);
}

static void take_addresses(struct discovery *d, const struct mail *mail, uint64_t now_us) {
    if (!ping_end(d, mail->op)) return;
    struct endpoint endpoints[HOST_ADDRESSES_MAX];
    size_t n = size_min(mail->len / sizeof endpoints[0], HOST_ADDRESSES_MAX);
    memcpy(endpoints, mail->data, n * sizeof endpoints[0]);
    for (size_t i = 0; i < n; i++) ping(d, &endpoints[i], now_us);
    bootstrap_answered(&d->bootstrap, false, now_us);
}

/* Returns 1 for a value that was judged: a step is bounded by these. */
static size_t take_mail(struct discovery *d, const struct mail *mail, uint64_t now_us,
                        uint64_t utc_us, const struct discovery_handler *handler, void *ctx) {
    struct search *s;
    struct lookup *l;
    switch (mail->kind) {
    case MAIL_VALUE:
        l = find_lookup(d, mail->op, &s);
        if (l == NULL) return 0;
        search_value(s, l, mail->data, mail->len, utc_us, handler, ctx, &d->stats);
        return 1;
    case MAIL_GET_DONE: take_get_done(d, mail, now_us, handler, ctx); break;
    case MAIL_PUT_DONE:
        if (put_queue_done(&d->puts, mail->op, mail->ok)) note_answer(d, mail->ok);
        break;
    case MAIL_PING_DONE:
        /* A late success of an earlier try counts all the same. */
        if (ping_end(d, mail->op) || mail->ok) bootstrap_answered(&d->bootstrap, mail->ok, now_us);
        break;
    case MAIL_ADDRESSES: take_addresses(d, mail, now_us); break;
    }
    return 0;
}

static void tell_events(struct discovery *d, const struct discovery_handler *handler, void *ctx) {
    enum discovery_event event;
    while (bootstrap_next_event(&d->bootstrap, &event)) handler->state(ctx, event);
}

static void expire(struct discovery *d, uint64_t now_us, const struct discovery_handler *handler,
                   void *ctx) {
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        struct search *s = d->searches[i];
        for (size_t k = 0; s != NULL && !s->forgotten && k < SEARCH_KEYS_MAX; k++) {
            struct lookup *l = &s->lookups[k];
            if (l->state != LOOKUP_FREE && now_us >= l->started_us + d->search_us)
                lookup_end(d, s, l, false, now_us, handler, ctx);
        }
    }
    put_queue_expire(&d->puts, now_us);
}

static void free_forgotten(struct discovery *d) {
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        if (d->searches[i] == NULL || !d->searches[i]->forgotten) continue;
        search_free(d->searches[i]);
        d->searches[i] = NULL;
    }
}

void discovery_dispatch(struct discovery *d, const struct discovery_handler *handler, void *ctx,
                        uint64_t utc_us) {
    uint64_t now_us = alarm_clock_us();
    alarm_clear(&d->alarm);
    tell_events(d, handler, ctx);
    size_t values = 0;
    for (size_t n = 0; n < MAILS_A_DISPATCH && values < DISCOVERY_VALUES_A_DISPATCH; n++) {
        struct mail *mail = mailbox_take(d->mailbox);
        if (mail == NULL) break;
        values += take_mail(d, mail, now_us, utc_us, handler, ctx);
        free(mail);
        tell_events(d, handler, ctx);
    }
    expire(d, now_us, handler, ctx);
    release_waiting(d);
    free_forgotten(d);
    try_hosts(d, now_us);
    tell_events(d, handler, ctx);
    alarm_update(d);
}

static struct search *search_of(struct discovery *d, const struct public_key *channel) {
    struct search **unused = NULL;
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        struct search *s = d->searches[i];
        if (s == NULL)
            unused = &d->searches[i];
        else if (!s->forgotten && public_key_equal(&s->channel, channel))
            return s;
    }
    return unused == NULL ? NULL : (*unused = search_new(channel));
}

int discovery_find(struct discovery *d, const struct public_key *channel, uint64_t utc_us) {
    struct search *s = search_of(d, channel);
    if (s == NULL) return ERR_FULL;
    d->stats.gets += search_want(s, utc_us, alarm_clock_us());
    release_waiting(d);
    alarm_update(d);
    return 0;
}

void discovery_forget(struct discovery *d, const struct public_key *channel) {
    for (size_t i = 0; i < DISCOVERY_CHANNELS_MAX; i++) {
        struct search *s = d->searches[i];
        if (s != NULL && public_key_equal(&s->channel, channel)) s->forgotten = true;
    }
    /* A step may be running with it: it is freed at the end of the next, which comes at once. */
    alarm_set(&d->alarm, 0);
}

int discovery_put(struct discovery *d, const struct record_key *key, const void *data, size_t len) {
    int err = put_queue_add(&d->puts, key, data, len, alarm_clock_us());
    if (err) return err;
    release_waiting(d);
    alarm_update(d);
    return 0;
}
