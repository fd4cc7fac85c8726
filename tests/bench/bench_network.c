/* What the simulated network itself costs: hosts that do nothing but send datagrams of 1,200 bytes
 * at one of 16 neighbours each, 330 a second, over uplinks, downlinks and paths with jitter and
 * loss, as many as a 3 Mb/s stream has. Prints processor time for each datagram and the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/network.h"

#define NEIGHBOURS 16u
#define PERIOD_US (US_PER_S / 330)
#define LEN 1200

struct sender {
    struct network *network;
    uint64_t next_us;
    unsigned host, hosts, sent;
    uint64_t received;
};

static void on_receive(void *context, const struct datagram *d, uint64_t now_us) {
    (void)now_us;
    ((struct sender *)context)->received += d->data[0];
}

static void on_expire(void *context, uint64_t now_us) {
    (void)context;
    (void)now_us;
}

static uint64_t on_deadline(void *context) { return ((const struct sender *)context)->next_us; }

static size_t on_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct sender *s = context;
    if (now_us < s->next_us) return 0;
    s->next_us += PERIOD_US;
    unsigned to = (s->host + 1 + 7919 * (s->sent++ % NEIGHBOURS)) % s->hosts;
    ret->peer = network_endpoint(s->network, to);
    ret->data[0] = (uint8_t)s->sent;
    return ret->len = LEN;
}

static void path(void *context, unsigned from, unsigned to, struct network_path *ret) {
    (void)context;
    ret->delay_us = 5000 + (from * 31ull + to * 17ull) % 62000;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double resident_bytes(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;
    if (f == NULL || fscanf(f, "%lu %lu", &all, &resident) != 2) return 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int measure(unsigned hosts, uint64_t for_us) {
    double before = resident_bytes();
    struct sender *senders = calloc(hosts, sizeof *senders);
    if (senders == NULL) return 1;
    struct network *n = network_new(
        1, hosts, &(struct network_path){.jitter_us = 5000, .loss = 0.005, .loss_burst = 3});
    network_set_path_model(n, path, NULL);
    network_set_datagram_overhead(n, 28);
    double idle = resident_bytes();
    for (unsigned i = 0; i < hosts; i++) {
        struct network_path link = {.rate_bps = 10000000, .queue_us = 100000};
        network_set_uplink(n, i, &link);
        network_set_downlink(n, i, &link);
        senders[i] = (struct sender){
            .network = n, .host = i, .hosts = hosts, .next_us = 1 + i * 7919ull % PERIOD_US};
        network_attach(
            n, i,
            &(struct network_host){&senders[i], on_receive, on_expire, on_deadline, on_transmit});
    }
    (void)network_run(n, US_PER_S / 5, NULL, NULL);
    struct network_counts first, last;
    network_counts(n, &first);
    uint64_t events = network_events(n);
    double start = seconds();
    (void)network_run(n, network_now(n) + for_us, NULL, NULL);
    double spent = seconds() - start;
    network_counts(n, &last);
    printf("network: %u hosts, %.0f ns a datagram (%.1f M events/s), %.0f bytes a host, %.0f with "
           "%u pairs and 12 datagrams on their way each\n",
           hosts, spent * 1e9 / (double)(last.sent - first.sent),
           (double)(network_events(n) - events) / spent / 1e6, (idle - before) / hosts,
           (resident_bytes() - before) / hosts, NEIGHBOURS);
    network_free(n);
    free(senders);
    return 0;
}

int main(void) {
    return measure(1000, 10 * US_PER_S) || measure(10000, US_PER_S) ||
           measure(100000, US_PER_S / 5);
}
