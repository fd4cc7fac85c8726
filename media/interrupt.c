#include "media/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"

#define CANCEL_LOOK_US (50 * US_PER_MS)

static uint64_t clock_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }

/* The wall clock as it was at the first call, and the time that has passed since: captures must
 * not jump when the clock is set. CLOCK_BOOTTIME goes on while the machine sleeps. */
uint64_t clock_utc_us(void) {
    static atomic_ullong offset_us;
    unsigned long long offset = atomic_load(&offset_us);
    if (offset == 0) {
        unsigned long long fresh = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME);
        if (atomic_compare_exchange_strong(&offset_us, &offset, fresh)) offset = fresh;
    }
    return clock_us(CLOCK_BOOTTIME) + offset;
}

int interrupt_init(struct interrupt *i) {
    i->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&i->raised, false);
    atomic_init(&i->deadline_us, TIME_NEVER);
    i->cancel = NULL;
    return i->fd < 0 ? ERR_SYSTEM : 0;
}

void interrupt_release(struct interrupt *i) {
    if (i->fd >= 0) close(i->fd);
    i->fd = -1;
}

void interrupt_raise(struct interrupt *i) {
    atomic_store(&i->raised, true);
    /* Cannot fail: the counter of an eventfd that is written once does not overflow. */
    (void)!write(i->fd, &(uint64_t){1}, sizeof(uint64_t));
}

void interrupt_set_deadline(struct interrupt *i, uint64_t deadline_us) {
    atomic_store(&i->deadline_us, deadline_us);
}

bool interrupt_is_late(const struct interrupt *i) {
    uint64_t deadline_us = atomic_load(&i->deadline_us);
    return deadline_us != TIME_NEVER && clock_monotonic_us() >= deadline_us;
}

bool interrupt_is_due(const struct interrupt *i) {
    return atomic_load(&i->raised) || (i->cancel != NULL && atomic_load(i->cancel)) ||
           interrupt_is_late(i);
}

/* One poll, as long as it may last: until `until_us`, the deadline or the next look at `cancel`. */
static int wait_once(const struct interrupt *i, int fd, uint64_t until_us) {
    uint64_t now_us = clock_monotonic_us();
    uint64_t wait_us = u64_sub(u64_min(until_us, atomic_load(&i->deadline_us)), now_us);
    wait_us = u64_min(wait_us, i->cancel != NULL ? CANCEL_LOOK_US : US_PER_S);
    struct timespec t = {.tv_sec = (time_t)(wait_us / US_PER_S),
                         .tv_nsec = (long)(wait_us % US_PER_S * 1000)};
    struct pollfd fds[2] = {{.fd = i->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int n = ppoll(fds, fd < 0 ? 1 : 2, &t, NULL);
    if (n < 0) return errno == EINTR ? 0 : ERR_SYSTEM;
    return fd >= 0 && fds[1].revents != 0 ? 1 : 0;
}

int interrupt_sleep_until(const struct interrupt *i, uint64_t until_us) {
    for (;;) {
        if (interrupt_is_due(i)) return ERR_STATE;
        if (clock_monotonic_us() >= until_us) return 0;
        if (wait_once(i, -1, until_us) < 0) return ERR_STATE;
    }
}

int interrupt_wait_readable(const struct interrupt *i, int fd) {
    for (;;) {
        if (interrupt_is_due(i)) return ERR_STATE;
        int n = wait_once(i, fd, TIME_NEVER);
        if (n != 0) return n < 0 ? ERR_STATE : 0;
    }
}
