/* replay.h - which counters of a period were seen: the sliding bitmap of RFC 6479.
 *
 * Counters more than REPLAY_WINDOW below the highest are refused as too old. Checking and noting
 * are two steps, because only an authentic datagram may move the window. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>

#include "core/base/base.h"

#define REPLAY_WINDOW 1024 /* at 1,000 datagrams a second a second of reordering */
#define REPLAY_WORDS (REPLAY_WINDOW / 64 + 1)

struct replay {
    uint64_t highest; /* meaningless while has_any is false */
    bool has_any;
    uint64_t words[REPLAY_WORDS];
};

/* 0, or ERR_REPLAY (seen), or ERR_STALE (too old to tell). */
MUST_CHECK int replay_check(const struct replay *r, uint64_t counter);
/* Notes a counter that was checked. */
void replay_note(struct replay *r, uint64_t counter);
/* The lowest counter that the window reaches. */
uint64_t replay_least(const struct replay *r);
/* How many counters, from this one down to the window's least, were seen, or were not. */
uint64_t replay_run(const struct replay *r, uint64_t counter, bool is_seen);

#endif
