#include "tests/lib/network.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/lib/network_internal.h"
#include "tests/lib/network_memory.h"

#define CALLS_FIRST 64u

_Static_assert(NETWORK_HOSTS_MAX <= NETWORK_QUEUE_HOST_MAX, "an event holds any host");
_Static_assert(DATAGRAM_MAX <= NETWORK_QUEUE_LEN_MAX, "an event holds any length");

struct network *network_new(uint64_t seed, unsigned hosts, const struct network_path *path) {
    assert(hosts > 0 && hosts <= NETWORK_HOSTS_MAX);
    struct network *n = network_memory(sizeof *n);
    n->path = *path;
    n->hosts_len = hosts;
    n->hosts = network_memory(hosts * sizeof *n->hosts);
    struct rng rng = rng_init(seed);
    n->trace = rng_u64(&rng);
    for (unsigned i = 0; i < hosts; i++) {
        n->hosts[i].deadline_us = TIME_NEVER;
        n->hosts[i].served_us = TIME_NEVER;
        n->hosts[i].rng = rng_split(&rng);
    }
    network_queue_init(&n->queue);
    return n;
}

void network_free(struct network *n) {
    if (n == NULL) return;
    network_queue_release(&n->queue);
    network_parcels_release(&n->parcels);
    network_pairs_release(&n->pairs);
    network_addresses_release(n);
    free(n->calls);
    free(n->hosts);
    free(n);
}

uint64_t network_now(const struct network *n) { return n->now_us; }

void network_set_path_model(struct network *n,
                            void (*path)(void *context, unsigned from, unsigned to,
                                         struct network_path *ret),
                            void *context) {
    n->path_model = path;
    n->path_context = context;
    network_paths_changed(n);
}

void network_paths_changed(struct network *n) { n->paths_version++; }

void network_set_uplink(struct network *n, unsigned host, const struct network_path *uplink) {
    n->hosts[host].has_uplink = true;
    network_pipe_set(&n->hosts[host].uplink, uplink);
}

void network_set_downlink(struct network *n, unsigned host, const struct network_path *downlink) {
    n->has_downlinks = n->hosts[host].has_downlink = true;
    network_pipe_set(&n->hosts[host].downlink, downlink);
}

void network_set_datagram_overhead(struct network *n, unsigned bytes) { n->overhead = bytes; }

void network_set_processing(struct network *n, uint64_t (*take_ns)(void)) { n->take_ns = take_ns; }

void network_set_prefetch(struct network *n, void (*prefetch)(const void *context, unsigned stage,
                                                              const uint8_t *data, size_t len)) {
    n->prefetch = prefetch;
}

void network_set_tap(struct network *n,
                     bool (*tap)(void *context, unsigned from, const struct datagram *d),
                     void *ctx) {
    n->tap = tap;
    n->tap_context = ctx;
}

void network_at(struct network *n, uint64_t at_us, void (*run)(void *context), void *context) {
    uint32_t call = n->free_call;
    if (call != 0) {
        n->free_call = n->calls[call - 1].next;
    } else {
        if (n->calls_len == n->calls_max) {
            uint32_t max = n->calls_max ? 2 * n->calls_max : CALLS_FIRST;
            n->calls = network_memory_grow(n->calls, n->calls_max * sizeof *n->calls,
                                           max * sizeof *n->calls);
            n->calls_max = max;
        }
        call = ++n->calls_len;
    }
    n->calls[call - 1] = (struct network_call){.run = run, .context = context};
    network_queue_add(&n->queue, (struct network_event){.at_us = u64_max(at_us, n->now_us),
                                                        .index = call - 1,
                                                        .kind = NETWORK_CALL});
}

void network_counts(const struct network *n, struct network_counts *ret) { *ret = n->counts; }
uint64_t network_events(const struct network *n) { return n->events; }
uint64_t network_trace(const struct network *n) { return n->trace; }

uint64_t network_uplink_sent_bytes(const struct network *n, unsigned host) {
    return n->hosts[host].uplink_bytes;
}

uint64_t network_uplink_dropped(const struct network *n, unsigned host) {
    return n->hosts[host].uplink_dropped;
}

uint64_t network_downlink_dropped(const struct network *n, unsigned host) {
    return n->hosts[host].downlink_dropped;
}
