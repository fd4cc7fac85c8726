/* bench_udp - datagrams a second and CPU time a datagram over loopback, with and without offload.
 *
 * One thread sends a batch and receives it, so the figures are for both ends together. The first
 * argument is how many datagrams (default 500,000). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/io/udp.h"

#define WINDOW 64 /* in flight: fits any receive buffer */
#define SIZE 1200

static uint64_t clock_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

struct flow {
    struct endpoint to;
    size_t left;
};

static size_t pull(void *ctx, struct datagram *ret) {
    struct flow *f = ctx;
    if (f->left == 0) return 0;
    f->left--;
    ret->peer = f->to;
    memset(ret->data, (int)f->left, 64);
    return ret->len = SIZE;
}

static void count(void *ctx, const struct datagram *d) { *(size_t *)ctx += d->len == SIZE; }

static int run(size_t total, bool offload) {
    struct udp *a = NULL, *b = NULL;
    char why[UDP_WHY_MAX];
    if (udp_open(&a, "127.0.0.1:0", why) || udp_open(&b, "127.0.0.1:0", why)) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    udp_set_offload(a, offload);
    udp_set_offload(b, offload);
    size_t received = 0;
    uint64_t start_us = clock_us(CLOCK_MONOTONIC), cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    while (udp_counters(a)->datagrams_out < total) {
        struct flow flow = {.to = udp_local(b), .left = WINDOW};
        udp_send_from(a, pull, &flow);
        udp_receive(b, count, &received, SIZE_MAX);
    }
    double wall_s = (double)(clock_us(CLOCK_MONOTONIC) - start_us) / 1e6;
    double cpu_s = (double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us) / 1e6;
    const struct udp_counters *out = udp_counters(a), *in = udp_counters(b);
    printf(
        "offload %-3s gso %d gro %d: %.0f datagrams/s, %.3f us CPU a datagram (send and receive), "
        "%.2f + %.2f calls a window, received %.2f %%\n",
        offload ? "on" : "off", out->gso_active, in->gro_active,
        (double)out->datagrams_out / wall_s, cpu_s * 1e6 / (double)out->datagrams_out,
        (double)(out->send_calls * WINDOW) / (double)out->datagrams_out,
        (double)(in->receive_calls * WINDOW) / (double)out->datagrams_out,
        100.0 * (double)received / (double)out->datagrams_out);
    udp_close(a);
    udp_close(b);
    return 0;
}

int main(int argc, char **argv) {
    size_t total = argc > 1 ? strtoul(argv[1], NULL, 10) : 500000;
    return run(total, true) || run(total, false);
}
