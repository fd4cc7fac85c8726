/* router.h - a network of hosts on one machine: packets between TAP devices, as if far apart.
 *
 * Each host is a network namespace with one TAP device, whose other end the router holds. (A TUN
 * device would be simpler, but always is point-to-point: programs take it for a VPN, and do not
 * tell others its address.) ARP is off: every frame goes to the router and comes from it. A packet
 * goes through the sender's uplink, the path between the two, and the receiver's downlink, in which
 * it is queued when it arrives there: booked at departure, unrelated senders would block each
 * other. Devices have no offload, so that a large send has been split into packets before it comes
 * here, and each meets its own loss. One thread, no allocation a packet. */
#ifndef ROUTER_H
#define ROUTER_H

#include "tests/lab/router_count.h"
#include "tests/lab/router_load.h"
#include "tests/lab/router_nat.h"
#include "tests/lab/router_queue.h"
#include "tests/lab/router_shape.h"

#define ROUTER_HOSTS_MAX 128
#define ROUTER_ADDRESSES_MAX 512 /* slots, a power of two: at most half full */
#define ROUTER_NAME_MAX 32       /* with its zero */
#define ROUTER_DEVICE "lab0"     /* in each namespace */
#define ROUTER_BATCH_MAX 64      /* packets of one host before the others have their turn */
#define ROUTER_MTU 1500
#define ROUTER_QUEUE_MS 300

/* The fragment of a larger packet that came last, and the ports of its first. */
struct router_fragment {
    uint32_t number;
    struct ip_ports ports;
};

struct router_host {
    char name[ROUTER_NAME_MAX];
    int device; /* the router's end of it */
    int space;  /* the network namespace */
    uint8_t mac[MAC_BYTES];
    struct ip_address addresses[2];
    size_t addresses_len;
    struct shape_link up, down;
    double delay_ms; /* of its access, each way */
    double mtu;      /* of its access */
    double cut;      /* not 0: nothing passes, as with a cable pulled */
    double group;    /* hosts of different groups cannot reach each other */
    struct router_fragment fragment;
    struct nat nat; /* between its access and its device; NAT_NONE: there is none */
    struct count_host counts;
};

struct router {
    size_t hosts_len;
    struct router_host hosts[ROUTER_HOSTS_MAX];
    struct shape_path paths[ROUTER_HOSTS_MAX][ROUTER_HOSTS_MAX]; /* [from][to] */
    uint16_t by_address[ROUTER_ADDRESSES_MAX];                   /* host + 1; 0: free */
    struct packet_queue *queue;
    struct rng rng;
    struct load load;
    uint64_t refused;
};

/* router_hosts.c */

/* A host for the namespace /run/netns/SPACE, with a device of its own in it, down and without
 * address. Returns its number, or ERR_FULL, ERR_EXISTS (its name), ERR_NOT_FOUND (the namespace) or
 * ERR_SYSTEM. */
MUST_CHECK int router_host_add(struct router *r, const char *name, const char *space);
/* In place of those before. Returns 0, ERR_ARGUMENT or ERR_EXISTS. */
MUST_CHECK int router_host_set_addresses(struct router *r, unsigned host, const char *const *texts,
                                         size_t len);
/* Packets that the host's device dropped because nobody read them. */
uint64_t router_host_unread(const struct router_host *h);
/* Returns the host with the address, or -1. */
int router_find_address(const struct router *r, const struct ip_address *address);
int router_find_name(const struct router *r, const char *name);

/* router_forward.c */

/* What the host has sent since. Returns how many packets. */
size_t router_read(struct router *r, unsigned host, uint64_t now_ns);
/* All that is due. */
void router_run(struct router *r, uint64_t now_ns);

/* router_command.c: how it is told what to do */

/* One line, changed while it is read. Writes one line of answer: "ok", "ok TEXT" or "error TEXT".
 * Returns false when the router shall end. */
bool router_command(struct router *r, char *line, uint64_t now_ns, FILE *out);

#endif
