#include "core/io/udp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/io/loop.h"

#define DEADLINE_US (20 * US_PER_S)
#define DATAGRAMS 1000

static struct udp *open_loopback(void) {
    struct udp *udp = NULL;
    char why[UDP_WHY_MAX] = "";
    cr_assert_eq(udp_open(&udp, "127.0.0.1:0", why), 0, "%s", why);
    return udp;
}

static uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

/* Gives datagrams whose sizes and bytes follow from a seed: number first, so that order shows. */
struct source {
    struct endpoint to;
    struct rng rng;
    size_t next, count;
    size_t size; /* 0: mixed */
};

static size_t content(struct rng *rng, size_t number, size_t fixed, uint8_t *ret) {
    size_t size = fixed > 0 ? fixed : 8 + (size_t)rng_below(rng, 1193);
    for (size_t i = 0; i < size; i++) ret[i] = (uint8_t)(number * 7 + i);
    store_u32(ret, (uint32_t)number);
    return size;
}

static size_t pull_content(void *ctx, struct datagram *ret) {
    struct source *s = ctx;
    if (s->next == s->count) return 0;
    ret->peer = s->to;
    ret->len = content(&s->rng, s->next++, s->size, ret->data);
    return ret->len;
}

struct sink {
    struct rng rng;
    size_t next, size;
    struct endpoint from;
};

static void check_content(void *ctx, const struct datagram *d) {
    struct sink *s = ctx;
    uint8_t expected[DATAGRAM_MAX];
    cr_assert_eq(load_u32(d->data), s->next, "datagram %u where %zu was due", load_u32(d->data),
                 s->next);
    size_t len = content(&s->rng, s->next++, s->size, expected);
    cr_assert_eq(d->len, len);
    cr_assert_eq(memcmp(d->data, expected, len), 0);
    cr_assert(endpoint_equal(&d->peer, &s->from));
}

static void wait_readable(struct udp *udp, uint64_t deadline_us) {
    struct pollfd fd = {.fd = udp_fd(udp), .events = POLLIN};
    cr_assert_lt(clock_us(), deadline_us, "nothing came any more");
    poll(&fd, 1, 1000);
}

/* Sends in windows that a socket buffer holds even where it could not be enlarged. */
static void transfer(struct udp *from, struct udp *to, size_t count, size_t size) {
    uint64_t deadline_us = clock_us() + DEADLINE_US;
    struct source source = {.to = udp_local(to), .rng = rng_init(5), .size = size};
    struct sink sink = {.rng = rng_init(5), .size = size, .from = udp_local(from)};
    while (sink.next < count) {
        source.count = size_min(count, sink.next + 50);
        udp_send_from(from, pull_content, &source);
        while (sink.next < source.count) {
            wait_readable(to, deadline_us);
            udp_receive(to, check_content, &sink, SIZE_MAX);
        }
    }
    cr_assert_eq(udp_counters(from)->datagrams_out, count);
    cr_assert_eq(udp_counters(to)->datagrams_in, count);
    cr_assert_eq(udp_counters(from)->bytes_out, udp_counters(to)->bytes_in);
    cr_assert_eq(udp_counters(from)->send_errors, 0);
}

Test(udp, carries_a_thousand_datagrams_of_mixed_sizes_in_order) {
    struct udp *a = open_loopback(), *b = open_loopback();
    transfer(a, b, DATAGRAMS, 0);
    udp_close(a);
    udp_close(b);
}

Test(udp, sends_runs_of_one_size_in_few_calls_and_splits_what_arrives_merged) {
    struct udp *a = open_loopback(), *b = open_loopback();
    if (!udp_counters(a)->gso_active || !udp_counters(b)->gro_active)
        cr_skip_test("this kernel has no UDP_SEGMENT or UDP_GRO");
    transfer(a, b, DATAGRAMS, 1200);
    cr_assert(udp_counters(a)->gso_active, "loopback takes segments");
    cr_assert_leq(udp_counters(a)->send_calls, DATAGRAMS / 50 * 2);
    /* Merged messages: 1,000 datagrams in fewer reads of 16 messages than they alone would need. */
    cr_assert_lt(udp_counters(b)->receive_calls, DATAGRAMS / 16);
    udp_close(a);
    udp_close(b);
}

