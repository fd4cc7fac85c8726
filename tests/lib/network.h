/* network.h - a simulated network: datagrams between numbered hosts in virtual time.
 *
 * Every directed pair of hosts is a path with delay, jitter, loss, an MTU and a rate with a finite
 * queue; besides, each host may have an uplink and a downlink that all of its paths share. A
 * datagram passes the sender's uplink and the pair's path when it is sent; its receiver's downlink
 * it enters when it arrives there. A host is anything sans-IO: it takes datagrams and the time,
 * and is asked for datagrams and a deadline. Hosts are run at their deadlines and after each
 * datagram, never in between; work takes no time unless network_set_processing says so.
 * Events have a total order: time, then order of their making; a deadline counts as made when the
 * host was last put off to a later one or asked for an earlier one. All chance comes from the seed,
 * by a generator for each host, and arithmetic is of integers: the same seed gives the same run
 * with every compiler, which network_trace tells. A host costs 320 bytes, a pair that is in
 * use 100 to 200, a datagram on its way at most 1,550.
 * Invariant: virtual time never goes back. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>

#include "core/base/endpoint.h"

#define NETWORK_HOSTS_MAX 200000
#define NETWORK_SPINS_MAX 100       /* wakes of one host at one moment: more is a busy loop */
#define NETWORK_TRANSMIT_MAX 100000 /* datagrams of one host at one moment: more is a loop */
#define NETWORK_BACKLOG_MAX 1000    /* datagrams that wait for a busy host: its socket's buffer */
#define NETWORK_STAGES 9            /* of fetching what an event needs into the cache */

struct network;

struct network_path {
    uint64_t delay_us;  /* less than 2^32, like jitter_us */
    uint64_t jitter_us; /* up to this much more, uniform */
    bool is_ordered;    /* jitter holds up what comes behind instead of reordering it */
    double loss;        /* probability, kept as a multiple of 2^-31 */
    double loss_burst;  /* mean length of a burst of losses in datagrams (Gilbert's model, whose
                           mean loss is `loss`); at most 1: each for itself */
    uint64_t rate_bps;  /* of datagrams with the overhead; 0: no limit */
    uint64_t queue_us;  /* at that rate; what would wait longer is dropped */
    uint16_t mtu;       /* what is larger, with the overhead, is dropped; 0: none */
    bool is_cut;        /* nothing passes */
};

struct network_host {
    void *context;
    /* The bytes are the network's and stand until it returns. */
    void (*receive)(void *context, const struct datagram *d, uint64_t now_us);
    /* Called when the deadline has come. */
    void (*expire)(void *context, uint64_t now_us);
    uint64_t (*deadline)(void *context);
    /* Fills `ret`; 0 when there is nothing to send now. */
    size_t (*transmit)(void *context, struct datagram *ret, uint64_t now_us);
};

struct network_counts {
    uint64_t sent, delivered; /* datagrams, like the next two lines */
    uint64_t lost, overflowed, oversized, cut, unroutable;
    uint64_t refused;                     /* by a busy host whose backlog was full */
    uint64_t bytes_sent, bytes_delivered; /* of UDP payload */
    uint64_t wakes;                       /* of a host, by its deadline */
};

/* Addresses are 10.0.0.1 and so on, port 7000. `path` is that of all pairs. */
struct network *network_new(uint64_t seed, unsigned hosts, const struct network_path *path);
void network_free(struct network *n);
/* Hosts without one swallow what comes; `host` is copied. */
void network_attach(struct network *n, unsigned at, const struct network_host *host);
void network_detach(struct network *n, unsigned at);

uint64_t network_now(const struct network *n);
struct endpoint network_endpoint(const struct network *n, unsigned host);
/* Who is reached at an address now; false: nobody. */
bool network_find(const struct network *n, const struct endpoint *e, unsigned *ret);
/* The host sends from here and is reached here from now on, as after a NAT has rebound it. An
 * address that two have belongs to the one that moved there last. */
void network_move(struct network *n, unsigned host, const struct endpoint *to);

/* From now on; what is on its way keeps its time. Comes before the path model. */
void network_set_path(struct network *n, unsigned from, unsigned to,
                      const struct network_path *path);
/* Asked when a pair is first used and may be asked again when it was idle for a minute, so it must
 * give the same answer until network_paths_changed. `ret` has network_new's path. */
void network_set_path_model(struct network *n,
                            void (*path)(void *context, unsigned from, unsigned to,
                                         struct network_path *ret),
                            void *context);
/* Every pair is asked for anew when it is used next: for partitions that begin or heal. */
void network_paths_changed(struct network *n);
struct network_path network_path(const struct network *n, unsigned from, unsigned to);
/* Shared by all that the host sends, or all that it receives; delay, jitter and loss come on top
 * of the pairs'. */
void network_set_uplink(struct network *n, unsigned host, const struct network_path *uplink);
void network_set_downlink(struct network *n, unsigned host, const struct network_path *downlink);
/* Header bytes of a datagram (28 for IPv4 and UDP) that count for rates and MTUs; at first 0. */
void network_set_datagram_overhead(struct network *n, unsigned bytes);
/* How long a datagram sent now would wait in the uplink and the path before it is on its way. */
uint64_t network_queue_us(const struct network *n, unsigned from, unsigned to);
/* What calls of a host cost: read after each of them that works (receive, expire, transmit), it
 * gives the nanoseconds since it was last read. The host is busy for as long: what it sends leaves
 * no earlier than that, and datagrams and deadlines wait. NULL, as at first: no time. */
void network_set_processing(struct network *n, uint64_t (*take_ns)(void));

/* Called with a host's context NETWORK_STAGES times, counting up, some events before a datagram
 * comes (`data` is its bytes) or a deadline (NULL): asks the cache for what will be needed, by what
 * the stage before has fetched, so that memory comes while other hosts work. Changes nothing. */
void network_set_prefetch(struct network *n, void (*prefetch)(const void *context, unsigned stage,
                                                              const uint8_t *data, size_t len));

/* Sends from outside of a host, as an attacker does; `from` may be any address. */
void network_inject(struct network *n, const struct endpoint *from, unsigned to, const void *data,
                    size_t len);
/* Sees each datagram as it is sent; returns whether it goes on. */
void network_set_tap(struct network *n,
                     bool (*tap)(void *context, unsigned from, const struct datagram *d),
                     void *ctx);
/* Calls `run` at a time, at once where it has passed. */
void network_at(struct network *n, uint64_t at_us, void (*run)(void *context), void *context);
/* To be called after a host was given something to do from outside of its callbacks. */
void network_wake(struct network *n, unsigned host);

/* Runs until `until_us`, or until `done` (may be NULL) says so after an event; returns whether it
 * did. */
bool network_run(struct network *n, uint64_t until_us, bool (*done)(void *context), void *context);

void network_counts(const struct network *n, struct network_counts *ret);
/* Handled so far: arrivals, waits that ended, deadlines and calls. */
uint64_t network_events(const struct network *n);
/* What has left the host, with the overhead. */
uint64_t network_uplink_sent_bytes(const struct network *n, unsigned host);
/* Datagrams that its uplink, or its downlink, did not let pass. */
uint64_t network_uplink_dropped(const struct network *n, unsigned host);
uint64_t network_downlink_dropped(const struct network *n, unsigned host);
/* A hash over the events so far: time, hosts and length of each, and the first and last 16 bytes
 * of each datagram sent. */
uint64_t network_trace(const struct network *n);

#endif
