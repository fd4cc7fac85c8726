/* loop.h - the program's one event loop and clock: timers, descriptors and signals on libevent.
 *
 * Times are microseconds of CLOCK_MONOTONIC. The time is read once for each callback and stays the
 * same until it returns, so that everything decided in one step is decided at one moment. A timer
 * fires once, at its deadline or later, never before. One thread owns a loop; others reach it
 * through an eventfd that it watches. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>

#include "core/base/base.h"

struct event_base;
struct loop;
struct loop_timer;
struct loop_watch;

enum loop_ready {
    LOOP_READ = 1 << 0,
    LOOP_WRITE = 1 << 1,
};

typedef void (*loop_timer_fn)(void *ctx, uint64_t now_us);
typedef void (*loop_watch_fn)(void *ctx, unsigned ready, uint64_t now_us); /* enum loop_ready */

/* NULL where the system gives no descriptors or memory. */
struct loop *loop_new(void);
/* Timers and watches must have been freed before. */
void loop_free(struct loop *loop);
/* For libevent's own parts: evhttp, evdns. Their callbacks call loop_refresh first. */
struct event_base *loop_base(struct loop *loop);

/* Returns 0 when it was stopped, or ERR_SYSTEM. Returns at once where a stop is pending, and
 * when nothing is left that could wake it. */
MUST_CHECK int loop_run(struct loop *loop);
/* Ends loop_run after the callback that is running; before loop_run, makes it return at once. */
void loop_stop(struct loop *loop);
/* SIGINT and SIGTERM stop the loop from then on. Returns 0 or ERR_SYSTEM. */
MUST_CHECK int loop_stop_on_signals(struct loop *loop);
/* The signal that stopped it, or 0. */
int loop_signal(const struct loop *loop);

/* The time of the running callback. */
uint64_t loop_now_us(const struct loop *loop);
/* Reads the clock anew: after work that took long. */
uint64_t loop_refresh(struct loop *loop);
/* Wall clock, UTC: for epochs and records only, since it may jump. */
uint64_t loop_utc_us(void);

/* Disarmed. NULL: no memory. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *ctx);
void loop_timer_free(struct loop_timer *timer);
/* Fires once at `deadline_us`, replacing the deadline before; a past one fires at once, TIME_NEVER
 * disarms. Costs nothing where the deadline is what it was. */
void loop_timer_at(struct loop_timer *timer, uint64_t deadline_us);
/* TIME_NEVER when disarmed. */
uint64_t loop_timer_deadline(const struct loop_timer *timer);

/* Watches nothing yet. The descriptor stays the caller's. NULL: no memory. */
struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_watch_fn fn, void *ctx);
void loop_watch_free(struct loop_watch *watch);
/* Calls back as long as what is wanted (enum loop_ready, 0 for nothing) is there. */
void loop_watch_want(struct loop_watch *watch, unsigned wanted);

#endif
