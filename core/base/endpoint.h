/* endpoint.h - an address and a port, IPv4 as a mapped IPv6 address (RFC 4291, 2.5.5.2), and the
 * datagram that travels between two of them. Plain data: no socket is needed to use it. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/base/bytes.h"

#define ENDPOINT_TEXT_MAX 56 /* "[" 45 characters of IPv6 "]:65535" and the zero */
#define ENDPOINT_WIRE 18     /* 16 address bytes, 2 of port */

struct endpoint {
    uint8_t ip[16];
    uint16_t port; /* host order */
};

/* The largest UDP payload that we send or take. */
#define DATAGRAM_MAX 1500

/* One UDP payload. `peer` is where it came from, or where it goes. The bytes belong to whoever
 * made the struct: a receiver only reads them, a transmitter fills `data` up to `capacity`. */
struct datagram {
    struct endpoint peer;
    uint8_t *data;
    size_t len;
    size_t capacity;
};

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool endpoint_is_ipv4(const struct endpoint *e);
bool endpoint_is_loopback(const struct endpoint *e);
/* Unspecified address or port 0. */
bool endpoint_is_empty(const struct endpoint *e);
/* An address that a record may send others to: not unspecified, multicast, broadcast or port 0.
 * Loopback and private addresses count as usable: a swarm may live on one machine or LAN. */
bool endpoint_is_usable(const struct endpoint *e);

/* Numeric only: "192.0.2.1:7000" or "[2001:db8::1]:7000". Returns 0 or ERR_FORMAT. */
MUST_CHECK int endpoint_parse(const char *text, struct endpoint *ret);
/* Fills at least ENDPOINT_TEXT_MAX bytes at `ret` and returns it. */
const char *endpoint_format(const struct endpoint *e, char *ret);
/* "192.0.x.x:7000": for logs at INFO and above, which never show a full address. */
const char *endpoint_format_masked(const struct endpoint *e, char *ret);

void endpoint_write(struct writer *w, const struct endpoint *e);
void endpoint_read(struct reader *r, struct endpoint *ret);

#endif
