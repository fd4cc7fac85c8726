/* http_guard.h - which connections and requests the local HTTP server lets in.
 *
 * Connections: at most GUARD_CONNECTIONS_MAX; one that does not make its request in time is closed,
 * however slowly it trickles. Requests: only for the name localhost or the literal address that was
 * connected to. A page of another site that has its name resolved to our address (DNS rebinding)
 * shows its own name in Host, and a page of another site that asks us directly shows it in Origin;
 * both are refused. */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include <stdbool.h>

#include "core/base/base.h"

#define GUARD_CONNECTIONS_MAX 64
#define GUARD_REQUEST_US                                                                           \
    (10 * US_PER_S) /* from the connection to the end of the request's headers */

struct event_base;
struct evhttp;
struct evhttp_request;
struct evconnlistener;
struct http_guard;

/* Watches the connections of `http`, which come from `listener`. NULL: out of memory. */
struct http_guard *http_guard_new(struct event_base *base, struct evhttp *http,
                                  struct evconnlistener *listener);
/* After evhttp_free. */
void http_guard_free(struct http_guard *g);
/* The connection has made its request: it may live on. */
void http_guard_mark(struct http_guard *g, struct evhttp_request *req);
bool http_guard_allows(struct evhttp_request *req);
unsigned http_guard_connections(struct http_guard *g);

#endif
