/* router_count.h - what one host sent and got, in all and by its own port.
 *
 * Bytes are those of IP packets, headers included. "Sent" is what the host handed to its device,
 * whatever became of it; "got" is what was handed to the host. */
#ifndef ROUTER_COUNT_H
#define ROUTER_COUNT_H

#include <stdio.h>

#include "tests/lab/router_ip.h"

#define COUNT_PORTS_MAX 512 /* of a host, a power of two; later ones are counted as port 0 */
#define COUNT_PORTS_FULL (COUNT_PORTS_MAX * 3 / 4)

/* Name, and which of a host's packets it counts. */
#define COUNT_LIST(X)                                                                              \
    X(sent)                                                                                        \
    X(got)                                                                                         \
    X(up_full)     /* dropped by its uplink's queue */                                             \
    X(down_full)   /* dropped by its downlink's queue */                                           \
    X(lost)        /* sent by it, lost on a path */                                                \
    X(unreachable) /* sent by it to nobody, or to a host that it cannot reach */                   \
    X(too_big)     /* sent by it, beyond the path's MTU */                                         \
    X(filtered)    /* that its NAT let neither out nor in */                                       \
    X(malformed)   /* sent by it: no IP that the router knows, or longer than its device allows */ \
    X(refused)     /* dropped because the router was full, or its host's device was down */

struct count {
    uint64_t packets, bytes;
};

enum count_kind {
#define X(name) COUNT_##name,
    COUNT_LIST(X)
#undef X
        COUNT_KINDS
};

struct count_port {
    uint8_t protocol; /* 0: free */
    uint16_t port;
    struct count sent, got;
};

struct count_host {
    struct count all[COUNT_KINDS];
    size_t ports_len;
    struct count_port ports[COUNT_PORTS_MAX];
    struct count_port others;
};

void count_add(struct count_host *c, enum count_kind kind, size_t len);
/* `port` is the host's own. */
void count_sent(struct count_host *c, const struct ip_ports *ports, size_t len);
void count_got(struct count_host *c, const struct ip_ports *ports, size_t len);
/* Members of a JSON object, without the braces. */
void count_print(const struct count_host *c, FILE *out);

#endif
