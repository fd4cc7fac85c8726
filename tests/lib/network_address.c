#include <stdlib.h>
#include <string.h>

#include "tests/lib/network_internal.h"
#include "tests/lib/network_memory.h"

#define PORT 7000
#define MOVED_FIRST 16u

static const uint8_t prefix[13] = {[10] = 0xff, 0xff, 10};

static struct endpoint first_endpoint(uint32_t host) {
    uint32_t number = host + 1;
    struct endpoint e = {.port = PORT};
    memcpy(e.ip, prefix, sizeof prefix);
    e.ip[13] = (uint8_t)(number >> 16);
    e.ip[14] = (uint8_t)(number >> 8);
    e.ip[15] = (uint8_t)number;
    return e;
}

static uint32_t *bucket_of(const struct network *n, const struct endpoint *e) {
    uint64_t words[2];
    memcpy(words, e->ip, sizeof words);
    uint64_t hash = (words[0] ^ words[1] * 0x9e3779b97f4a7c15ull ^ e->port) * 0xff51afd7ed558ccdull;
    return &n->moved_buckets[(hash >> 32) & (n->buckets_len - 1)];
}

static uint32_t moved_of(const struct network *n, uint32_t host) {
    return n->moved_of ? n->moved_of[host] : 0;
}

uint32_t network_host_at(const struct network *n, const struct endpoint *e) {
    if (n->moved_buckets != NULL)
        for (uint32_t i = *bucket_of(n, e); i != 0; i = n->moved[i].next)
            if (endpoint_equal(&n->moved[i].endpoint, e)) return n->moved[i].host;
    if (e->port != PORT || memcmp(e->ip, prefix, sizeof prefix) != 0) return NETWORK_OUTSIDE;
    uint32_t number = (uint32_t)e->ip[13] << 16 | (uint32_t)e->ip[14] << 8 | e->ip[15];
    if (number == 0 || number > n->hosts_len) return NETWORK_OUTSIDE;
    return moved_of(n, number - 1) == 0 ? number - 1 : NETWORK_OUTSIDE;
}

bool network_find(const struct network *n, const struct endpoint *e, unsigned *ret) {
    uint32_t host = network_host_at(n, e);
    if (host >= n->hosts_len) return false;
    *ret = host;
    return true;
}

struct endpoint network_endpoint(const struct network *n, unsigned host) {
    uint32_t moved = moved_of(n, host);
    return moved ? n->moved[moved].endpoint : first_endpoint(host);
}

static void buckets_make(struct network *n) {
    n->buckets_len = 64;
    while (n->buckets_len < n->hosts_len) n->buckets_len *= 2;
    n->moved_buckets = network_memory(n->buckets_len * sizeof *n->moved_buckets);
    n->moved_of = network_memory(n->hosts_len * sizeof *n->moved_of);
    n->moved_max = MOVED_FIRST;
    n->moved_len = 1;
    n->moved = network_memory(n->moved_max * sizeof *n->moved);
}

static void bucket_leave(struct network *n, uint32_t moved) {
    uint32_t *at = bucket_of(n, &n->moved[moved].endpoint);
    while (*at != moved) at = &n->moved[*at].next;
    *at = n->moved[moved].next;
}

void network_move(struct network *n, unsigned host, const struct endpoint *to) {
    if (n->moved_buckets == NULL) buckets_make(n);
    uint32_t moved = n->moved_of[host];
    if (moved != 0) {
        bucket_leave(n, moved);
    } else {
        if (n->moved_len == n->moved_max) {
            size_t bytes = n->moved_max * sizeof *n->moved;
            n->moved = network_memory_grow(n->moved, bytes, 2 * bytes);
            n->moved_max *= 2;
        }
        moved = n->moved_of[host] = n->moved_len++;
    }
    uint32_t *bucket = bucket_of(n, to);
    n->moved[moved] = (struct network_moved){.endpoint = *to, .host = host, .next = *bucket};
    *bucket = moved;
}

void network_addresses_release(struct network *n) {
    free(n->moved_buckets);
    free(n->moved_of);
    free(n->moved);
}
