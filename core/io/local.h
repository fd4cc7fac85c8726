/* local.h - which of this machine's addresses others could reach the socket at.
 *
 * For holder records: LAN and public addresses, IPv4 first. Left out are link-local addresses
 * (a scope is needed), tunnels and container bridges (nobody outside reaches them). Loopback counts
 * only where the socket is bound to it, or the machine has nothing else. */
#ifndef LOCAL_H
#define LOCAL_H

#include <stdbool.h>

#include "core/base/endpoint.h"

/* One address of one interface, as the system lists it. */
struct local_address {
    const char *interface;
    struct endpoint endpoint; /* its port is not used */
    bool up, point_to_point;
};

/* Up to `max` endpoints with the port of `bound` (from udp_local); returns how many. */
size_t io_local_endpoints(const struct endpoint *bound, struct endpoint *ret, size_t max);
/* The rule alone, over a given list. */
size_t local_select(const struct local_address *list, size_t len, const struct endpoint *bound,
                    struct endpoint *ret, size_t max);

#endif
