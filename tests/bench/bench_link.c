/* What a datagram costs: one link sends full cells to another in this process, acknowledgements
 * included, while both ends hold idle links besides; after each datagram the ends are asked for
 * their deadline, expired and drained, as a node does. Prints nanoseconds of processor time for
 * each cell, both ends together, with and without what the sealing alone takes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/link/link_internal.h"

#define CELLS 500000u
#define IDLE_MAX 1000u

struct end {
    struct sign_key key;
    struct links *links;
    struct link *link; /* the last that was opened */
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

static void end_start(struct end *e, unsigned number) {
    *e = (struct end){0};
    uint8_t seed[32] = {(uint8_t)number, (uint8_t)(number >> 8)};
    sign_key_from_seed(&e->key, seed);
    struct links_config config = {.identity = &e->key,
                                  .random = random_from_seed(seed),
                                  .links_max = IDLE_MAX + 1,
                                  .handshakes_per_s = 100000,
                                  .handler = &handler,
                                  .owner = e};
    e->links = links_new(&config, US_PER_S);
    if (e->links == NULL) abort();
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

static void join(struct end *a, struct end *b, uint16_t port, uint64_t now_us) {
    struct endpoint to = address(port);
    if (links_dial(a->links, &b->key.public, &to, now_us) == NULL) abort();
    for (int i = 0; i < 4; i++) {
        carry(a, b, 1, now_us);
        carry(b, a, port, now_us);
    }
    if (a->link == NULL || link_state(a->link) != LINK_UP) abort();
}

static bool cell_send(struct end *from, struct datagram *d, uint64_t now_us) {
    static const uint8_t header[8] = {0x80}, payload[1120];
    if (link_begin(from->link, d, now_us) != 0) return false;
    int err = link_add_cell(from->link, header, sizeof header, payload, sizeof payload, 1);
    return link_finish(from->link, now_us) > 0 && !err;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nanoseconds to seal and open one full cell, and nothing else. */
static double crypto_ns(void) {
    static uint8_t data[LINK_DATAGRAM_SIZE];
    const struct seal_key key = {{1}};
    const size_t len = 1128;
    double start = seconds();
    for (unsigned i = 0; i < CELLS; i++) {
        seal(&key, i, data, PACKET_DATA_HEADER, data + PACKET_DATA_HEADER, len,
             data + PACKET_DATA_HEADER);
        int n = unseal(&key, i, data, PACKET_DATA_HEADER, data + PACKET_DATA_HEADER,
                       len + NOISE_TAG_BYTES, data + PACKET_DATA_HEADER);
        if (n != (int)len) abort();
    }
    return (seconds() - start) * 1e9 / CELLS;
}

/* What a node does after each datagram that came. */
static uint64_t turn(struct end *self, struct end *other, uint16_t port, uint64_t now_us) {
    if (links_deadline(self->links) <= now_us) links_expire(self->links, now_us);
    return carry(self, other, port, now_us);
}

static void run(unsigned idle, double sealing_ns) {
    struct end *ends = calloc(2 + 2 * idle, sizeof *ends);
    if (ends == NULL) abort();
    struct end *a = &ends[0], *b = &ends[1];
    uint64_t now_us = US_PER_S, acks = 0;
    for (unsigned i = 0; i < 2 + 2 * idle; i++) end_start(&ends[i], i + 1);
    for (unsigned i = 0; i < 2 * idle; i++)
        join(i % 2 ? b : a, &ends[2 + i], (uint16_t)(3 + i), now_us);
    join(a, b, 2, now_us);
    uint8_t buffer[DATAGRAM_MAX];
    struct datagram d = {.data = buffer, .capacity = sizeof buffer};
    unsigned cells = idle < 100 ? CELLS : CELLS / 10; /* all within the idle links' patience */
    double start = seconds();
    for (unsigned i = 0; i < cells; i++) {
        if (i % 40 == 0) now_us++;
        if (!cell_send(a, &d, now_us)) continue;
        d.peer = address(1);
        links_receive(b->links, &d, now_us);
        acks += turn(b, a, 2, now_us);
        turn(a, b, 1, now_us);
    }
    double ns = (seconds() - start) * 1e9 / cells;
    size_t memory = links_memory(a->links);
    printf("link: %u idle: %.0f ns a cell, %.0f without sealing (%u cells, %lu acknowledgements, "
           "%u lost, %zu bytes a link)\n",
           idle, ns, ns - sealing_ns, b->cells, (unsigned long)acks, a->lost, memory / (1 + idle));
    for (unsigned i = 0; i < 2 + 2 * idle; i++) links_free(ends[i].links);
    free(ends);
}

int main(void) {
    if (random_start()) return 1;
    double sealing_ns = crypto_ns();
    printf("link: %.0f ns to seal and open a cell\n", sealing_ns);
    static const unsigned idle[] = {0, 32, IDLE_MAX};
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) run(idle[i], sealing_ns);
    return 0;
}
