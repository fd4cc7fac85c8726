/* talker.h - a host on a simulated network that sends what it is told to, and notes what comes. */
#ifndef TALKER_H
#define TALKER_H

#include "tests/lib/network.h"

#define TALKERS 4
#define SEEN_MAX 4096

struct talker {
    struct network *n;
    unsigned host;
    unsigned to_send, to;
    size_t len;
    uint64_t every_us, next_us; /* 0: all at once when it is woken */
    uint8_t number;
    unsigned seen, expired;
    uint8_t numbers[SEEN_MAX];
    size_t lens[SEEN_MAX];
    uint64_t at_us[SEEN_MAX];
};

extern struct talker talkers[TALKERS];

/* A network whose hosts are the talkers. */
struct network *talking(uint64_t seed, const struct network_path *path);
void talker_attach(struct talker *t, struct network *n, unsigned host);
void talker_send(struct talker *t, unsigned to, unsigned datagrams, size_t len);
/* One every so often, the first of them now. */
void talker_send_every(struct talker *t, unsigned to, unsigned datagrams, uint64_t us);

void talker_receive(void *context, const struct datagram *d, uint64_t now_us);
void talker_expire(void *context, uint64_t now_us);
uint64_t talker_deadline(void *context);
size_t talker_transmit(void *context, struct datagram *ret, uint64_t now_us);

struct network_counts counts_of(const struct network *n);
void run_for(struct network *n, uint64_t us);

#endif
