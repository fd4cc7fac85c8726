/* router_ip.h - what the lab's router reads in a packet, and the ICMP answers that it writes.
 *
 * IPv4 and IPv6 as they come in frames. A fragment that is not the first has no ports; the
 * router gives it those of the first. */
#ifndef ROUTER_IP_H
#define ROUTER_IP_H

#include <stdbool.h>

#include "core/base/base.h"

#define IP_ANSWER_MAX 1280 /* an ICMPv6 error fills at most the least MTU (RFC 4443, 2.4 c) */

/* IPv4 as ::ffff:a.b.c.d. */
struct ip_address {
    uint8_t bytes[16];
};

struct ip_ports {
    uint8_t protocol;   /* IPPROTO_… */
    uint16_t from, to;  /* 0 where the protocol has none */
    bool is_fragment;   /* of a larger packet, the first one too */
    bool is_first;      /* or whole: it carries the ports */
    uint32_t fragments; /* their common number */
};

struct ip_packet {
    bool is_ipv6, is_icmp_error;
    struct ip_address from, to;
    struct ip_ports ports;
};

/* Returns 0 or ERR_ARGUMENT (text that is no address). */
MUST_CHECK int ip_address_parse(const char *text, struct ip_address *ret);
/* Returns 0, ERR_VERSION, ERR_TRUNCATED or ERR_FORMAT (the length in the header is not `len`). */
MUST_CHECK int ip_parse(const uint8_t *data, size_t len, struct ip_packet *ret);
/* "Fragmentation needed" (RFC 792, RFC 1191) or "packet too big" (RFC 4443) for a packet that
 * ip_parse took, from the router's own address. Returns its length in `ret` (IP_ANSWER_MAX), or 0
 * where the packet is itself an ICMP error. */
size_t ip_too_big(const uint8_t *data, size_t len, const struct ip_packet *packet, unsigned mtu,
                  uint8_t *ret);

#endif