Test(udp, carries_the_same_bytes_without_offload) {
    struct udp *a = open_loopback(), *b = open_loopback();
    udp_set_offload(a, false);
    udp_set_offload(b, false);
    cr_assert_not(udp_counters(a)->gso_active);
    transfer(a, b, DATAGRAMS, 1200);
    udp_close(a);
    udp_close(b);
}

/* A run that ends in a shorter datagram, a longer one after it, and a second peer in between. */
struct script {
    const struct endpoint *to[6];
    size_t sizes[6];
    size_t next;
};

static size_t pull_script(void *ctx, struct datagram *ret) {
    struct script *s = ctx;
    if (s->next == ARRAY_LEN(s->sizes)) return 0;
    ret->peer = *s->to[s->next];
    ret->len = s->sizes[s->next];
    memset(ret->data, (int)(s->next + 1), ret->len);
    s->next++;
    return ret->len;
}

struct arrivals {
    size_t len;
    size_t sizes[6];
    uint8_t first[6];
};

static void note_arrival(void *ctx, const struct datagram *d) {
    struct arrivals *a = ctx;
    cr_assert_lt(a->len, ARRAY_LEN(a->sizes));
    a->sizes[a->len] = d->len;
    a->first[a->len++] = d->data[0];
}

static void receive_count(struct udp *udp, struct arrivals *ret, size_t count) {
    uint64_t deadline_us = clock_us() + DEADLINE_US;
    while (ret->len < count) {
        wait_readable(udp, deadline_us);
        udp_receive(udp, note_arrival, ret, SIZE_MAX);
    }
}

Test(udp, ends_a_run_at_another_size_or_peer) {
    struct udp *a = open_loopback(), *b = open_loopback(), *c = open_loopback();
    struct endpoint to_b = udp_local(b), to_c = udp_local(c);
    struct script script = {.to = {&to_b, &to_b, &to_b, &to_b, &to_c, &to_b},
                            .sizes = {900, 900, 300, 900, 900, 900}};
    struct arrivals at_b = {0}, at_c = {0};
    cr_assert_eq(udp_send_from(a, pull_script, &script), 6);
    receive_count(b, &at_b, 5);
    receive_count(c, &at_c, 1);
    static const size_t sizes[] = {900, 900, 300, 900, 900};
    static const uint8_t first[] = {1, 2, 3, 4, 6};
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(at_b.sizes[i], sizes[i]);
        cr_assert_eq(at_b.first[i], first[i]);
    }
    cr_assert_eq(at_c.first[0], 5);
    udp_close(a);
    udp_close(b);
    udp_close(c);
}

Test(udp, counts_what_cannot_be_sent_and_goes_on) {
    struct udp *a = open_loopback(), *b = open_loopback();
    struct endpoint good = udp_local(b), none = {0}, public;
    /* A socket bound to loopback has no way out, so nothing leaves the machine. */
    cr_assert_eq(endpoint_parse("192.0.2.1:9", &public), 0);
    struct script script = {.to = {&none, &public, &public, &good, &public, &good},
                            .sizes = {100, 100, 100, 100, 100, 100}};
    struct arrivals arrivals = {0};
    udp_send_from(a, pull_script, &script);
    cr_assert_eq(script.next, 6);
    receive_count(b, &arrivals, 2);
    cr_assert_eq(udp_counters(a)->send_errors, 4);
    cr_assert_eq(udp_counters(a)->datagrams_out, 2);
    cr_assert_not(udp_is_blocked(a));
    udp_close(a);
    udp_close(b);
}

