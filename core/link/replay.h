/* replay.h - which counters of a period were seen: a sliding bitmap (RFC 6479).
 *
 * Counters too far below the highest are refused. A busy link needs a long window, because much
 * can overtake a datagram that is late; most links are idle, and 64 counters are more than a second
 * of them. So the window is REPLAY_RECENT long, and REPLAY_WINDOW while so many counters pass
 * within REPLAY_BUSY_US. What was not in the window when it grew stays refused. Checking and noting
 * are two steps, because only an authentic datagram may move the window. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>

#include "core/base/base.h"

#define REPLAY_RECENT 64
#define REPLAY_BUSY_US US_PER_S
#define REPLAY_WINDOW 1024 /* at 1,000 datagrams a second a second of reordering */
#define REPLAY_WORDS (REPLAY_WINDOW / 64 + 1)

struct replay_long {
    uint64_t least; /* counters below were not seen to */
    uint64_t words[REPLAY_WORDS];
};

/* Zeros are one that has seen nothing. */
struct replay {
    uint64_t highest;         /* meaningless while has_any is false */
    uint64_t recent;          /* bit i: highest - i */
    struct replay_long *more; /* all of it, recent ones too; NULL while not busy */
    uint32_t block_us;        /* when the 64 counters began that `highest` is of; low bits */
    bool has_any;
};

void replay_release(struct replay *r);
/* 0, or ERR_REPLAY (seen), or ERR_STALE (too old to tell). */
MUST_CHECK int replay_check(const struct replay *r, uint64_t counter);
/* Notes a counter that was checked. */
void replay_note(struct replay *r, uint64_t counter, uint64_t now_us);
/* The lowest counter that the window reaches. */
uint64_t replay_least(const struct replay *r);
/* How many counters, from this one down to the window's least, were seen, or were not. */
uint64_t replay_run(const struct replay *r, uint64_t counter, bool is_seen);

#endif
