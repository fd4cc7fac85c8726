/* What a datagram costs: one link sends full cells to another in this process, acknowledgements
 * included. Prints nanoseconds of processor time for each cell, both ends together. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/link/link_internal.h"

#define CELLS 1000000u

struct end {
    struct sign_key key;
    struct links *links;
    struct link *link;
    unsigned cells, lost;
};

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    (void)now_us;
    ((struct end *)owner)->link = link;
}

static void on_cell(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us) {
    (void)link;
    (void)data;
    (void)len;
    (void)now_us;
    ((struct end *)owner)->cells++;
}

static void on_lost(void *owner, struct link *link, uint64_t token, uint64_t now_us) {
    (void)link;
    (void)token;
    (void)now_us;
    ((struct end *)owner)->lost++;
}

static const struct link_handler handler = {.opened = on_opened, .cell = on_cell, .lost = on_lost};

static struct endpoint address(uint16_t port) {
    return (struct endpoint){.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}, .port = port};
}

static int end_start(struct end *e, uint8_t number) {
    uint8_t seed[32] = {number};
    sign_key_from_seed(&e->key, seed);
    struct links_config config = {
        .identity = &e->key, .random = random_from_seed(seed), .handler = &handler, .owner = e};
    e->links = links_new(&config, US_PER_S);
    return e->links != NULL ? 0 : -1;
}

static uint64_t carry(struct end *from, struct end *to, uint16_t port, uint64_t now_us) {
    uint8_t buffer[DATAGRAM_MAX];
    struct datagram d = {.data = buffer, .capacity = sizeof buffer};
    uint64_t n = 0;
    for (; links_transmit(from->links, &d, now_us) > 0; n++) {
        d.peer = address(port);
        links_receive(to->links, &d, now_us);
    }
    return n;
}

static void cell_send(struct end *from, struct end *to, uint64_t now_us) {
    static const uint8_t header[8] = {0x80}, payload[1120];
    uint8_t buffer[DATAGRAM_MAX];
    struct datagram d = {.data = buffer, .capacity = sizeof buffer};
    if (link_begin(from->link, &d, now_us) != 0) return;
    int err = link_add_cell(from->link, header, sizeof header, payload, sizeof payload, 1);
    if (link_finish(from->link, now_us) == 0 || err) return;
    d.peer = address(1);
    links_receive(to->links, &d, now_us);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void) {
    struct end *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    if (a == NULL || b == NULL || random_start() || end_start(a, 1) || end_start(b, 2)) return 1;
    struct endpoint to = address(2);
    uint64_t now_us = US_PER_S, acks = 0;
    if (links_dial(a->links, &b->key.public, &to, now_us) == NULL) return 1;
    for (int i = 0; i < 4; i++) {
        carry(a, b, 1, now_us);
        carry(b, a, 2, now_us);
    }
    if (a->link == NULL || b->link == NULL) return 1;
    double start = seconds();
    for (unsigned i = 0; i < CELLS; i++) {
        cell_send(a, b, now_us);
        now_us += 20;
        acks += carry(b, a, 2, now_us);
    }
    double spent = seconds() - start;
    printf("link: %.0f ns a cell, sealed, opened and acknowledged (%u cells, %lu acknowledgements, "
           "%u lost), %zu bytes of state a link\n",
           spent * 1e9 / CELLS, b->cells, (unsigned long)acks, a->lost, sizeof(struct link));
    links_free(a->links);
    links_free(b->links);
    free(a);
    free(b);
    return 0;
}