Test(udp, gives_no_more_than_the_budget_and_the_rest_later) {
    struct udp *a = open_loopback(), *b = open_loopback();
    udp_set_offload(b, false);
    struct endpoint to_b = udp_local(b);
    struct script script = {.to = {&to_b, &to_b, &to_b, &to_b, &to_b, &to_b},
                            .sizes = {10, 20, 30, 40, 50, 60}};
    struct arrivals arrivals = {0};
    cr_assert_eq(udp_send_from(a, pull_script, &script), 6);
    wait_readable(b, clock_us() + DEADLINE_US);
    cr_assert_leq(udp_receive(b, note_arrival, &arrivals, 4), 4);
    cr_assert_leq(arrivals.len, 4);
    receive_count(b, &arrivals, 6);
    udp_close(a);
    udp_close(b);
}

Test(udp, names_the_address_that_is_in_use) {
    struct udp *a = open_loopback(), *b = NULL;
    char address[ENDPOINT_TEXT_MAX], why[UDP_WHY_MAX] = "";
    struct endpoint taken = udp_local(a);
    endpoint_format(&taken, address);
    cr_assert_eq(udp_open(&b, address, why), ERR_EXISTS);
    cr_assert_null(b);
    cr_assert_not_null(strstr(why, address), "%s", why);
    cr_assert_not_null(strstr(why, "in use"), "%s", why);
    udp_close(a);
}

Test(udp, quotes_an_address_that_is_malformed) {
    static const char *const bad[] = {"", "x", "70000", "127.0.0.1", "host:7000", "127.0.0.1:x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct udp *udp = NULL;
        char why[UDP_WHY_MAX] = "";
        cr_assert_eq(udp_open(&udp, bad[i], why), ERR_FORMAT, "%s", bad[i]);
        cr_assert_not_null(strstr(why, bad[i]));
        cr_assert_null(udp);
    }
}

Test(udp, listens_on_a_bare_port_for_both_families) {
    struct udp *a = NULL, *b = open_loopback();
    char why[UDP_WHY_MAX] = "";
    cr_assert_eq(udp_open(&a, "0", why), 0, "%s", why);
    struct endpoint bound = udp_local(a), to;
    cr_assert_neq(bound.port, 0);
    char text[ENDPOINT_TEXT_MAX];
    snprintf(text, sizeof text, "127.0.0.1:%u", bound.port);
    cr_assert_eq(endpoint_parse(text, &to), 0);
    struct script script = {.to = {&to, &to, &to, &to, &to, &to}, .sizes = {1, 1, 1, 1, 1, 1}};
    struct arrivals arrivals = {0};
    cr_assert_eq(udp_send_from(b, pull_script, &script), 6);
    receive_count(a, &arrivals, 6);
    udp_close(a);
    udp_close(b);
}

/* Stands before the C library's: refuses as often as a test says, and takes at most `most`. */
static struct {
    int error, times;
    bool only_segmented;
    unsigned most;
} refusal;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags) {
    bool segmented = messages[0].msg_hdr.msg_controllen > 0;
    if (refusal.times > 0 && (segmented || !refusal.only_segmented)) {
        refusal.times--;
        errno = refusal.error;
        return -1;
    }
    if (refusal.most > 0 && n > refusal.most) n = refusal.most;
    return (int)syscall(SYS_sendmmsg, fd, messages, n, flags);
}

Test(udp, keeps_what_was_pulled_while_the_socket_is_full) {
    struct udp *a = open_loopback(), *b = open_loopback();
    struct source source = {.to = udp_local(b), .rng = rng_init(5), .count = 60};
    struct sink sink = {.rng = rng_init(5), .from = udp_local(a)};
    refusal.error = EAGAIN;
    refusal.times = 1;
    cr_assert_eq(udp_send_from(a, pull_content, &source), 0);
    cr_assert(udp_is_blocked(a));
    cr_assert_eq(source.next, 60);
    cr_assert_eq(udp_send_from(a, pull_content, &source), 60);
    cr_assert_not(udp_is_blocked(a));
    uint64_t deadline_us = clock_us() + DEADLINE_US;
    while (sink.next < 60) {
        wait_readable(b, deadline_us);
        udp_receive(b, check_content, &sink, SIZE_MAX);
    }
    cr_assert_eq(udp_counters(a)->send_errors, 0);
    udp_close(a);
    udp_close(b);
}

