#include "dht/alarm.h"

#include <assert.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"

uint64_t alarm_clock_us(void) {
    struct timespec t;
    int failed = clock_gettime(CLOCK_MONOTONIC, &t);
    assert(failed == 0);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

int alarm_init(struct alarm *a, int fd) {
    a->at_us = TIME_NEVER;
    a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (a->timer < 0 || a->epoll < 0) return ERR_SYSTEM;
    struct epoll_event readable = {.events = EPOLLIN};
    bool added = epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->timer, &readable) == 0 &&
                 epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &readable) == 0;
    return added ? 0 : ERR_SYSTEM;
}

void alarm_release(struct alarm *a) {
    if (a->epoll >= 0) close(a->epoll);
    if (a->timer >= 0) close(a->timer);
}

void alarm_set(struct alarm *a, uint64_t at_us) {
    if (at_us == a->at_us) return;
    a->at_us = at_us;
    /* A timerfd set to 0 is off: the past is the first microsecond. */
    uint64_t value_us = at_us == TIME_NEVER ? 0 : u64_max(at_us, 1);
    struct itimerspec t = {.it_value = {.tv_sec = (time_t)(value_us / US_PER_S),
                                        .tv_nsec = (long)(value_us % US_PER_S) * 1000}};
    int failed = timerfd_settime(a->timer, TFD_TIMER_ABSTIME, &t, NULL);
    assert(failed == 0);
}

void alarm_clear(struct alarm *a) {
    uint64_t fired;
    if (read(a->timer, &fired, sizeof fired) == (ssize_t)sizeof fired) a->at_us = TIME_NEVER;
}
