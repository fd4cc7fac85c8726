#include <string.h>

#include "tests/lib/network_internal.h"

/* Odd constants of splitmix64 and MurmurHash3. */
#define MIX_1 0xbf58476d1ce4e5b9ull
#define MIX_2 0x94d049bb133111ebull
#define MIX_3 0xff51afd7ed558ccdull
#define MIX_4 0xc4ceb9fe1a85ec53ull
#define MIX_5 0x9e3779b97f4a7c15ull

static void trace_add(struct network *n, uint64_t word) {
    n->trace = (n->trace ^ word) * MIX_1;
    n->trace ^= n->trace >> 29;
}

void network_trace_event(struct network *n, struct network_event e) {
    trace_add(n, e.at_us * MIX_2 + ((uint64_t)e.kind << 32 | e.host) * MIX_3 + e.len * MIX_5);
}

/* Two words of 8 bytes. */
static uint64_t mix_16(const uint8_t *data) {
    uint64_t words[2];
    memcpy(words, data, sizeof words);
    return words[0] * MIX_2 + (words[1] ^ words[0] >> 32) * MIX_3;
}

static void trace_datagram(struct network *n, uint32_t from, uint32_t to,
                           const struct endpoint *peer, const struct network_parcel *p) {
    uint8_t few[16] = {0};
    const uint8_t *first = p->data, *last = p->data + p->len - 16;
    if (p->len < 16) {
        memcpy(few, p->data, p->len);
        first = last = few;
    }
    uint64_t who = (uint64_t)from << 32 | to;
    if (to == NETWORK_OUTSIDE) who ^= mix_16(peer->ip) + peer->port;
    trace_add(n, n->now_us * MIX_2 + who * MIX_3 + p->len * MIX_5);
    trace_add(n, mix_16(first) ^ mix_16(last) * MIX_4);
}

static void path_ask(const struct network *n, unsigned from, unsigned to,
                     struct network_path *ret) {
    *ret = n->path;
    if (n->path_model) n->path_model(n->path_context, from, to, ret);
}

/* The pair's pipe, whose path is that of now. */
static struct network_pipe *pipe_of(struct network *n, unsigned from, unsigned to) {
    struct network_pipe *p = network_pairs_find(&n->pairs, from, to);
    if (p != NULL && (p->is_own || p->version == n->paths_version)) return p;
    struct network_path path;
    path_ask(n, from, to, &path);
    if (p != NULL) {
        network_pipe_set(p, &path);
    } else {
        p = network_pairs_add(&n->pairs, from, to, n->now_us);
        network_pipe_start(p, &path, &n->hosts[from].rng);
    }
    p->version = n->paths_version;
    return p;
}

void network_set_path(struct network *n, unsigned from, unsigned to,
                      const struct network_path *path) {
    struct network_pipe *p = network_pairs_find(&n->pairs, from, to);
    if (p == NULL) p = network_pairs_add(&n->pairs, from, to, n->now_us);
    network_pipe_set(p, path);
    p->is_own = true;
}

struct network_path network_path(const struct network *n, unsigned from, unsigned to) {
    const struct network_pipe *p = network_pairs_find(&n->pairs, from, to);
    if (p != NULL && p->is_own) return network_pipe_path(p);
    struct network_path path;
    path_ask(n, from, to, &path);
    return path;
}

uint64_t network_queue_us(const struct network *n, unsigned from, unsigned to) {
    const struct network_pipe *p = network_pairs_find(&n->pairs, from, to);
    const struct network_station *s = &n->hosts[from];
    uint64_t queue_us = p == NULL ? 0 : network_pipe_queue_us(p, n->now_us);
    if (s->has_uplink) queue_us += network_pipe_queue_us(&s->uplink, n->now_us);
    return queue_us;
}

/* When it arrives; TIME_NEVER where it is dropped. */
static uint64_t pass(struct network *n, unsigned from, unsigned to, size_t bytes, uint64_t at_us) {
    struct network_station *s = &n->hosts[from];
    if (s->has_uplink) {
        at_us = network_pipe_pass(&s->uplink, &s->rng, bytes, at_us, &n->counts);
        if (at_us == TIME_NEVER) {
            s->uplink_dropped++;
            return TIME_NEVER;
        }
    }
    s->uplink_bytes += bytes;
    if (to == NETWORK_OUTSIDE) {
        n->counts.unroutable++;
        return TIME_NEVER;
    }
    return network_pipe_pass(pipe_of(n, from, to), &s->rng, bytes, at_us, &n->counts);
}

static bool tap_passes(struct network *n, unsigned from, struct network_parcel *p,
                       const struct endpoint *peer) {
    if (n->tap == NULL) return true;
    struct datagram d = {.peer = *peer, .data = p->data, .len = p->len, .capacity = p->len};
    return n->tap(n->tap_context, from, &d);
}

void network_send(struct network *n, unsigned from, struct network_parcel *parcel,
                  const struct endpoint *peer, uint64_t at_us) {
    n->counts.sent++;
    n->counts.bytes_sent += parcel->len;
    uint32_t to = network_host_at(n, peer);
    network_pairs_prefetch(&n->pairs, from, to);
    trace_datagram(n, from, to, peer, parcel);
    uint64_t arrival_us = TIME_NEVER;
    if (tap_passes(n, from, parcel, peer))
        arrival_us = pass(n, from, to, parcel->len + n->overhead, at_us);
    if (arrival_us == TIME_NEVER) {
        network_parcel_free(&n->parcels, parcel);
        return;
    }
    parcel->peer = network_endpoint(n, from);
    network_queue_add(&n->queue, (struct network_event){.at_us = arrival_us,
                                                        .index = parcel->index,
                                                        .host = to & NETWORK_QUEUE_HOST_MAX,
                                                        .len = parcel->len & NETWORK_QUEUE_LEN_MAX,
                                                        .kind = NETWORK_ARRIVAL});
}

void network_inject(struct network *n, const struct endpoint *from, unsigned to, const void *data,
                    size_t len) {
    struct network_parcel *p = network_parcel_new(&n->parcels, len);
    if (len > 0) memcpy(p->data, data, len);
    p = network_parcel_seal(&n->parcels, p, len);
    p->peer = *from;
    trace_datagram(n, NETWORK_OUTSIDE, to, from, p);
    network_queue_add(&n->queue, (struct network_event){.at_us = n->now_us,
                                                        .index = p->index,
                                                        .host = to & NETWORK_QUEUE_HOST_MAX,
                                                        .len = p->len & NETWORK_QUEUE_LEN_MAX,
                                                        .kind = NETWORK_ARRIVAL});
}
