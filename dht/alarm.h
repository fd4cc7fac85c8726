/* alarm.h - one descriptor that is readable when another is, or when a moment has come.
 *
 * So that whoever watches discovery need not ask for its deadlines. Internal to dht/. */
#ifndef ALARM_H
#define ALARM_H

#include "core/base/base.h"

struct alarm {
    int epoll; /* the descriptor to watch */
    int timer;
    uint64_t at_us; /* TIME_NEVER: not set */
};

/* Times are of CLOCK_MONOTONIC. */
uint64_t alarm_clock_us(void);
/* Returns 0 or ERR_SYSTEM; released in either case by alarm_release. */
MUST_CHECK int alarm_init(struct alarm *a, int fd);
void alarm_release(struct alarm *a);
/* Readable from `at_us` on, in place of the moment before; TIME_NEVER for none. */
void alarm_set(struct alarm *a, uint64_t at_us);
/* Not readable any more where the moment had come. */
void alarm_clear(struct alarm *a);

#endif
