/* resolve.h - HOST:PORT to endpoints without blocking the loop; the answer comes in the loop.
 *
 * At most RESOLVE_PENDING_MAX questions are open, each for a bounded time. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "core/io/lookup.h"
#include "core/io/loop.h"

#define RESOLVE_PENDING_MAX 16 /* the peers of a link, twice */
#define RESOLVE_TIME_US (10 * US_PER_S)
#define RESOLVE_TEXT_MAX (LOOKUP_HOST_MAX + 8)

struct resolver;

struct resolver_config {
    uint64_t time_us; /* for a question; 0: RESOLVE_TIME_US */
    int (*lookup)(const char *host, uint16_t port, lookup_fn fn,
                  void *ctx); /* NULL: lookup_start */
};

/* `text` is what was asked for. `err` is 0 with at least one endpoint, ERR_NOT_FOUND or
 * ERR_TIMEOUT. */
typedef void (*resolve_fn)(void *ctx, const char *text, int err, const struct endpoint *endpoints,
                           size_t len);

/* `config` may be NULL. NULL: no memory or descriptors. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_config *config);
/* Open questions end without an answer: no callback comes after. Does not wait. */
void resolver_free(struct resolver *r);
/* Calls back once; for a numeric address before it returns. Returns 0, or without calling back
 * ERR_FORMAT (no port, port 0, too long), ERR_FULL, ERR_MEMORY or ERR_SYSTEM. */
MUST_CHECK int resolver_ask(struct resolver *r, const char *text, resolve_fn fn, void *ctx);

#endif
