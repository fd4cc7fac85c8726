#include "core/io/loop.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TIMERS 5

struct order {
    struct loop *loop;
    struct loop_timer *timers[TIMERS];
    uint64_t deadlines_us[TIMERS];
    int fired[TIMERS];
    size_t len;
};

struct shot {
    struct order *order;
    int index;
};

static void timer_noted(void *ctx, uint64_t now_us) {
    struct shot *shot = ctx;
    struct order *o = shot->order;
    cr_assert_geq(now_us, o->deadlines_us[shot->index], "a timer never fires early");
    cr_assert_eq(now_us, loop_now_us(o->loop));
    o->fired[o->len++] = shot->index;
    if (o->len == TIMERS) loop_stop(o->loop);
}

Test(loop, fires_timers_in_the_order_of_their_deadlines) {
    static const uint64_t after_us[TIMERS] = {9000, 300, 0, 5000, 1200};
    static const int expected[TIMERS] = {2, 1, 4, 3, 0};
    struct order o = {.loop = loop_new()};
    struct shot shots[TIMERS];
    uint64_t now_us = loop_refresh(o.loop);
    for (int i = 0; i < TIMERS; i++) {
        shots[i] = (struct shot){&o, i};
        o.timers[i] = loop_timer_new(o.loop, timer_noted, &shots[i]);
        o.deadlines_us[i] = now_us + after_us[i];
        loop_timer_at(o.timers[i], o.deadlines_us[i]);
    }
    cr_assert_eq(loop_run(o.loop), 0);
    for (int i = 0; i < TIMERS; i++) {
        cr_assert_eq(o.fired[i], expected[i]);
        cr_assert_eq(loop_timer_deadline(o.timers[i]), TIME_NEVER);
        loop_timer_free(o.timers[i]);
    }
    loop_free(o.loop);
}

struct count {
    struct loop *loop;
    struct loop_timer *timer;
    unsigned fired, stop_at;
};

static void timer_counted(void *ctx, uint64_t now_us) {
    struct count *c = ctx;
    if (++c->fired == c->stop_at)
        loop_stop(c->loop);
    else
        loop_timer_at(c->timer, now_us + 100);
}

Test(loop, lets_a_timer_arm_itself_again) {
    struct count c = {.loop = loop_new(), .stop_at = 20};
    c.timer = loop_timer_new(c.loop, timer_counted, &c);
    loop_timer_at(c.timer, 0);
    cr_assert_eq(loop_run(c.loop), 0);
    cr_assert_eq(c.fired, 20);
    loop_timer_free(c.timer);
    loop_free(c.loop);
}

Test(loop, moves_and_disarms_a_timer) {
    struct count moved = {.loop = loop_new(), .stop_at = 1};
    struct count disarmed = {.loop = moved.loop, .stop_at = 1};
    moved.timer = loop_timer_new(moved.loop, timer_counted, &moved);
    disarmed.timer = loop_timer_new(moved.loop, timer_counted, &disarmed);
    uint64_t now_us = loop_refresh(moved.loop);
    loop_timer_at(moved.timer, now_us + 3600 * US_PER_S);
    loop_timer_at(disarmed.timer, now_us + 1);
    loop_timer_at(disarmed.timer, TIME_NEVER);
    loop_timer_at(moved.timer, now_us + 2000);
    loop_timer_at(moved.timer, now_us + 2000);
    cr_assert_eq(loop_run(moved.loop), 0);
    cr_assert_eq(moved.fired, 1);
    cr_assert_eq(disarmed.fired, 0);
    loop_timer_free(moved.timer);
    loop_timer_free(disarmed.timer);
    loop_free(moved.loop);
}

struct pipe_ends {
    struct loop *loop;
    struct loop_watch *watch;
    int fd;
    unsigned reads, writes;
};

static void descriptor_ready(void *ctx, unsigned ready, uint64_t now_us) {
    (void)now_us;
    struct pipe_ends *p = ctx;
    if (ready & LOOP_WRITE) {
        p->writes++;
        loop_watch_want(p->watch, LOOP_READ);
        cr_assert_eq(eventfd_write(p->fd, 1), 0);
        return;
    }
    p->reads++;
    loop_stop(p->loop);
}

Test(loop, calls_back_for_what_is_wanted_of_a_descriptor) {
    struct pipe_ends p = {.loop = loop_new(), .fd = eventfd(0, EFD_NONBLOCK)};
    p.watch = loop_watch_new(p.loop, p.fd, descriptor_ready, &p);
    loop_watch_want(p.watch, LOOP_WRITE);
    cr_assert_eq(loop_run(p.loop), 0);
    cr_assert_eq(p.writes, 1);
    cr_assert_eq(p.reads, 1);
    loop_watch_free(p.watch);
    loop_free(p.loop);
    close(p.fd);
}

static void signal_raised(void *ctx, uint64_t now_us) {
    (void)now_us;
    raise(*(int *)ctx);
}

Test(loop, stops_cleanly_on_sigint_and_sigterm) {
    int numbers[] = {SIGTERM, SIGINT};
    struct loop *loop = loop_new();
    cr_assert_eq(loop_stop_on_signals(loop), 0);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct loop_timer *timer = loop_timer_new(loop, signal_raised, &numbers[i]);
        loop_timer_at(timer, loop_refresh(loop));
        cr_assert_eq(loop_run(loop), 0);
        cr_assert_eq(loop_signal(loop), numbers[i]);
        loop_timer_free(timer);
    }
    loop_free(loop);
}

Test(loop, returns_at_once_where_it_was_stopped_before) {
    struct count c = {.loop = loop_new(), .stop_at = 1};
    c.timer = loop_timer_new(c.loop, timer_counted, &c);
    loop_timer_at(c.timer, 0);
    loop_stop(c.loop);
    cr_assert_eq(loop_run(c.loop), 0);
    cr_assert_eq(c.fired, 0);
    loop_timer_free(c.timer);
    loop_free(c.loop);
}
