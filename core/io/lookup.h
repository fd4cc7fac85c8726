/* lookup.h - a host's addresses by the system's own rules (/etc/hosts, DNS, mDNS), on a thread.
 *
 * getaddrinfo may take half a minute and cannot be called off, so each question has a thread of its
 * own that outlives whoever asked: `ctx` must be something that is still safe to look at then, a
 * counted reference or a number. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "core/base/endpoint.h"

#define LOOKUP_THREADS_MAX 16 /* at once in the program; the bootstrap hosts and peer hints */
#define LOOKUP_HOST_MAX 256   /* a DNS name of 255 characters */
#define LOOKUP_ENDPOINTS_MAX 8

/* Called once, on the question's thread; `len` is 0 where nothing was found. */
typedef void (*lookup_fn)(void *ctx, const struct endpoint *endpoints, size_t len);

/* Returns 0, ERR_RANGE (name too long), ERR_FULL, ERR_MEMORY or ERR_SYSTEM, and then does not call
 * back. */
MUST_CHECK int lookup_start(const char *host, uint16_t port, lookup_fn fn, void *ctx);

#endif
