#include "cli/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/host_internal.h"
#include "cli/keyfile.h"
#include "cli/log.h"
#include "core/base/err.h"
#include "core/io/local.h"

#define RECEIVE_BUDGET 256 /* datagrams before the timers get their turn */
#define TRACED_ID_BYTES 4
#define ENDPOINTS_EVERY 30 /* seconds between looks at this machine's addresses */

struct node *host_node(struct host *h) {
    return h->node;
}
struct loop *host_loop(struct host *h) {
    return h->loop;
}
void host_set_broadcast_key(struct host *h, const struct sign_key *key) { h->broadcast_key = key; }
void host_set_http(struct host *h, const char *url) { h->http_url = url; }
uint64_t host_upload_bps(const struct host *h) { return h->upload_bps; }

void host_announce_line(bool media_on_stdout, const char *word, const char *text) {
    FILE *to = media_on_stdout ? stderr : stdout;
    fprintf(to, "%s %s\n", word, text);
    fflush(to);
}

static size_t pull(void *ctx, struct datagram *ret) {
    struct host *h = ctx;
    return node_transmit(h->node, ret, loop_now_us(h->loop));
}

static void warn_clock(int64_t ahead_s) {
    if (ahead_s < 0)
        log_warn("clock",
                 "this machine's clock is %lld s behind the source's: set it, or others may not "
                 "find this peer",
                 (long long)-ahead_s);
    else
        log_warn("clock",
                 "what comes was captured %lld minutes ago and is not shown: this machine's clock "
                 "is ahead, or somebody replays an old broadcast",
                 (long long)(ahead_s / 60));
}

static void dispatch(struct host *h, struct node_event *e) {
    const struct host_handler *handler = h->config.handler;
    void *ctx = h->config.ctx;
    switch (e->type) {
    case NODE_EVENT_MANIFEST:
        if (handler->manifest) handler->manifest(ctx, e->channel, e->new_broadcast);
        break;
    case NODE_EVENT_FRAGMENT:
        if (handler->fragment) handler->fragment(ctx, e->channel, e->fragment);
        fragment_unref(e->fragment);
        break;
    case NODE_EVENT_END:
        if (handler->end) handler->end(ctx, e->channel);
        break;
    case NODE_EVENT_OUTBID:
        if (handler->outbid) handler->outbid(ctx, e->broadcast);
        break;
    case NODE_EVENT_PEER_BANNED:
        log_debug("swarm", "peer dropped and kept away: %s", err_text(e->err));
        break;
    case NODE_EVENT_CLOCK: warn_clock(e->clock_error_us / (int64_t)US_PER_S); break;
    default: find_event(h, e); break;
    }
}

/* A handler may call the node again, and so this: the outer call goes round once more. */
void host_pump(struct host *h) {
    h->pump_again = true;
    if (h->pumping) return;
    h->pumping = true;
    while (h->pump_again) {
        h->pump_again = false;
        struct node_event e;
        while (node_next_event(h->node, &e)) dispatch(h, &e);
        if (udp_is_blocked(h->udp)) break;
        (void)udp_send_from(h->udp, pull, h);
    }
    h->pumping = false;
    loop_watch_want(h->udp_watch, LOOP_READ | (udp_is_blocked(h->udp) ? LOOP_WRITE : 0u));
    loop_timer_at(h->node_timer, node_deadline(h->node));
}

static void on_datagram(void *ctx, const struct datagram *d) {
    struct host *h = ctx;
    node_receive(h->node, d, loop_now_us(h->loop));
}

static void on_socket(void *ctx, unsigned ready, uint64_t now_us) {
    struct host *h = ctx;
    (void)now_us;
    if (ready & LOOP_WRITE) (void)udp_send_from(h->udp, pull, h);
    if (ready & LOOP_READ) (void)udp_receive(h->udp, on_datagram, h, RECEIVE_BUDGET);
    host_pump(h);
}

static void on_node_timer(void *ctx, uint64_t now_us) {
    struct host *h = ctx;
    node_expire(h->node, now_us);
    host_pump(h);
}

static void set_endpoints(struct host *h) {
    struct endpoint bound = udp_local(h->udp);
    struct endpoint endpoints[HOLDER_ENDPOINTS_MAX];
    size_t len = io_local_endpoints(&bound, endpoints, HOLDER_ENDPOINTS_MAX);
    node_set_endpoints(h->node, endpoints, len);
}

static void on_second(void *ctx, uint64_t now_us) {
    struct host *h = ctx;
    node_set_utc(h->node, loop_utc_us(), now_us);
    if (now_us / US_PER_S % ENDPOINTS_EVERY == 0) set_endpoints(h);
    find_second(h);
    figures_second(h, now_us);
    host_pump(h);
    loop_timer_at(h->second_timer, now_us + US_PER_S - now_us % US_PER_S);
}

/* Says what could not be had, and gives the error back. */
static int refused(const char *what) {
    log_error("%s", what);
    return ERR_SYSTEM;
}

static int open_socket(struct host *h) {
    const struct address *listen = &h->options->listen;
    char text[ENDPOINT_TEXT_MAX], why[UDP_WHY_MAX];
    static const uint8_t all[16];
    if (memcmp(listen->at.ip, all, sizeof all) == 0)
        snprintf(text, sizeof text, "%u", listen->at.port); /* every address, IPv4 and IPv6 */
    else
        endpoint_format(&listen->at, text);
    int err = udp_open(&h->udp, text, why);
    if (err) {
        log_error("--listen: %s", why);
        return err;
    }
    struct endpoint bound = udp_local(h->udp);
    endpoint_format(&bound, h->listen_text);
    return 0;
}

