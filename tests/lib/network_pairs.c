#include "tests/lib/network_pairs.h"

#include <stdlib.h>

#include "tests/lib/network_memory.h"

#define SIZE_FIRST 64u

static uint64_t key_of(unsigned from, unsigned to) { return (uint64_t)from << 32 | (to + 1u); }

/* Fibonacci hashing (Knuth, volume 3, 6.4). */
static size_t place_of(const struct network_pairs *p, uint64_t key) {
    unsigned bits = (unsigned)__builtin_ctzll(p->size);
    return (size_t)(key * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

void network_pairs_release(struct network_pairs *p) { free(p->pipes); }

void network_pairs_prefetch(const struct network_pairs *p, unsigned from, unsigned to) {
    if (p->size > 0) __builtin_prefetch(&p->pipes[place_of(p, key_of(from, to))]);
}

struct network_pipe *network_pairs_find(const struct network_pairs *p, unsigned from, unsigned to) {
    if (p->size == 0) return NULL;
    uint64_t key = key_of(from, to);
    for (size_t i = place_of(p, key); p->pipes[i].key != 0; i = (i + 1) & (p->size - 1))
        if (p->pipes[i].key == key) return &p->pipes[i];
    return NULL;
}

static struct network_pipe *place_free(struct network_pairs *p, uint64_t key) {
    size_t i = place_of(p, key);
    while (p->pipes[i].key != 0) i = (i + 1) & (p->size - 1);
    p->len++;
    return &p->pipes[i];
}

static bool is_idle(const struct network_pipe *p, uint64_t now_us) {
    return !p->is_own && p->last_us + NETWORK_PAIR_IDLE_US < now_us &&
           network_pipe_queue_us(p, now_us) == 0;
}

/* Forgets idle pairs, and makes the table as large as the others want it. */
static void rebuild(struct network_pairs *p, uint64_t now_us) {
    size_t busy = 0;
    for (size_t i = 0; i < p->size; i++)
        busy += p->pipes[i].key != 0 && !is_idle(&p->pipes[i], now_us);
    struct network_pairs grown = {.size = SIZE_FIRST};
    while (grown.size < 2 * (busy + 1)) grown.size *= 2;
    grown.pipes = network_memory(grown.size * sizeof *grown.pipes);
    for (size_t i = 0; i < p->size; i++) {
        const struct network_pipe *pipe = &p->pipes[i];
        if (pipe->key != 0 && !is_idle(pipe, now_us)) *place_free(&grown, pipe->key) = *pipe;
    }
    free(p->pipes);
    *p = grown;
}

struct network_pipe *network_pairs_add(struct network_pairs *p, unsigned from, unsigned to,
                                       uint64_t now_us) {
    if (3 * (p->len + 1) > 2 * p->size) rebuild(p, now_us);
    struct network_pipe *pipe = place_free(p, key_of(from, to));
    pipe->key = key_of(from, to);
    return pipe;
}
