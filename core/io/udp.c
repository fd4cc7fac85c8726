#include "core/io/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/io/udp_address.h"

#define MERGED_BYTES 65535  /* the largest UDP message */
#define GSO_BYTES_MAX 65000 /* of payload in one message, with room for the headers */
#define GSO_SEGMENTS_MAX 64 /* UDP_MAX_SEGMENTS of the kernels before 6.9 */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(int)))

struct receive_batch {
    struct mmsghdr messages[UDP_RECEIVE_BATCH];
    struct iovec iov[UDP_RECEIVE_BATCH];
    struct sockaddr_storage from[UDP_RECEIVE_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[UDP_RECEIVE_BATCH][CONTROL_BYTES];
    uint8_t data[UDP_RECEIVE_BATCH][MERGED_BYTES];
};

/* A ring is not needed: the batch is sent from `first`, and refilled when it is empty. */
struct send_batch {
    size_t first, len;
    struct datagram datagrams[UDP_SEND_BATCH];
    struct mmsghdr messages[UDP_SEND_BATCH];
    struct iovec iov[UDP_SEND_BATCH];
    size_t runs[UDP_SEND_BATCH]; /* datagrams in each message */
    struct sockaddr_storage to[UDP_SEND_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[UDP_SEND_BATCH][CONTROL_BYTES];
    uint8_t data[UDP_SEND_BATCH][DATAGRAM_MAX];
};

struct udp {
    int fd;
    bool ipv6;
    bool gso_refused, gro_refused;
    size_t alone; /* datagrams at the front of the batch that go one a message: their run failed */
    int alone_errno; /* why that run failed */
    struct udp_counters counters;
    struct receive_batch in;
    struct send_batch out;
};

static void buffer_set(int fd, int option, int option_forced) {
    int bytes = UDP_BUFFER_BYTES;
    /* The forced form passes the system's limit and needs CAP_NET_ADMIN; either is a wish. */
    if (setsockopt(fd, SOL_SOCKET, option_forced, &bytes, sizeof bytes) != 0)
        (void)setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
}

static void options_set(struct udp *udp) {
    buffer_set(udp->fd, SO_RCVBUF, SO_RCVBUFFORCE);
    buffer_set(udp->fd, SO_SNDBUF, SO_SNDBUFFORCE);
    int probe = IP_PMTUDISC_PROBE;
    (void)setsockopt(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
    probe = IPV6_PMTUDISC_PROBE;
    if (udp->ipv6) (void)setsockopt(udp->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe);
    int segment = 0; /* as a default for the socket it means none, but an old kernel refuses it */
    udp->gso_refused = setsockopt(udp->fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0;
    udp->counters.gso_active = !udp->gso_refused;
    udp_set_offload(udp, true);
}

void udp_set_offload(struct udp *udp, bool on) {
    int value = on;
    bool failed = setsockopt(udp->fd, SOL_UDP, UDP_GRO, &value, sizeof value) != 0;
    udp->gro_refused |= on && failed;
    udp->counters.gro_active = on && !udp->gro_refused;
    udp->counters.gso_active = on && !udp->gso_refused;
}

static int open_error(int system_error, const char *address, char *why) {
    bool in_use = system_error == EADDRINUSE;
    const char *text = strerror(system_error);
    if (in_use) text = "in use by another program; choose another port, or 0 for a free one";
    if (system_error == EADDRNOTAVAIL) text = "this machine has no such address";
    if (system_error == EACCES) text = "ports below 1024 are not for everybody; choose another";
    snprintf(why, UDP_WHY_MAX, "cannot listen on %s: %s", address, text);
    if (in_use) return ERR_EXISTS;
    return system_error == EACCES || system_error == EPERM ? ERR_PERMISSION : ERR_SYSTEM;
}

/* Returns 0 or the system's error. */
static int socket_bind(struct udp *udp, const struct endpoint *e, bool ipv6) {
    udp->ipv6 = ipv6;
    udp->fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->fd < 0) return errno;
    int off = 0;
    if (ipv6 && setsockopt(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) goto failed;
    struct sockaddr_storage ss;
    socklen_t len = udp_address_from_endpoint(e, ipv6, &ss);
    if (bind(udp->fd, (struct sockaddr *)&ss, len) == 0) return 0;
failed:;
    int system_error = errno;
    close(udp->fd);
    udp->fd = -1;
    return system_error;
}

int udp_open(struct udp **ret, const char *address, char *why) {
    struct endpoint e;
    int err = udp_address_parse(address, &e);
    if (err) {
        snprintf(why, UDP_WHY_MAX,
                 "\"%.60s\" is no address to listen on: PORT or ADDRESS:PORT, numeric", address);
        return err;
    }
    struct udp *udp = calloc(1, sizeof *udp);
    if (udp == NULL) {
        snprintf(why, UDP_WHY_MAX, "cannot listen on %s: %s", address, err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    int failed = socket_bind(udp, &e, true);
    bool no_ipv6 = failed == EAFNOSUPPORT || failed == EADDRNOTAVAIL;
    if (no_ipv6 && udp_address_fits_ipv4(&e)) failed = socket_bind(udp, &e, false);
    if (failed != 0) {
        free(udp);
        return open_error(failed, address, why);
    }
    options_set(udp);
    *ret = udp;
    return 0;
}

void udp_close(struct udp *udp) {
    if (udp == NULL) return;
    close(udp->fd);
    free(udp);
}

int udp_fd(const struct udp *udp) { return udp->fd; }
const struct udp_counters *udp_counters(const struct udp *udp) { return &udp->counters; }
bool udp_is_blocked(const struct udp *udp) { return udp->out.len > 0; }

struct endpoint udp_local(const struct udp *udp) {
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    int failed = getsockname(udp->fd, (struct sockaddr *)&ss, &len);
    struct endpoint e;
    bool known = failed == 0 && udp_address_to_endpoint((struct sockaddr *)&ss, &e);
    assert(known); /* our own socket, of a family that we chose */
    return e;
}

/* The size that the kernel merged by, or 0 for a message of one datagram. */
static size_t merged_size(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
        int size;
        memcpy(&size, CMSG_DATA(c), sizeof size);
        return size > 0 ? (size_t)size : 0;
    }
    return 0;
}

static void deliver(struct udp *udp, size_t index, udp_handler_fn handler, void *ctx,
                    size_t *handed) {
    struct receive_batch *in = &udp->in;
    struct endpoint from;
    if (!udp_address_to_endpoint((struct sockaddr *)&in->from[index], &from)) return;
    size_t len = in->messages[index].msg_len;
    size_t size = merged_size(&in->messages[index].msg_hdr);
    if (size == 0) size = len;
    for (size_t at = 0; at < len; at += size) {
        struct datagram d = {.peer = from, .data = in->data[index] + at};
        d.len = d.capacity = size_min(size, len - at);
        *handed += 1;
        if (d.len > DATAGRAM_MAX) {
            udp->counters.truncated_in++;
            continue;
        }
        udp->counters.datagrams_in++;
        udp->counters.bytes_in += d.len;
        handler(ctx, &d);
    }
}

/* Returns how many messages came, or -1. */
static int receive_some(struct udp *udp, size_t n) {
    struct receive_batch *in = &udp->in;
    for (size_t i = 0; i < n; i++) {
        in->iov[i] = (struct iovec){in->data[i], MERGED_BYTES};
        in->messages[i].msg_hdr = (struct msghdr){.msg_name = &in->from[i],
                                                  .msg_namelen = sizeof in->from[i],
                                                  .msg_iov = &in->iov[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = in->control[i],
                                                  .msg_controllen = CONTROL_BYTES};
    }
    udp->counters.receive_calls++;
    return recvmmsg(udp->fd, in->messages, (unsigned)n, MSG_DONTWAIT, NULL);
}

size_t udp_receive(struct udp *udp, udp_handler_fn handler, void *ctx, size_t budget) {
    size_t handed = 0, refused = 0;
    while (handed + refused < budget) {
        size_t n = size_min(UDP_RECEIVE_BATCH, budget - handed - refused);
        int got = receive_some(udp, n);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (got < 0) { /* an error of an earlier send, or a signal: reading on clears it */
            refused++;
            continue;
        }
        for (size_t i = 0; i < (size_t)got; i++) deliver(udp, i, handler, ctx, &handed);
        if ((size_t)got < n) break;
    }
    return handed;
}

/* What this socket can address at all. */
static bool can_send(const struct udp *udp, const struct datagram *d) {
    return d->len <= DATAGRAM_MAX && !endpoint_is_empty(&d->peer) &&
           (udp->ipv6 || endpoint_is_ipv4(&d->peer));
}

static void batch_fill(struct udp *udp, udp_pull_fn pull, void *ctx) {
    struct send_batch *out = &udp->out;
    out->first = 0;
    while (out->len < UDP_SEND_BATCH) {
        struct datagram *d = &out->datagrams[out->len];
        *d = (struct datagram){.data = out->data[out->len], .capacity = DATAGRAM_MAX};
        d->len = pull(ctx, d);
        if (d->len == 0) return;
        if (can_send(udp, d))
            out->len++;
        else
            udp->counters.send_errors++;
    }
}

/* How many datagrams from `at` on can leave as one message: one peer, one size; the last may be
 * shorter. */
static size_t run_length(const struct udp *udp, size_t at, size_t end) {
    const struct datagram *d = udp->out.datagrams;
    if (!udp->counters.gso_active || at < udp->out.first + udp->alone) return 1;
    size_t n = 1, bytes = d[at].len;
    while (at + n < end && n < GSO_SEGMENTS_MAX) {
        const struct datagram *next = &d[at + n];
        if (next->len > d[at].len || !endpoint_equal(&next->peer, &d[at].peer)) break;
        if (bytes + next->len > GSO_BYTES_MAX) break;
        bytes += next->len;
        n++;
        if (next->len < d[at].len) break;
    }
    return n;
}

static void message_build(struct udp *udp, size_t index, size_t at, size_t n) {
    struct send_batch *out = &udp->out;
    for (size_t i = at; i < at + n; i++)
        out->iov[i] = (struct iovec){out->datagrams[i].data, out->datagrams[i].len};
    struct msghdr *h = &out->messages[index].msg_hdr;
    *h = (struct msghdr){.msg_name = &out->to[index], .msg_iov = &out->iov[at], .msg_iovlen = n};
    h->msg_namelen =
        udp_address_from_endpoint(&out->datagrams[at].peer, udp->ipv6, &out->to[index]);
    out->runs[index] = n;
    if (n == 1) return;
    h->msg_control = out->control[index];
    h->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    uint16_t size = (uint16_t)out->datagrams[at].len;
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof size), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
    memcpy(CMSG_DATA(c), &size, sizeof size);
}

/* Takes `n` datagrams off the front. */
static void batch_drop(struct udp *udp, size_t n) {
    udp->out.first += n;
    udp->out.len -= n;
    udp->alone = udp->alone > n ? udp->alone - n : 0;
}

static size_t batch_sent(struct udp *udp, size_t messages) {
    size_t n = 0;
    for (size_t i = 0; i < messages; i++) n += udp->out.runs[i];
    /* Sent alone, refused together: offload is what the system does not like here. A size over the
     * device's limit fails alone too, and is no reason to give it up. */
    if (udp->alone > 0 && udp->alone_errno != EMSGSIZE) {
        udp->gso_refused = true;
        udp->counters.gso_active = false;
    }
    for (size_t i = udp->out.first; i < udp->out.first + n; i++)
        udp->counters.bytes_out += udp->out.datagrams[i].len;
    udp->counters.datagrams_out += n;
    batch_drop(udp, n);
    return n;
}

/* The first message of the batch was refused. Returns false where the socket is full. */
static bool batch_refused(struct udp *udp, int error) {
    size_t run = udp->out.runs[0];
    if (error == EINTR) return true;
    if (error == EAGAIN || error == EWOULDBLOCK) return false;
    if (run > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP)) {
        udp->alone = run;
        udp->alone_errno = error;
        return true;
    }
    /* No route, refused by a filter, too large, no memory in the device: lost, as on the way. */
    udp->counters.send_errors += run;
    batch_drop(udp, run);
    return true;
}

size_t udp_send_from(struct udp *udp, udp_pull_fn pull, void *ctx) {
    struct send_batch *out = &udp->out;
    size_t sent = 0;
    for (;;) {
        if (out->len == 0) batch_fill(udp, pull, ctx);
        if (out->len == 0) return sent;
        size_t end = out->first + out->len;
        unsigned messages = 0;
        for (size_t at = out->first; at < end; at += out->runs[messages - 1])
            message_build(udp, messages++, at, run_length(udp, at, end));
        udp->counters.send_calls++;
        int taken = sendmmsg(udp->fd, out->messages, messages, MSG_DONTWAIT);
        if (taken > 0)
            sent += batch_sent(udp, (size_t)taken);
        else if (!batch_refused(udp, errno))
            return sent;
    }
}
