/* interrupt.h - one word that ends every wait of a source: reads, pacing, opening.
 *
 * Raised once and for good. A wait may also have a deadline (an address that does not answer) and
 * watch a flag of the caller (Ctrl-C while an input is being opened). */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/base.h"

struct interrupt {
    int fd; /* an eventfd, readable once raised */
    atomic_bool raised;
    const atomic_bool *cancel;    /* the caller's, or NULL; looked at every 50 ms */
    _Atomic uint64_t deadline_us; /* of the clock below, or TIME_NEVER */
};

/* Returns 0 or ERR_SYSTEM. */
MUST_CHECK int interrupt_init(struct interrupt *i);
void interrupt_release(struct interrupt *i);

void interrupt_raise(struct interrupt *i);
void interrupt_set_deadline(struct interrupt *i, uint64_t deadline_us);
/* Raised, cancelled or past its deadline. */
bool interrupt_is_due(const struct interrupt *i);
bool interrupt_is_late(const struct interrupt *i);

/* Waits for the time or the interrupt. Returns 0 at the time, or ERR_STATE. */
MUST_CHECK int interrupt_sleep_until(const struct interrupt *i, uint64_t until_us);
/* Waits until `fd` can be read without blocking. Returns 0 then, or ERR_STATE. */
MUST_CHECK int interrupt_wait_readable(const struct interrupt *i, int fd);

/* Microseconds of the monotonic clock, and of UTC. */
uint64_t clock_monotonic_us(void);
uint64_t clock_utc_us(void);

#endif
