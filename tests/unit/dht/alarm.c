#include "dht/alarm.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool is_readable(const struct alarm *a, int wait_ms) {
    struct pollfd fd = {.fd = a->epoll, .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

Test(alarm, is_readable_when_the_other_descriptor_is) {
    struct alarm a;
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(alarm_init(&a, fd), 0);
    cr_assert_not(is_readable(&a, 0));
    cr_assert_eq(eventfd_write(fd, 1), 0);
    cr_assert(is_readable(&a, 0));
    eventfd_t count;
    cr_assert_eq(eventfd_read(fd, &count), 0);
    cr_assert_not(is_readable(&a, 0));
    alarm_release(&a);
    close(fd);
}

Test(alarm, is_readable_from_its_moment_on_until_it_is_cleared) {
    struct alarm a;
    int fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(alarm_init(&a, fd), 0);
    uint64_t at_us = alarm_clock_us() + 3600 * US_PER_S;
    alarm_set(&a, at_us);
    cr_assert_not(is_readable(&a, 0));
    alarm_set(&a, 0);
    cr_assert(is_readable(&a, 20000), "the past is at once");
    alarm_clear(&a);
    cr_assert_not(is_readable(&a, 0));
    at_us = alarm_clock_us() + 2000;
    alarm_set(&a, at_us);
    cr_assert(is_readable(&a, 20000));
    cr_assert_geq(alarm_clock_us(), at_us);
    alarm_set(&a, TIME_NEVER);
    cr_assert_not(is_readable(&a, 0));
    alarm_release(&a);
    close(fd);
}
