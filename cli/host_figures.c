/* host_figures.c - what --stats says of a host, once a second and at the end. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/host_internal.h"
#include "cli/log.h"

#define UNHEARD_US (3 * US_PER_S) /* an idle peer is heard every 1.5 s */

uint64_t host_holder_us(const struct host *h) { return h->holder_us; }
unsigned host_holders(const struct host *h) { return h->holders_len; }

int figures_open(struct host *h) {
    if (h->options->stats == NULL) return 0;
    char message[STATS_MESSAGE_MAX];
    h->stats_fd = stats_open(h->options->stats, message);
    if (h->stats_fd >= 0) return 0;
    log_error("--stats: %s", message);
    return h->stats_fd;
}

void figures_close(struct host *h) {
    if (h->stats_fd >= 0) close(h->stats_fd);
    h->stats_fd = -1;
}

static uint64_t since_start(const struct host *h, uint64_t at_us) {
    return at_us == 0 ? STATS_NONE : u64_sub(at_us, h->start_us);
}

/* Of all channels together: a relay may carry several. Lags are those of the worst. */
static void add_channel(const struct host *h, int channel, struct stats *s) {
    struct node_channel_stats c;
    node_channel_stats(h->node, channel, &c);
    if (channel == 0 && c.broadcast != 0) s->broadcast = c.broadcast;
    s->parents += c.parents;
    s->children += c.children;
    s->chunks.ok += c.chunks_ok;
    s->chunks.missed += c.chunks_missed;
    s->chunks.repaired += c.chunks_repaired;
    s->skips += c.skips;
    s->bytes.media_in += c.media_in;
    s->bytes.duplicate_in += c.duplicate_in;
    s->buffer_us = u64_max(s->buffer_us, c.buffer_us);
    if (c.first_chunk_us != 0 &&
        (s->first_chunk_us == STATS_NONE || since_start(h, c.first_chunk_us) < s->first_chunk_us))
        s->first_chunk_us = since_start(h, c.first_chunk_us);
    if (c.lag_samples == 0) return;
    bool is_worse = s->lag_us.p99 == STATS_NONE || c.lag_p99_us > s->lag_us.p99;
    if (!is_worse) return;
    s->lag_us.p50 = c.lag_p50_us;
    s->lag_us.p95 = c.lag_p95_us;
    s->lag_us.p99 = c.lag_p99_us;
}

static void fill(const struct host *h, struct stats *s) {
    stats_init(s);
    s->role = h->config.role_name;
    s->channel = h->channels_len > 0 ? h->channel_text : NULL;
    s->listen = h->listen_text;
    if (h->discovery != NULL) s->dht_port = discovery_port(h->discovery);
    s->http = h->http_url;
    struct node_stats n;
    node_stats(h->node, &n);
    const struct udp_counters *udp = udp_counters(h->udp);
    s->links = n.links_up;
    s->bytes.in = udp->bytes_in;
    s->bytes.out = udp->bytes_out;
    s->bytes.media_out = n.media_out;
    s->bytes.control_in = n.control_in;
    s->bytes.control_out = n.control_out;
    s->datagrams.in = udp->datagrams_in;
    s->datagrams.out = udp->datagrams_out;
    s->holder_us = h->holder_us;
    if (n.uplink_bps != 0) s->uplink_bps = n.uplink_bps;
    for (int i = 0; i < h->channels_len; i++) add_channel(h, i, s);
    s->first_output_us = s->first_chunk_us;
}

/* Of one peer it may be the peer's. */
static void check_network(struct host *h, uint64_t now_us) {
    struct node_stats n;
    node_stats(h->node, &n);
    bool is_silent = n.links_up > 1 && now_us - n.links.heard_us > UNHEARD_US;
    if (is_silent && !h->network_said)
        log_warn("network", "nothing comes from any of %u peers: is your network up?", n.links_up);
    bool is_back = h->network_said && now_us - n.links.heard_us < UNHEARD_US;
    if (is_back) log_info("network", "peers are heard again");
    h->network_said = is_silent || (h->network_said && !is_back);
}

void figures_second(struct host *h, uint64_t now_us) {
    struct stats s;
    fill(h, &s);
    check_network(h, now_us);
    h->upload_bps = (s.bytes.out - h->bytes_out_before) * 8;
    h->bytes_out_before = s.bytes.out;
    if (h->config.handler->second != NULL) h->config.handler->second(h->config.ctx, &s, now_us);
    if (h->stats_fd < 0 || h->stats_failed) return;
    if (stats_append(h->stats_fd, &s) != 0) {
        h->stats_failed = true;
        log_warn("stats", "cannot write to %s: no more figures", h->options->stats);
    }
}

int host_metrics(const struct host *h, char *ret, size_t size) {
    struct stats s;
    fill(h, &s);
    stats_fill_process(&s);
    return stats_metrics(&s, ret, size);
}

unsigned host_dht_port(const struct host *h) { return discovery_port(h->discovery); }
