/* host.h - a node on the event loop: its socket, clock, DHT, remembered peers and figures.
 *
 * What broadcast, join, relay and info have in common. A command opens a host, joins channels on
 * its node, says what it wants to hear of, and runs it. All of it happens on the loop's one thread.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>

#include "cli/options.h"
#include "cli/stats.h"
#include "core/io/loop.h"
#include "core/proto/channel_link.h"
#include "core/swarm/node.h"

struct host;

/* What a command hears of; each may be NULL. */
struct host_handler {
    /* A manifest was taken: the first, a new version of it, or a new broadcast's. */
    void (*manifest)(void *ctx, int channel, bool new_broadcast);
    /* In order within its track; borrowed. */
    void (*fragment)(void *ctx, int channel, struct fragment *f);
    /* The broadcast has ended, and all of it was handed out. */
    void (*end)(void *ctx, int channel);
    /* (source) Another broadcast of the channel, with this higher id, is in the swarm. */
    void (*outbid)(void *ctx, uint64_t broadcast);
    /* A signal asks to stop: true to go on for a while, until host_stop or the next signal. */
    bool (*stopping)(void *ctx, int signal);
    /* Once a second, after the figures were taken; `s` may be completed before it is written. */
    void (*second)(void *ctx, struct stats *s, uint64_t now_us);
};

struct host_config {
    const struct options *options;
    uint8_t role;          /* enum peer_role */
    const char *role_name; /* for --stats: "source", "viewer", "relay", "bootstrap" */
    bool keeps_identity;   /* the peer id is kept from one run to the next */
    bool is_bootstrap;
    bool serves;             /* false: watches only, whatever --max-upload says */
    unsigned neighbours_max; /* 0: the node's default */
    size_t memory_max;       /* 0: the node's default */
    const struct host_handler *handler;
    void *ctx;
};

/* Binds the ports and starts the DHT node. On failure the reason was logged; returns an error. */
MUST_CHECK int host_open(struct host **ret, const struct host_config *config);
void host_close(struct host *h);

/* Takes part in the link's channel, tries its hints and the peers that are remembered. Returns the
 * channel's index, or an error that was logged. */
MUST_CHECK int host_join(struct host *h, const struct channel_link *link, bool plays);
/* Until SIGINT, SIGTERM or host_stop; then says goodbye to the peers. Returns 0 or ERR_SYSTEM. */
MUST_CHECK int host_run(struct host *h);
void host_stop(struct host *h);
/* After calls to the node from outside of the handler: takes its events, sends, sets the timer. */
void host_pump(struct host *h);

struct node *host_node(struct host *h);
struct loop *host_loop(struct host *h);
/* For the entry record: the source's broadcast key, borrowed. */
void host_set_broadcast_key(struct host *h, const struct sign_key *broadcast_key);
/* Where the page is, for the figures; borrowed. */
void host_set_http(struct host *h, const char *url);
/* Holders that the DHT named for the channel, and how long the first took; TIME_NEVER: none yet. */
uint64_t host_holder_us(const struct host *h);
unsigned host_holders(const struct host *h);
/* Bytes that the swarm's socket sent, over the last whole second, in bits a second. */
uint64_t host_upload_bps(const struct host *h);

/* The figures for /metrics. Returns the length or ERR_FULL. */
MUST_CHECK int host_metrics(const struct host *h, char *ret, size_t size);
unsigned host_dht_port(const struct host *h);

/* The line "link shoal:..." or "page http://..." on standard output, or on standard error where
 * standard output carries media. */
void host_announce_line(bool media_on_stdout, const char *word, const char *text);

#endif
