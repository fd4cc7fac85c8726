/* host_find.c - how a host finds peers: the DHT, hints in the link, peers of earlier runs; and how
 * it lets itself be found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/host_internal.h"
#include "cli/log.h"
#include "cli/xdg.h"
#include "core/base/err.h"

#define PUBLIC_BOOTSTRAP "bootstrap.jami.net:4222" /* OpenDHT's public network */
#define REMEMBERED_TRIED 32
#define SAVE_EVERY_S 60
#define US_TO_S(us) ((us) / US_PER_S)

void find_seen(struct host *h) {
    if (h->holder_us == STATS_NONE) h->holder_us = u64_sub(loop_refresh(h->loop), h->start_us);
}

static int channel_of(const struct host *h, const struct public_key *key) {
    for (int i = 0; i < h->channels_len; i++)
        if (public_key_equal(node_channel_key(h->node, i), key)) return i;
    return ERR_NOT_FOUND;
}

static void count_holder(struct host *h, const struct public_key *peer) {
    for (unsigned i = 0; i < h->holders_len; i++)
        if (public_key_equal(&h->holders[i], peer)) return;
    if (h->holders_len < HOST_HOLDERS_MAX) h->holders[h->holders_len++] = *peer;
}

static void on_holder(void *ctx, const struct public_key *channel, uint64_t epoch,
                      const struct holder *holder, uint64_t age_s) {
    struct host *h = ctx;
    int at = channel_of(h, channel);
    (void)epoch;
    (void)age_s;
    if (at < 0 || public_key_equal(&holder->peer, &h->identity.sign.public)) return;
    find_seen(h);
    count_holder(h, &holder->peer);
    node_holders_found(h->node, at, holder, 1, loop_now_us(h->loop));
}

static void on_entry(void *ctx, const struct public_key *channel, const struct entry *entry) {
    struct host *h = ctx;
    int at = channel_of(h, channel);
    for (size_t i = 0; at >= 0 && i < entry->holders_len; i++) {
        if (public_key_equal(&entry->holders[i].peer, &h->identity.sign.public)) continue;
        find_seen(h);
        count_holder(h, &entry->holders[i].peer);
        node_peer_found(h->node, at, &entry->holders[i].peer, &entry->holders[i].endpoint,
                        loop_now_us(h->loop));
    }
}

static void on_search_done(void *ctx, const struct public_key *channel,
                           const struct discovery_search *search) {
    (void)ctx;
    (void)channel;
    log_debug("dht", "searched: values=%llu valid=%llu refused=%llu ms=%llu",
              (unsigned long long)search->values, (unsigned long long)search->valid,
              (unsigned long long)search->refused,
              (unsigned long long)(search->duration_us / US_PER_MS));
}

static void say_unreachable(const struct hosts *hosts) {
    size_t others = hosts->is_set && hosts->len > 1 ? hosts->len - 1 : 0;
    char more[32] = "";
    if (others > 0) snprintf(more, sizeof more, " nor %zu more", others);
    log_warn("dht",
             "no answer from the bootstrap node %s%s; asked again now and then, and peers "
             "that are known are tried meanwhile",
             hosts->is_set && hosts->len > 0 ? hosts->text[0] : PUBLIC_BOOTSTRAP, more);
}

static void on_state(void *ctx, enum discovery_event event) {
    const struct host *h = ctx;
    switch (event) {
    case DISCOVERY_UNREACHABLE: say_unreachable(&h->options->bootstrap); break;
    case DISCOVERY_RECOVERED: log_info("dht", "a bootstrap node answers again"); break;
    case DISCOVERY_CONNECTED: log_debug("dht", "connected"); break;
    case DISCOVERY_DISCONNECTED: log_debug("dht", "disconnected"); break;
    }
}

static const struct discovery_handler handler = {
    .holder = on_holder,
    .entry = on_entry,
    .search_done = on_search_done,
    .state = on_state,
};

static void on_discovery(void *ctx, unsigned ready, uint64_t now_us) {
    struct host *h = ctx;
    (void)ready;
    (void)now_us;
    discovery_dispatch(h->discovery, &handler, h, loop_utc_us());
    host_pump(h);
}

static int open_discovery(struct host *h) {
    const struct hosts *hosts = &h->options->bootstrap;
    const char *bootstrap[HOSTS_MAX] = {PUBLIC_BOOTSTRAP};
    size_t len = hosts->is_set ? hosts->len : 1;
    for (size_t i = 0; hosts->is_set && i < len; i++) bootstrap[i] = hosts->text[i];
    char name[HOST_TEXT_MAX], state[PATH_MAX], why[DISCOVERY_WHY_MAX];
    snprintf(name, sizeof name, "dht-%s", h->config.role_name);
    bool keeps = xdg_path(XDG_STATE, name, state) == 0 && xdg_make_folders(state) == 0;
    struct discovery_config config = {
        .port = (uint16_t)h->options->dht_port,
        .bootstrap = bootstrap,
        .bootstrap_len = len,
        .lookup = lookup_start,
        .state_path = keeps ? state : NULL,
        .is_bootstrap = h->config.is_bootstrap,
    };
    int err = discovery_open(&h->discovery, &config, why);
    if (err) {
        log_error("--dht-port: %s", why);
        return err;
    }
    h->discovery_watch = loop_watch_new(h->loop, discovery_fd(h->discovery), on_discovery, h);
    if (h->discovery_watch == NULL) return ERR_MEMORY;
    loop_watch_want(h->discovery_watch, LOOP_READ);
    return 0;
}

