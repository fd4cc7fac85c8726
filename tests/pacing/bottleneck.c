#include "tests/pacing/bottleneck.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GREEDY_CELLS 400
#define FRAME_US (US_PER_S / FRAMES_PER_S)
#define TCP_HOST(b) ((b)->options.links + 1)

static void on_message(void *owner, struct link *link, const uint8_t *data, size_t len,
                       uint64_t now_us) {
    (void)owner, (void)link, (void)data, (void)len, (void)now_us;
}

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    (void)owner, (void)link, (void)now_us;
}

static void on_lost(void *owner, struct link *link, uint64_t token, uint64_t now_us) {
    (void)owner, (void)link, (void)token, (void)now_us;
}

static void on_closed(void *owner, struct link *link, enum link_end end, uint64_t now_us) {
    (void)owner, (void)end, (void)now_us;
    struct outflow *f = link_data(link);
    if (f != NULL) f->link = NULL;
}

static const struct link_handler sender_handler = {
    .opened = on_opened, .message = on_message, .lost = on_lost, .closed = on_closed};

/* The sender: all links, and the TCP flow, in turn. */

static bool is_media(const struct bottleneck *b) { return b->options.is_media; }

static void sender_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct bottleneck *b = context;
    struct endpoint tcp = network_endpoint(b->n, TCP_HOST(b));
    if (!endpoint_equal(&d->peer, &tcp))
        links_receive(b->ls, d, now_us);
    else if (b->has_tcp)
        tcp_acked(&b->tcp, load_u32(d->data), now_us);
}

static void frames_make(struct bottleneck *b, uint64_t now_us) {
    for (; b->is_sending && is_media(b) && b->frame_us <= now_us; b->frame_us += FRAME_US) {
        bool is_key = b->frames++ % FRAMES_PER_S == 0;
        for (unsigned i = 0; i < b->options.links; i++)
            b->flows[i].backlog += is_key ? KEYFRAME_CELLS : FRAME_CELLS;
        if (!is_key) continue;
        b->key_us = b->frame_us;
        b->key_end = b->flows[0].cells_sent + b->flows[0].backlog;
    }
}

/* The node's bucket, as core/swarm has one. */

static void refill(struct bottleneck *b, uint64_t now_us) {
    uint64_t bps = uplink_estimate_bps(&b->estimate);
    double elapsed_us = (double)(now_us - b->tokens_us), most = 2 * CELL_DATAGRAM_BYTES;
    b->tokens_us = now_us;
    b->tokens = bps == UINT64_MAX ? most : b->tokens + (double)bps / 8 * elapsed_us / 1e6;
    if (b->tokens > most) b->tokens = most;
}

static bool node_may_send(const struct bottleneck *b) {
    return !b->options.is_node || b->tokens >= 0;
}

static uint64_t node_time(const struct bottleneck *b) {
    if (node_may_send(b)) return 0;
    double us = -b->tokens * 8e6 / (double)uplink_estimate_bps(&b->estimate);
    return b->tokens_us + (uint64_t)us + 1;
}

static void estimate_step(struct bottleneck *b, uint64_t now_us) {
    for (unsigned i = 0; i < b->options.links; i++) {
        struct outflow *f = &b->flows[i];
        struct link_stats stats;
        if (f->link == NULL) continue;
        link_stats(f->link, &stats);
        if (stats.bytes_out > f->bytes_out + CELL_BYTES)
            uplink_estimate_link(&b->estimate, stats.queue_us);
        f->bytes_out = stats.bytes_out;
    }
    uplink_estimate_step(&b->estimate, now_us);
    links_set_shared_queue(b->ls, uplink_estimate_shared_us(&b->estimate));
}

static void node_charge(struct bottleneck *b, size_t len) {
    b->tokens -= (double)len;
    uplink_estimate_sent(&b->estimate, len);
}