Test(udp, goes_on_where_the_system_took_a_part_of_a_batch) {
    struct udp *a = open_loopback(), *b = open_loopback();
    refusal.most = 3;
    transfer(a, b, 200, 0);
    udp_close(a);
    udp_close(b);
}

Test(udp, gives_up_segments_that_a_device_refuses_and_loses_nothing) {
    static const int refusals[] = {EIO, EINVAL, EOPNOTSUPP};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct udp *a = open_loopback(), *b = open_loopback();
        if (!udp_counters(a)->gso_active) cr_skip_test("this kernel has no UDP_SEGMENT");
        refusal.error = refusals[i];
        refusal.times = 1;
        refusal.only_segmented = true;
        transfer(a, b, 200, 1000);
        cr_assert_eq(refusal.times, 0, "segments were tried");
        cr_assert_not(udp_counters(a)->gso_active);
        udp_set_offload(a, true);
        cr_assert_not(udp_counters(a)->gso_active, "refused once is refused for good");
        udp_close(a);
        udp_close(b);
    }
}

Test(udp, keeps_segments_where_only_a_size_was_refused) {
    struct udp *a = open_loopback(), *b = open_loopback();
    if (!udp_counters(a)->gso_active) cr_skip_test("this kernel has no UDP_SEGMENT");
    refusal.error = EMSGSIZE;
    refusal.times = 1;
    refusal.only_segmented = true;
    transfer(a, b, 200, 1000);
    cr_assert_eq(refusal.times, 0);
    cr_assert(udp_counters(a)->gso_active);
    udp_close(a);
    udp_close(b);
}

Test(udp, takes_a_refused_datagram_for_lost) {
    static const int refusals[] = {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ENOBUFS,
                                   EMSGSIZE,     EPERM,       EINVAL};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct udp *a = open_loopback(), *b = open_loopback();
        struct endpoint to = udp_local(b);
        struct script script = {.to = {&to, &to, &to, &to, &to, &to},
                                .sizes = {6, 7, 8, 9, 10, 11}};
        udp_set_offload(a, false);
        refusal.error = refusals[i];
        refusal.times = 1;
        cr_assert_eq(udp_send_from(a, pull_script, &script), 5);
        cr_assert_eq(udp_counters(a)->send_errors, 1);
        cr_assert_eq(udp_counters(a)->datagrams_out, 5);
        udp_close(a);
        udp_close(b);
    }
}

Test(udp, sends_again_after_a_signal) {
    struct udp *a = open_loopback(), *b = open_loopback();
    refusal.error = EINTR;
    refusal.times = 3;
    transfer(a, b, 50, 0);
    udp_close(a);
    udp_close(b);
}

/* Stands before the C library's: a machine without IPv6, where a test says so. */
static bool without_ipv6;

int socket(int domain, int type, int protocol) {
    if (without_ipv6 && domain == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

Test(udp, falls_back_to_ipv4_where_the_machine_has_no_ipv6) {
    without_ipv6 = true;
    struct udp *a = NULL, *b = open_loopback();
    char why[UDP_WHY_MAX] = "";
    cr_assert_eq(udp_open(&a, "0", why), 0, "%s", why);
    struct endpoint bound = udp_local(a), to = udp_local(b), away;
    cr_assert(endpoint_is_ipv4(&bound));
    udp_close(a);
    a = open_loopback();
    transfer(a, b, 200, 1000);
    cr_assert_eq(endpoint_parse("[::1]:9", &away), 0);
    struct script script = {.to = {&to, &away, &to, &away, &to, &to}, .sizes = {1, 1, 1, 1, 1, 1}};
    cr_assert_eq(udp_send_from(a, pull_script, &script), 4);
    cr_assert_eq(udp_counters(a)->send_errors, 2);
    udp_close(a);
    cr_assert_eq(udp_open(&a, "[::1]:0", why), ERR_SYSTEM);
    cr_assert_not_null(strstr(why, "[::1]:0"), "%s", why);
    udp_close(b);
}