static void open_remembered(struct host *h) {
    h->remembered = remembered_new();
    if (h->remembered == NULL || xdg_path(XDG_STATE, "peers", h->remembered_path) != 0) return;
    int skipped = remembered_load(h->remembered, h->remembered_path, US_TO_S(loop_utc_us()));
    if (skipped > 0)
        log_warn("peers", "%s: %d lines are malformed and were skipped", h->remembered_path,
                 skipped);
    else if (skipped < 0 && skipped != ERR_NOT_FOUND)
        log_warn("peers", "%s: %s; no peer is remembered", h->remembered_path, err_text(skipped));
}

int find_open(struct host *h) {
    open_remembered(h);
    h->resolver = resolver_new(h->loop, NULL);
    if (h->resolver == NULL) return ERR_MEMORY;
    return open_discovery(h);
}

static void save(struct host *h) {
    if (!h->remembered_changed || h->remembered == NULL || h->remembered_path[0] == '\0') return;
    h->remembered_changed = false;
    int err = xdg_make_folders(h->remembered_path) == 0
                  ? remembered_save(h->remembered, h->remembered_path)
                  : ERR_SYSTEM;
    if (err) log_warn("peers", "%s: not saved: %s", h->remembered_path, err_text(err));
}

void find_close(struct host *h) {
    save(h);
    remembered_free(h->remembered);
    loop_watch_free(h->discovery_watch);
    discovery_free(h->discovery);
    resolver_free(h->resolver);
}

/* A question about a hint carries its channel with it. */
struct hint_question {
    struct host *host;
    int channel;
};

static void on_resolved(void *ctx, const char *text, int err, const struct endpoint *endpoints,
                        size_t len) {
    struct hint_question *q = ctx;
    struct host *h = q->host;
    if (err) log_warn("peers", "peer=%s: %s", text, err_text(err));
    for (size_t i = 0; i < len; i++)
        node_hint(h->node, q->channel, &endpoints[i], loop_now_us(h->loop));
    free(q);
    if (!err) host_pump(h);
}

static void ask_hint(struct host *h, int channel, const char *text) {
    struct hint_question *q = malloc(sizeof *q);
    if (q == NULL) return;
    *q = (struct hint_question){.host = h, .channel = channel};
    int err = resolver_ask(h->resolver, text, on_resolved, q);
    if (err == 0) return;
    log_warn("peers", "peer=%s: %s", text, err_text(err));
    free(q);
}

void find_join(struct host *h, int channel, const struct channel_link *link) {
    struct remembered_peer peers[REMEMBERED_TRIED];
    size_t len = h->remembered == NULL
                     ? 0
                     : remembered_peers(h->remembered, &link->channel, peers, REMEMBERED_TRIED);
    for (size_t i = 0; i < len; i++)
        node_peer_found(h->node, channel, &peers[i].peer, &peers[i].endpoint, loop_now_us(h->loop));
    for (size_t i = 0; i < link->peers_len; i++) ask_hint(h, channel, link->peers[i]);
}

static void remember(struct host *h, const struct node_event *e) {
    find_seen(h);
    if (h->remembered == NULL) return;
    struct remembered_peer peer = {.peer = e->peer,
                                   .endpoint = e->endpoint,
                                   .seen_s = US_TO_S(loop_utc_us()),
                                   .role = e->role};
    if (remembered_add(h->remembered, node_channel_key(h->node, e->channel), &peer) == 0)
        h->remembered_changed = true;
}

/* Discovery refuses more than it has room for; the next epoch's record comes in 30 s. */
static void said_refused(const char *what, int err) {
    if (err) log_debug("dht", "%s: %s", what, err_text(err));
}

void find_event(struct host *h, const struct node_event *e) {
    const struct public_key *channel = node_channel_key(h->node, e->channel);
    switch (e->type) {
    case NODE_EVENT_FIND:
        said_refused("find", discovery_find(h->discovery, channel, loop_utc_us()));
        break;
    case NODE_EVENT_ANNOUNCE:
        said_refused("announce", discovery_announce_holder(h->discovery, channel, e->epoch,
                                                           &e->holder, &h->identity.sign));
        break;
    case NODE_EVENT_ANNOUNCE_ENTRY:
        if (h->broadcast_key != NULL)
            said_refused("entry", discovery_announce_entry(h->discovery, channel, &e->entry,
                                                           h->broadcast_key));
        break;
    case NODE_EVENT_PEER_UP: remember(h, e); break;
    default: break;
    }
}

void find_second(struct host *h) {
    if (h->seconds_to_save > 0 && --h->seconds_to_save > 0) return;
    h->seconds_to_save = SAVE_EVERY_S;
    save(h);
}
