/* network_internal.h - what the files of the simulated network share.
 *
 * network.c has its life and its settings, network_address.c who is reached at an address,
 * network_send.c what becomes of a datagram that leaves, network_run.c what happens at its time. */
#ifndef NETWORK_INTERNAL_H
#define NETWORK_INTERNAL_H

#include "tests/lib/network.h"
#include "tests/lib/network_pairs.h"
#include "tests/lib/network_parcel.h"
#include "tests/lib/network_queue.h"

#define NETWORK_OUTSIDE UINT32_MAX /* no host */
#define NETWORK_ARMED_MAX 4

enum network_event_kind {
    NETWORK_ARRIVAL,  /* of a parcel at the host or its downlink */
    NETWORK_DELIVERY, /* of a parcel that has left the downlink */
    NETWORK_DEADLINE, /* of a host, unless it was put off */
    NETWORK_RESUMED,  /* a host is no longer busy, and something waits */
    NETWORK_CALL,
};

/* In lines of a cache by what happens: all of it; a deadline; a datagram sent; one received. */
struct network_station {
    _Alignas(64) struct network_host host;
    uint64_t deadline_us; /* as the host last said */
    uint64_t busy_ns;     /* until when it is */
    bool is_attached, has_uplink, has_downlink, is_resuming;
    uint8_t armed_len;
    uint16_t backlog_len; /* parcels that wait while it is busy */

    uint64_t armed_us[NETWORK_ARMED_MAX]; /* events in the queue, the soonest last */
    struct rng rng;

    struct network_pipe uplink, downlink;

    uint64_t served_us; /* when its deadline was last served */
    uint64_t uplink_bytes;
    uint32_t spins; /* deadlines served at this very moment */
    uint32_t uplink_dropped, downlink_dropped;
    uint32_t backlog_first, backlog_last;
};

struct network_call {
    void (*run)(void *context);
    void *context;
    uint32_t next; /* of the free ones */
};

/* A host that is not at its first address. */
struct network_moved {
    struct endpoint endpoint;
    uint32_t host, next; /* in its bucket; 0 ends it */
};

struct network {
    uint64_t now_us, trace, events;
    uint32_t hosts_len;
    unsigned overhead;
    bool has_downlinks; /* any of them */
    struct network_station *hosts;
    uint64_t (*take_ns)(void);
    void (*prefetch)(const void *context, unsigned stage, const uint8_t *data, size_t len);
    bool (*tap)(void *context, unsigned from, const struct datagram *d);
    void *tap_context;
    struct network_counts counts;

    struct network_path path;
    void (*path_model)(void *context, unsigned from, unsigned to, struct network_path *ret);
    void *path_context;
    uint32_t paths_version;
    struct network_pairs pairs;

    struct network_queue queue;
    struct network_parcels parcels;
    struct network_call *calls;
    uint32_t calls_len, calls_max, free_call; /* index + 1 */

    struct network_moved *moved; /* the first is never used */
    uint32_t moved_len, moved_max;
    uint32_t *moved_buckets, buckets_len; /* NULL until a host has moved, like the next */
    uint32_t *moved_of;                   /* of each host; 0: it never moved */
};

/* Of the host that has the address now, or NETWORK_OUTSIDE. */
uint32_t network_host_at(const struct network *n, const struct endpoint *e);
void network_addresses_release(struct network *n);

/* Sends the parcel from the host's address at `at_us` or later; takes it over. */
void network_send(struct network *n, unsigned from, struct network_parcel *parcel,
                  const struct endpoint *peer, uint64_t at_us);
void network_trace_event(struct network *n, struct network_event e);

static inline uint64_t network_busy_us(const struct network_station *s) {
    return (s->busy_ns + 999) / 1000;
}

#endif
