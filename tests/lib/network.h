/* network.h - a simulated network: datagrams between numbered hosts in virtual time.
 *
 * Every directed pair of hosts is a path with delay, jitter, loss and a rate with a finite queue;
 * besides, each host may have an uplink that all of its paths share. A host is anything sans-IO: it
 * takes datagrams and the time, and is asked for datagrams and a deadline. Hosts are run at their
 * deadlines and after each datagram, never in between.
 * Events have a total order (time, then order of their making; then hosts by number), and all
 * chance comes from the seed: the same seed gives the same run, which network_trace tells.
 * Invariant: virtual time never goes back. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>

#include "core/base/endpoint.h"

#define NETWORK_HOSTS_MAX 1000
#define NETWORK_SPINS_MAX 100       /* wakes of one host at one moment: more is a busy loop */
#define NETWORK_TRANSMIT_MAX 100000 /* datagrams of one host at one moment: more is a loop */

struct network;

struct network_path {
    uint64_t delay_us;
    uint64_t jitter_us; /* up to this much more, uniform */
    bool is_ordered;    /* jitter holds up what comes behind instead of reordering it */
    double loss;        /* probability */
    uint64_t rate_bps;  /* of UDP payload; 0: no limit */
    uint64_t queue_us;  /* at that rate; what would wait longer is dropped */
};

struct network_host {
    void *context;
    void (*receive)(void *context, const struct datagram *d, uint64_t now_us);
    /* Called when the deadline has come. */
    void (*expire)(void *context, uint64_t now_us);
    uint64_t (*deadline)(void *context);
    /* Fills `ret`; 0 when there is nothing to send now. */
    size_t (*transmit)(void *context, struct datagram *ret, uint64_t now_us);
};

struct network_counts {
    uint64_t sent, delivered, lost, overflowed, unroutable; /* datagrams */
    uint64_t bytes_sent, bytes_delivered;
    uint64_t wakes; /* of a host, by its deadline */
};

struct network *network_new(uint64_t seed, unsigned hosts, const struct network_path *path);
void network_free(struct network *n);
/* Hosts without one swallow what comes; `host` is copied. */
void network_attach(struct network *n, unsigned at, const struct network_host *host);
void network_detach(struct network *n, unsigned at);

uint64_t network_now(const struct network *n);
/* 10.0.0.1 and so on, port 7000. */
struct endpoint network_endpoint(const struct network *n, unsigned host);
/* The host sends from here and is reached here from now on, as after a NAT has rebound it. */
void network_move(struct network *n, unsigned host, const struct endpoint *to);
/* From now on; what is on its way keeps its time. */
void network_set_path(struct network *n, unsigned from, unsigned to,
                      const struct network_path *path);
struct network_path network_path(const struct network *n, unsigned from, unsigned to);
/* Shared by all of the host's paths; delay, jitter and loss come on top of theirs. */
void network_set_uplink(struct network *n, unsigned host, const struct network_path *uplink);
/* How long a datagram sent now would wait before it is on its way. */
uint64_t network_queue_us(const struct network *n, unsigned from, unsigned to);

/* Sends from outside of a host, as an attacker does; `from` may be any address. */
void network_inject(struct network *n, const struct endpoint *from, unsigned to, const void *data,
                    size_t len);
/* Sees each datagram as it is sent; returns whether it goes on. */
void network_set_tap(struct network *n,
                     bool (*tap)(void *context, unsigned from, const struct datagram *d),
                     void *ctx);
/* Calls `run` at a time, before the datagrams of that time. */
void network_at(struct network *n, uint64_t at_us, void (*run)(void *context), void *context);
/* To be called after a host was given something to do from outside of its callbacks. */
void network_wake(struct network *n, unsigned host);

/* Runs until `until_us`, or until `done` (may be NULL) says so after an event; returns whether it
 * did. */
bool network_run(struct network *n, uint64_t until_us, bool (*done)(void *context), void *context);

void network_counts(const struct network *n, struct network_counts *ret);
/* FNV-1a over the time, hosts and bytes of every datagram sent so far. */
uint64_t network_trace(const struct network *n);

#endif