static void sender_expire(void *context, uint64_t now_us) {
    struct bottleneck *b = context;
    links_expire(b->ls, now_us);
    frames_make(b, now_us);
    if (b->options.is_node && uplink_estimate_is_due(&b->estimate, now_us))
        estimate_step(b, now_us);
    if (b->has_tcp) tcp_expire(&b->tcp, now_us);
}

static bool has_cells(const struct bottleneck *b, const struct outflow *f) {
    return b->is_sending && f->link != NULL && (!is_media(b) || f->backlog > 0);
}

static uint64_t sender_deadline(void *context) {
    struct bottleneck *b = context;
    uint64_t due_us = links_deadline(b->ls);
    if (b->has_tcp) due_us = u64_min(due_us, tcp_deadline(&b->tcp));
    if (b->is_sending && is_media(b)) due_us = u64_min(due_us, b->frame_us);
    if (b->options.is_node) due_us = u64_min(due_us, b->estimate.step_us + UPLINK_STEP_US);
    uint64_t cell_us = TIME_NEVER;
    for (unsigned i = 0; i < b->options.links; i++)
        if (has_cells(b, &b->flows[i]))
            cell_us = u64_min(cell_us, link_cell_time(b->flows[i].link));
    return u64_min(due_us, u64_max(cell_us, node_time(b)));
}

/* Notes for how long cells wait for nothing but the node's bucket. */
static void held_note(struct bottleneck *b, uint64_t now_us) {
    bool is_held = false;
    for (unsigned i = 0; i < b->options.links && !node_may_send(b); i++)
        is_held |= has_cells(b, &b->flows[i]) && link_cell_time(b->flows[i].link) <= now_us;
    if (b->held_us > 0) uplink_estimate_held(&b->estimate, now_us - b->held_us);
    b->held_us = is_held ? now_us : 0;
}

static size_t cell_transmit(struct bottleneck *b, struct outflow *f, struct datagram *ret,
                            uint64_t now_us) {
    static const uint8_t payload[CELL_BYTES];
    uint8_t header[8] = {0x80};
    if (!has_cells(b, f) || link_cell_time(f->link) > now_us) return 0;
    if (link_begin(f->link, ret, now_us)) return 0;
    if (link_room(f->link) >= sizeof header + sizeof payload) {
        store_u32(header + 4, (uint32_t)f->cells_sent++);
        int err = link_add_cell(f->link, header, sizeof header, payload, sizeof payload, 0);
        assert(err == 0);
        if (is_media(b)) f->backlog--;
    }
    return link_finish(f->link, now_us);
}

static size_t tcp_transmit(struct bottleneck *b, struct datagram *ret, uint64_t now_us) {
    if (!b->has_tcp || !tcp_may_send(&b->tcp)) return 0;
    memset(ret->data, 0, TCP_SEGMENT);
    store_u32(ret->data, tcp_send(&b->tcp, now_us));
    ret->peer = network_endpoint(b->n, TCP_HOST(b));
    return ret->len = TCP_SEGMENT;
}

static size_t sender_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct bottleneck *b = context;
    refill(b, now_us);
    held_note(b, now_us);
    size_t len = links_transmit(b->ls, ret, now_us);
    unsigned turns = b->options.links + 1;
    if (len == 0 && !node_may_send(b)) return 0;
    for (unsigned i = 0; i < turns && len == 0; i++) {
        b->turn = (b->turn + 1) % turns;
        len = b->turn == b->options.links ? tcp_transmit(b, ret, now_us)
                                          : cell_transmit(b, &b->flows[b->turn], ret, now_us);
    }
    node_charge(b, len);
    return len;
}

/* Receivers. */

static uint64_t to_local(const struct receiver *r, uint64_t us) {
    return us + (uint64_t)((int64_t)us * r->bottleneck->options.skew_ppm / 1000000);
}

