/* router_nat.h - a home router that translates IPv4 addresses, of one of the four classic kinds
 * (RFC 3489, 5; in RFC 4787's words: how it maps, and what it lets in).
 *
 * UDP and TCP; other protocols do not pass. Mappings last for a time after the last packet from
 * inside. Ports are never preserved, so that nobody relies on it. */
#ifndef ROUTER_NAT_H
#define ROUTER_NAT_H

#include "tests/lab/router_ip.h"

#define NAT_MAPPINGS_MAX 256 /* the one unused for longest gives way */
#define NAT_REMOTES_MAX 64   /* of a mapping; the same */
#define NAT_PORT_LEAST 20000
#define NAT_PORTS 40000

enum nat_kind {
    NAT_NONE,
    NAT_FULL_CONE,          /* one mapping for an inside port; everybody may answer */
    NAT_ADDRESS_RESTRICTED, /* ...; hosts that it was used to may */
    NAT_PORT_RESTRICTED,    /* ...; address and port that it was used to may */
    NAT_SYMMETRIC,          /* one mapping for inside port, remote address and port */
};

struct nat_remote {
    struct ip_address address;
    uint16_t port;
    uint64_t used_ns; /* 0: free */
};

struct nat_mapping {
    uint8_t protocol;
    uint16_t inside, outside;
    uint64_t used_ns; /* 0: free */
    struct nat_remote remotes[NAT_REMOTES_MAX];
};

struct nat {
    enum nat_kind kind;
    struct ip_address inside, outside;
    uint64_t timeout_ns;
    uint32_t opened; /* mappings so far: the next port */
    struct nat_mapping mappings[NAT_MAPPINGS_MAX];
};

/* `data` is a packet that ip_parse took, from inside. Rewrites it and `ports`. False: it does not
 * pass. */
bool nat_leave(struct nat *n, uint8_t *data, const struct ip_packet *ip, struct ip_ports *ports,
               uint64_t now_ns);
/* The same for one from outside. */
bool nat_enter(struct nat *n, uint8_t *data, size_t len, struct ip_ports *ports, uint64_t now_ns);
/* Returns NAT_NONE for an unknown name. */
enum nat_kind nat_kind_named(const char *name);

#endif