/* What the engine decides, with --log trace: enough of a peer's id to tell it from others. */
static void on_trace(void *ctx, const struct trace_event *e) {
    char peer[2 * TRACED_ID_BYTES + 1] = "", text[TRACE_TEXT_MAX];
    const struct host *h = ctx;
    for (size_t i = 0; e->peer != NULL && i < TRACED_ID_BYTES; i++)
        snprintf(peer + 2 * i, 3, "%02x", e->peer->bytes[i]);
    trace_format(e, peer, text);
    log_trace("swarm", "%.3f %s", (double)u64_sub(e->now_us, h->start_us) / (double)US_PER_S, text);
}

static int open_node(struct host *h) {
    const struct options *o = h->options;
    uint64_t now_us = loop_refresh(h->loop);
    struct random random = random_from_system();
    struct node_config config = {
        .identity = &h->identity.sign,
        .role = h->config.role,
        .max_upload_bps = !h->config.serves            ? 0
                          : o->max_upload == UNLIMITED ? NODE_UPLOAD_UNLIMITED
                                                       : o->max_upload,
        .neighbours_max = h->config.neighbours_max,
        .memory_max = h->config.memory_max,
        .trace = log_is_on(LOG_TRACE) ? on_trace : NULL,
        .trace_context = h,
    };
    config.seed = random_u64(&random);
    config.random = random_from_system();
    secret_erase(&random, sizeof random);
    h->node = node_new(&config, now_us);
    secret_erase(&config.random, sizeof config.random);
    if (h->node == NULL) return refused("out of memory");
    node_set_utc(h->node, loop_utc_us(), now_us);
    set_endpoints(h);
    return 0;
}

static int open_loop(struct host *h) {
    h->loop = loop_new();
    if (h->loop == NULL || loop_stop_on_signals(h->loop)) return refused("no event loop");
    int err = open_socket(h);
    if (!err) err = open_node(h);
    if (err) return err;
    h->udp_watch = loop_watch_new(h->loop, udp_fd(h->udp), on_socket, h);
    h->node_timer = loop_timer_new(h->loop, on_node_timer, h);
    h->second_timer = loop_timer_new(h->loop, on_second, h);
    if (!h->udp_watch || !h->node_timer || !h->second_timer) return refused("out of memory");
    loop_watch_want(h->udp_watch, LOOP_READ);
    return 0;
}

static void take_identity(struct host *h) {
    struct random random = random_from_system();
    char message[KEYFILE_MESSAGE_MAX] = "";
    if (h->config.keeps_identity)
        peerkey_take(&h->identity, h->config.role_name, &random, message);
    else
        peerkey_fresh(&h->identity, &random);
    secret_erase(&random, sizeof random);
    if (message[0] != '\0') log_info("peer", "%s", message);
}

int host_open(struct host **ret, const struct host_config *config) {
    struct host *h = calloc(1, sizeof *h);
    if (h == NULL) return refused("out of memory");
    h->options = config->options;
    h->config = *config;
    h->stats_fd = -1;
    h->holder_us = STATS_NONE;
    h->start_us = stats_process_start_us();
    take_identity(h);
    int err = figures_open(h);
    if (!err) err = open_loop(h);
    if (!err) err = find_open(h);
    if (err) {
        host_close(h);
        return err;
    }
    uint64_t now_us = loop_refresh(h->loop);
    loop_timer_at(h->second_timer, now_us + US_PER_S - now_us % US_PER_S);
    *ret = h;
    return 0;
}

void host_close(struct host *h) {
    if (h == NULL) return;
    find_close(h);
    figures_close(h);
    loop_timer_free(h->node_timer);
    loop_timer_free(h->second_timer);
    loop_watch_free(h->udp_watch);
    node_free(h->node);
    udp_close(h->udp);
    loop_free(h->loop);
    peerkey_release(&h->identity);
    free(h);
}

int host_join(struct host *h, const struct channel_link *link, bool plays) {
    uint64_t now_us = loop_refresh(h->loop);
    int channel = node_join(h->node, &link->channel, link->has_read_key ? &link->read_key : NULL,
                            plays, now_us);
    if (channel < 0) {
        log_error("cannot take part in the channel: %s", err_text(channel));
        return channel;
    }
    if (h->channels_len++ == 0)
        channel_link_format(&(struct channel_link){.channel = link->channel}, h->channel_text);
    find_join(h, channel, link);
    host_pump(h);
    return channel;
}

int host_run(struct host *h) {
    loop_refresh(h->loop);
    host_pump(h);
    int err = loop_run(h->loop);
    bool (*stopping)(void *, int) = h->config.handler->stopping;
    if (!err && loop_signal(h->loop) != 0 && stopping != NULL) {
        loop_refresh(h->loop);
        if (stopping(h->config.ctx, loop_signal(h->loop))) err = loop_run(h->loop);
    }
    uint64_t now_us = loop_refresh(h->loop);
    figures_second(h, now_us);
    node_leave(h->node, now_us);
    (void)udp_send_from(h->udp, pull, h);
    return err;
}

void host_stop(struct host *h) { loop_stop(h->loop); }