static uint64_t to_global(const struct receiver *r, uint64_t us) {
    if (us == TIME_NEVER || us == 0) return us;
    uint64_t at = (uint64_t)((double)us * 1e6 / (1e6 + r->bottleneck->options.skew_ppm));
    while (to_local(r, at) < us) at++;
    return at;
}

static void on_cell(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us) {
    (void)link, (void)len, (void)now_us;
    struct receiver *r = owner;
    struct bottleneck *b = r->bottleneck;
    r->cells++;
    if (!is_media(b) || r->host != 1 || load_u32(data + 4) + 1 != b->key_end) return;
    if (b->keyframes < ARRAY_LEN(b->keyframe_us))
        b->keyframe_us[b->keyframes++] = network_now(b->n) - b->key_us;
}

static const struct link_handler receiver_handler = {.opened = on_opened,
                                                     .message = on_message,
                                                     .cell = on_cell,
                                                     .lost = on_lost,
                                                     .closed = on_closed};

static void receiver_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct receiver *r = context;
    links_receive(r->ls, d, to_local(r, now_us));
}

static void receiver_expire(void *context, uint64_t now_us) {
    struct receiver *r = context;
    links_expire(r->ls, to_local(r, now_us));
}

static uint64_t receiver_deadline(void *context) {
    struct receiver *r = context;
    return to_global(r, links_deadline(r->ls));
}

static size_t receiver_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct receiver *r = context;
    return links_transmit(r->ls, ret, to_local(r, now_us));
}

/* Acknowledges each segment by its number. */
static void tcp_host_receive(void *context, const struct datagram *d, uint64_t now_us) {
    (void)now_us;
    struct bottleneck *b = context;
    struct endpoint from = network_endpoint(b->n, TCP_HOST(b));
    network_inject(b->n, &from, 0, d->data, 4);
}

static uint64_t never(void *context) {
    (void)context;
    return TIME_NEVER;
}

static void idle_expire(void *context, uint64_t now_us) { (void)context, (void)now_us; }

static size_t idle_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    (void)context, (void)ret, (void)now_us;
    return 0;
}

static struct links *links_of(struct sign_key *key, unsigned host, uint64_t seed,
                              const struct link_handler *handler, void *owner) {
    uint8_t bytes[32] = {1};
    store_u32(bytes + 4, host);
    store_u32(bytes + 8, (uint32_t)seed);
    sign_key_from_seed(key, bytes);
    bytes[0] = 2;
    struct links_config config = {
        .identity = key, .random = random_from_seed(bytes), .handler = handler, .owner = owner};
    struct links *ls = links_new(&config, 0);
    assert(ls != NULL);
    return ls;
}

static void paths_set(struct bottleneck *b, double loss, double loss_back) {
    const struct bottleneck_options *o = &b->options;
    struct network_path out = {.delay_us = o->rtt_us / 2,
                               .jitter_us = o->jitter_us,
                               .is_ordered = o->is_ordered,
                               .loss = loss};
    struct network_path back = {.delay_us = o->rtt_us / 2, .is_ordered = true, .loss = loss_back};
    for (unsigned i = 1; i <= o->links; i++) {
        out.rate_bps = i == o->links ? o->thin_bps : 0;
        out.queue_us = 300 * US_PER_MS;
        network_set_path(b->n, 0, i, &out);
        network_set_path(b->n, i, 0, &back);
    }
    /* What answers by network_inject comes at once: the way there has the whole round trip. */
    struct network_path tcp = {.delay_us = o->rtt_us, .is_ordered = true, .loss = loss};
    network_set_path(b->n, 0, TCP_HOST(b), &tcp);
}

