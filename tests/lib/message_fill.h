/* message_fill.h - random messages that a reader takes, made from the tables of message.h.
 *
 * hello_fill(&m, &rng) and so on: every list has a random length up to its maximum, or exactly the
 * maximum where `full` says so. Views point into bytes that never change. */
#ifndef MESSAGE_FILL_H
#define MESSAGE_FILL_H

#include "core/base/rng.h"
#include "core/proto/message.h"

#define X(name, NAME, type, fields) void name##_fill(struct name *m, struct rng *rng, bool full);
MESSAGE_LIST(X)
#undef X

/* The same fields, compared one by one. */
#define X(name, NAME, type, fields) bool name##_equal(const struct name *a, const struct name *b);
MESSAGE_LIST(X)
#undef X

#endif
