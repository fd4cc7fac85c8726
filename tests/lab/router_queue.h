/* router_queue.h - the packets inside the lab's router, by the time of what happens to them next.
 *
 * All memory is taken at the start and touched as it is needed: the packets that were freed last
 * are used first. Events of one time keep the order in which they were added. */
#ifndef ROUTER_QUEUE_H
#define ROUTER_QUEUE_H

#include <stdbool.h>

#include "tests/lab/router_ip.h"

#define MAC_BYTES 6
#define FRAME_HEADER 14u /* Ethernet: to, from, type */
#define PACKET_BYTES_MAX 2048
#define PACKETS_MAX 65536u /* 200 Mb/s of 1,200 bytes for 3 s: beyond it packets are dropped */

enum packet_stage {
    PACKET_ARRIVES,   /* at the receiver's access */
    PACKET_DELIVERED, /* its downlink has carried it */
};

struct packet {
    uint16_t len;     /* without the frame's header */
    uint8_t from, to; /* hosts */
    uint8_t stage;    /* enum packet_stage */
    struct ip_ports ports;
    uint8_t frame[PACKET_BYTES_MAX];
};

struct packet_queue;

struct packet_queue *packet_queue_new(void); /* NULL: no memory */
void packet_queue_free(struct packet_queue *q);
/* NULL: PACKETS_MAX are in use. */
struct packet *packet_take(struct packet_queue *q);
void packet_drop(struct packet_queue *q, struct packet *p);
/* The packet belongs to the queue until packet_queue_next gives it back. */
void packet_queue_add(struct packet_queue *q, struct packet *p, uint64_t at_ns);
/* The earliest, where its time is `until_ns` or before; else NULL. */
struct packet *packet_queue_next(struct packet_queue *q, uint64_t until_ns, uint64_t *ret_at_ns);
/* The time of the earliest, or TIME_NEVER. */
uint64_t packet_queue_deadline(const struct packet_queue *q);

#endif
