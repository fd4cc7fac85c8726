/* udp_address.h - endpoints as the system's socket addresses. */
#ifndef UDP_ADDRESS_H
#define UDP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "core/base/endpoint.h"

/* "PORT" is that port on all addresses; otherwise as endpoint_parse. Returns 0 or ERR_FORMAT. */
MUST_CHECK int udp_address_parse(const char *text, struct endpoint *ret);
/* Can stand in an AF_INET address: IPv4, or no address at all. */
bool udp_address_fits_ipv4(const struct endpoint *e);
/* For a socket of AF_INET6 (`ipv6`) or AF_INET; returns the length. The caller has checked that an
 * AF_INET address can hold it. */
socklen_t udp_address_from_endpoint(const struct endpoint *e, bool ipv6,
                                    struct sockaddr_storage *ret);
/* False for another family. */
bool udp_address_to_endpoint(const struct sockaddr *sa, struct endpoint *ret);

#endif
