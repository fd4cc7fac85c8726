#include "core/io/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/err.h"

static const int stop_signals[] = {SIGINT, SIGTERM};

struct loop {
    struct event_base *base;
    struct event *signals[ARRAY_LEN(stop_signals)];
    uint64_t now_us;
    int signal;
    bool stop;
};

struct loop_timer {
    struct loop *loop;
    struct event *event;
    uint64_t deadline_us;
    loop_timer_fn fn;
    void *ctx;
};

struct loop_watch {
    struct loop *loop;
    struct event *read;
    struct event *write;
    unsigned wanted;
    loop_watch_fn fn;
    void *ctx;
};

static uint64_t clock_us(clockid_t clock) {
    struct timespec t;
    int failed = clock_gettime(clock, &t);
    assert(failed == 0);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t loop_utc_us(void) { return clock_us(CLOCK_REALTIME); }
uint64_t loop_now_us(const struct loop *loop) { return loop->now_us; }
uint64_t loop_refresh(struct loop *loop) { return loop->now_us = clock_us(CLOCK_MONOTONIC); }
struct event_base *loop_base(struct loop *loop) {
    return loop->base;
}
int loop_signal(const struct loop *loop) { return loop->signal; }

struct loop *loop_new(void) {
    struct loop *loop = calloc(1, sizeof *loop);
    struct event_config *config = event_config_new();
    if (loop == NULL || config == NULL) goto out;
    /* Without it libevent's timers tick in milliseconds; pacing needs better. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) != 0) goto out;
    loop->base = event_base_new_with_config(config);
    if (loop->base == NULL) goto out;
    event_config_free(config);
    loop_refresh(loop);
    return loop;
out:
    if (config != NULL) event_config_free(config);
    free(loop);
    return NULL;
}

void loop_free(struct loop *loop) {
    if (loop == NULL) return;
    for (size_t i = 0; i < ARRAY_LEN(loop->signals); i++)
        if (loop->signals[i] != NULL) event_free(loop->signals[i]);
    event_base_free(loop->base);
    free(loop);
}

int loop_run(struct loop *loop) {
    int result = 0;
    if (!loop->stop) result = event_base_dispatch(loop->base);
    loop->stop = false;
    return result < 0 ? ERR_SYSTEM : 0;
}

void loop_stop(struct loop *loop) {
    loop->stop = true;
    event_base_loopbreak(loop->base);
}

static void signal_fired(evutil_socket_t number, short what, void *ctx) {
    (void)what;
    struct loop *loop = ctx;
    loop->signal = (int)number;
    loop_refresh(loop);
    loop_stop(loop);
}

int loop_stop_on_signals(struct loop *loop) {
    for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++) {
        if (loop->signals[i] != NULL) continue;
        loop->signals[i] = evsignal_new(loop->base, stop_signals[i], signal_fired, loop);
        if (loop->signals[i] == NULL || event_add(loop->signals[i], NULL) != 0) return ERR_SYSTEM;
    }
    return 0;
}

static void timer_add(struct loop_timer *timer) {
    uint64_t left_us = u64_sub(timer->deadline_us, clock_us(CLOCK_MONOTONIC));
    struct timeval tv = {.tv_sec = (time_t)(left_us / US_PER_S),
                         .tv_usec = (suseconds_t)(left_us % US_PER_S)};
    int failed = event_add(timer->event, &tv);
    assert(failed == 0); /* a timer fails for want of memory alone: the heap's slot */
}

/* libevent counts a timeout from the time it cached, which may lie before ours. */
static void timer_fired(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct loop_timer *timer = ctx;
    if (loop_refresh(timer->loop) < timer->deadline_us) {
        timer_add(timer);
        return;
    }
    timer->deadline_us = TIME_NEVER;
    timer->fn(timer->ctx, timer->loop->now_us);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn fn, void *ctx) {
    struct loop_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) return NULL;
    *timer = (struct loop_timer){.loop = loop, .deadline_us = TIME_NEVER, .fn = fn, .ctx = ctx};
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    if (timer->event == NULL) {
        free(timer);
        return NULL;
    }
    return timer;
}

void loop_timer_free(struct loop_timer *timer) {
    if (timer == NULL) return;
    event_free(timer->event);
    free(timer);
}

void loop_timer_at(struct loop_timer *timer, uint64_t deadline_us) {
    if (deadline_us == timer->deadline_us) return;
    timer->deadline_us = deadline_us;
    if (deadline_us == TIME_NEVER)
        event_del(timer->event);
    else
        timer_add(timer);
}

uint64_t loop_timer_deadline(const struct loop_timer *timer) { return timer->deadline_us; }

static void watch_fired(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    struct loop_watch *watch = ctx;
    unsigned ready = (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u);
    /* Both events may be active in one round, and the first call may have lost interest. */
    ready &= watch->wanted;
    if (ready != 0) watch->fn(watch->ctx, ready, loop_refresh(watch->loop));
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, loop_watch_fn fn, void *ctx) {
    struct loop_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return NULL;
    *watch = (struct loop_watch){.loop = loop, .fn = fn, .ctx = ctx};
    watch->read = event_new(loop->base, fd, EV_READ | EV_PERSIST, watch_fired, watch);
    watch->write = event_new(loop->base, fd, EV_WRITE | EV_PERSIST, watch_fired, watch);
    if (watch->read == NULL || watch->write == NULL) {
        loop_watch_free(watch);
        return NULL;
    }
    return watch;
}

void loop_watch_free(struct loop_watch *watch) {
    if (watch == NULL) return;
    if (watch->read != NULL) event_free(watch->read);
    if (watch->write != NULL) event_free(watch->write);
    free(watch);
}

static void watch_switch(struct event *event, bool on) {
    int failed = on ? event_add(event, NULL) : event_del(event);
    assert(failed == 0); /* only for a descriptor that is not open: our mistake */
}

void loop_watch_want(struct loop_watch *watch, unsigned wanted) {
    unsigned changed = watch->wanted ^ wanted;
    watch->wanted = wanted;
    if (changed & LOOP_READ) watch_switch(watch->read, (wanted & LOOP_READ) != 0);
    if (changed & LOOP_WRITE) watch_switch(watch->write, (wanted & LOOP_WRITE) != 0);
}
