/* router - the lab's network: reads commands from standard input, one a line, and answers each with
 * one line. It ends with its input, so it does not outlive who started it. The commands stand in
 * tests/lab/README.md. */
#include "tests/lab/router.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define EVENTS_MAX 64
#define TICK_NS (100 * NS_PER_US) /* packets of one tick are handled together */
#define COMMANDS ROUTER_HOSTS_MAX /* the descriptor that is no host's */

struct input {
    size_t len;
    char line[LINE_MAX_BYTES];
};

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void watch(int epoll, int fd, uint32_t number) {
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) exit(1);
}

/* One whole line of input. */
static bool obey(struct router *r, int epoll, char *line) {
    size_t hosts_len = r->hosts_len;
    bool goes_on = router_command(r, line, clock_ns(), stdout);
    if (r->hosts_len > hosts_len) watch(epoll, r->hosts[hosts_len].device, (uint32_t)hosts_len);
    return fflush(stdout) == 0 && goes_on;
}

static bool read_commands(struct router *r, int epoll, struct input *in) {
    ssize_t n = read(STDIN_FILENO, in->line + in->len, sizeof in->line - in->len);
    if (n <= 0) return n < 0 && errno == EINTR;
    in->len += (size_t)n;
    char *end;
    while ((end = memchr(in->line, '\n', in->len)) != NULL) {
        size_t used = (size_t)(end - in->line) + 1;
        *end = 0;
        if (!obey(r, epoll, in->line)) return false;
        in->len -= used;
        memmove(in->line, in->line + used, in->len);
    }
    return in->len < sizeof in->line; /* no command is that long */
}

/* Until something is due or comes, and at least to the end of the tick: one wake for each packet
 * would cost more than the packets do. */
static int wait_for_work(struct router *r, int epoll, uint64_t *tick_ns,
                         struct epoll_event *events) {
    uint64_t now_ns = clock_ns();
    if (now_ns < *tick_ns) {
        struct timespec left = {.tv_nsec = (long)(*tick_ns - now_ns)};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
        now_ns = clock_ns();
    }
    uint64_t due_ns = u64_min(packet_queue_deadline(r->queue), load_deadline(&r->load));
    uint64_t wait_ns = u64_sub(due_ns, now_ns);
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
                               .tv_nsec = (long)(wait_ns % NS_PER_S)};
    int n = epoll_pwait2(epoll, events, EVENTS_MAX, &timeout, NULL);
    *tick_ns = clock_ns() + TICK_NS;
    return n;
}

static void route(struct router *r, int epoll) {
    static struct input in;
    struct epoll_event events[EVENTS_MAX];
    uint64_t tick_ns = 0;
    for (;;) {
        int n = wait_for_work(r, epoll, &tick_ns, events);
        uint64_t now_ns = clock_ns();
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 != COMMANDS)
                router_read(r, events[i].data.u32, now_ns);
            else if (!read_commands(r, epoll, &in))
                return;
        }
        now_ns = clock_ns();
        router_run(r, now_ns);
        if (now_ns >= load_deadline(&r->load)) load_sample(&r->load, now_ns);
    }
}

/* Ahead of the hosts' processes, whose sends it times; without the right to it, the result tells
 * where it came late. */
static void hurry(void) {
    struct sched_param p = {.sched_priority = 1};
    prctl(PR_SET_TIMERSLACK, 1);
    if (sched_setscheduler(0, SCHED_RR, &p) != 0) fputs("router: no real-time priority\n", stderr);
}

int main(void) {
    struct router *r = calloc(1, sizeof *r);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r != NULL) r->queue = packet_queue_new();
    if (r == NULL || r->queue == NULL || epoll < 0) {
        fputs("router: out of memory or descriptors\n", stderr);
        return 1;
    }
    hurry();
    r->rng = rng_init(1);
    load_mark(&r->load, clock_ns());
    watch(epoll, STDIN_FILENO, COMMANDS);
    route(r, epoll);
    packet_queue_free(r->queue);
    free(r);
    close(epoll);
    return 0;
}