static void attach(struct bottleneck *b) {
    network_attach(b->n, 0,
                   &(struct network_host){.context = b,
                                          .receive = sender_receive,
                                          .expire = sender_expire,
                                          .deadline = sender_deadline,
                                          .transmit = sender_transmit});
    for (unsigned i = 0; i < b->options.links; i++)
        network_attach(b->n, i + 1,
                       &(struct network_host){.context = &b->receivers[i],
                                              .receive = receiver_receive,
                                              .expire = receiver_expire,
                                              .deadline = receiver_deadline,
                                              .transmit = receiver_transmit});
    network_attach(b->n, TCP_HOST(b),
                   &(struct network_host){.context = b,
                                          .receive = tcp_host_receive,
                                          .expire = idle_expire,
                                          .deadline = never,
                                          .transmit = idle_transmit});
}

static void dial(struct bottleneck *b, unsigned at) {
    struct receiver *r = &b->receivers[at];
    struct endpoint to = network_endpoint(b->n, r->host);
    struct outflow *f = &b->flows[at];
    f->link = links_dial(b->ls, &r->key.public, &to, network_now(b->n));
    assert(f->link != NULL);
    link_set_data(f->link, f);
    /* As links do in the swarm, it carries some control messages before the first cell. */
    int err = link_send_message(f->link, "hello", 5, network_now(b->n));
    assert(err == 0);
    network_wake(b->n, 0);
}

struct bottleneck *bottleneck_new(const struct bottleneck_options *options) {
    struct bottleneck *b = calloc(1, sizeof *b);
    assert(b != NULL && options->links <= BOTTLENECK_LINKS_MAX);
    b->options = *options;
    if (b->options.links == 0) b->options.links = 1;
    b->rng = rng_init(options->seed);
    uplink_estimate_init(&b->estimate, 0);
    struct network_path none = {0};
    b->n = network_new(options->seed, b->options.links + 2, &none);
    struct network_path uplink = {.rate_bps = options->rate_bps, .queue_us = options->queue_us};
    network_set_uplink(b->n, 0, &uplink);
    paths_set(b, 0, 0);
    b->ls = links_of(&b->key, 0, options->seed, &sender_handler, b);
    for (unsigned i = 0; i < b->options.links; i++) {
        struct receiver *r = &b->receivers[i];
        *r = (struct receiver){.bottleneck = b, .host = i + 1};
        r->ls = links_of(&r->key, i + 1, options->seed, &receiver_handler, r);
    }
    attach(b);
    for (unsigned i = 0; i < b->options.links; i++) dial(b, i);
    bottleneck_run(b, US_PER_S + rng_below(&b->rng, 100000));
    for (unsigned i = 0; i < b->options.links; i++) {
        int err = link_send_message(b->flows[i].link, "hello", 5, network_now(b->n));
        assert(err == 0);
    }
    network_wake(b->n, 0);
    bottleneck_run(b, US_PER_S);
    paths_set(b, options->loss, 0);
    return b;
}

void bottleneck_free(struct bottleneck *b) {
    links_free(b->ls);
    for (unsigned i = 0; i < b->options.links; i++) links_free(b->receivers[i].ls);
    network_free(b->n);
    free(b);
}

void bottleneck_send(struct bottleneck *b) {
    b->is_sending = true;
    b->frame_us = network_now(b->n);
    frames_make(b, b->frame_us);
    network_wake(b->n, 0);
}

void bottleneck_run(struct bottleneck *b, uint64_t us) {
    network_run(b->n, network_now(b->n) + us, NULL, NULL);
}

void bottleneck_set_loss(struct bottleneck *b, double loss, double loss_back) {
    paths_set(b, loss, loss_back);
}

void bottleneck_set_tcp(struct bottleneck *b, bool is_on) {
    b->has_tcp = is_on;
    if (is_on) tcp_init(&b->tcp, network_now(b->n));
    network_wake(b->n, 0);
}

uint64_t bottleneck_queue_us(const struct bottleneck *b) { return network_queue_us(b->n, 0, 1); }

uint64_t bottleneck_cells(const struct bottleneck *b) {
    uint64_t cells = 0;
    for (unsigned i = 0; i < b->options.links; i++) cells += b->receivers[i].cells;
    return cells;
}
