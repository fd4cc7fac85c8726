/* uplink.c - one queue for the node's uplink: what goes out next.
 *
 * By class first (fresh, repairs, backlog), then the neighbours in turn, in bursts that one large
 * send can carry. Every datagram, whoever made it, is paid for from one token bucket. */
#include "core/swarm/engine.h"

#include "core/base/err.h"
#include "core/proto/cell.h"

#define IP_UDP_OVERHEAD 28
#define BURST_DATAGRAMS 8
#define BURST_US (5 * US_PER_MS)
#define DATAGRAM_COST (LINK_DATAGRAM_SIZE + IP_UDP_OVERHEAD)
#define DEBT_MAX                                                                                   \
    (16 * DATAGRAM_COST) /* of control: later it is forgiven, lest media stop for long */
#define ASSUMED_BPS (50ull * 1000 * 1000) /* of an uplink that has never been short */
#define SHORT_US (150 * US_PER_MS)        /* fresh cells that wait longer */
#define GONE_US (250 * US_PER_MS)         /* acknowledgements come every 25 ms while cells flow */
#define SHORT_FORGET_US (2 * US_PER_S)
#define SEND_LATE_US (600 * US_PER_MS) /* in the queue: by then it was asked of somebody else */
#define CELL_SENT_MAX CELL_SIZE        /* what always fits into a datagram, beside an ACK */
#define HEADS_A_DATAGRAM 3

static double bucket_size(const struct uplink *u) {
    double bytes = (double)u->rate_bps / 8 * BURST_US / (double)US_PER_S;
    return bytes < 2 * DATAGRAM_COST ? 2 * DATAGRAM_COST : bytes;
}

static bool is_limited(const struct uplink *u) { return u->rate_bps != NODE_UPLOAD_UNLIMITED; }

void uplink_init(struct uplink *u, uint64_t max_upload_bps, uint64_t now_us) {
    *u = (struct uplink){.rate_bps = max_upload_bps, .tokens_us = now_us, .second_us = now_us};
    u->tokens = bucket_size(u);
}

static void refill(struct uplink *u, uint64_t now_us) {
    if (is_limited(u))
        u->tokens += (double)u->rate_bps / 8 * (double)(now_us - u->tokens_us) / (double)US_PER_S;
    if (u->tokens > bucket_size(u)) u->tokens = bucket_size(u);
    u->tokens_us = now_us;
}

void uplink_charge(struct node *n, size_t datagram_len, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    refill(u, now_us);
    if (is_limited(u)) u->tokens -= (double)(datagram_len + IP_UDP_OVERHEAD);
    if (u->tokens < -DEBT_MAX) u->tokens = -DEBT_MAX;
    u->sent_bytes += datagram_len + IP_UDP_OVERHEAD;
}

void uplink_queued(struct node *n, size_t bytes) {
    n->uplink.queued_bytes += bytes + LINK_OVERHEAD + CELL_HEADER_BYTES + IP_UDP_OVERHEAD;
}

static bool is_gone(const struct neighbour *nb, uint64_t now_us) {
    struct link_stats stats;
    link_stats(nb->peer->link, &stats);
    return stats.received_us + GONE_US < now_us;
}

/* At least half of the children that have fresh cells to come wait for them: it is not their path.
 * One that has vanished waits for ever, and says nothing about the uplink. */
static bool is_short(const struct node *n, uint64_t now_us) {
    unsigned waiting = 0, children = 0;
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t k = 0; k < n->channels[i]->neighbours_len; k++) {
            const struct neighbour *nb = n->channels[i]->neighbours[k];
            const struct send_item *item = send_queue_peek(&nb->queue, SEND_FRESH);
            if (item != NULL && is_gone(nb, now_us)) continue;
            for (size_t t = 0; t < TRACKS_MAX; t++)
                if (nb->streams[t].child_granted) {
                    children++;
                    break;
                }
            waiting += item != NULL && now_us - item->queued_us > SHORT_US;
        }
    return waiting > 0 && waiting * 2 >= children;
}

void uplink_tick(struct node *n, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    if (is_short(n, now_us)) {
        if (u->short_us == 0) u->short_us = now_us;
        u->short_seen_us = now_us;
    } else if (u->short_us != 0 && now_us - u->short_seen_us > SHORT_FORGET_US) {
        u->short_us = 0;
    }
    uint64_t elapsed_us = now_us - u->second_us;
    if (elapsed_us < US_PER_S) return;
    u->sent_bps = u->sent_bytes * 8 * US_PER_S / elapsed_us;
    u->queued_bps = u->queued_bytes * 8 * US_PER_S / elapsed_us;
    u->sent_bytes = u->queued_bytes = 0;
    u->second_us = now_us;
    if (u->short_us != 0) u->carried_bps = u->sent_bps;
}

uint64_t uplink_capacity_bps(const struct node *n) {
    const struct uplink *u = &n->uplink;
    uint64_t bps = is_limited(u) ? u->rate_bps : ASSUMED_BPS;
    return u->short_us != 0 && u->carried_bps != 0 ? u64_min(bps, u->carried_bps) : bps;
}

static size_t neighbours_total(const struct node *n) {
    size_t total = 0;
    for (size_t i = 0; i < n->channels_len; i++) total += n->channels[i]->neighbours_len;
    return total;
}

static struct neighbour *neighbour_at(const struct node *n, size_t at) {
    for (size_t i = 0; i < n->channels_len; i++) {
        if (at < n->channels[i]->neighbours_len) return n->channels[i]->neighbours[at];
        at -= n->channels[i]->neighbours_len;
    }
    return NULL;
}

/* The chunk that an item names, where it is still worth sending; or NULL. */
static const struct chunk *chunk_to_send(const struct neighbour *nb, enum send_class class,
                                         const struct send_item *item, uint64_t now_us) {
    struct channel *c = nb->channel;
    const struct stream *s = channel_stream(c, item->track);
    const struct slot *slot = s == NULL ? NULL : window_find(&s->window, item->number);
    if (slot == NULL || slot->chunk == NULL || item->is_cancelled) return NULL;
    if (class != SEND_BACKLOG && now_us - item->queued_us > SEND_LATE_US) return NULL;
    if (class != SEND_REPAIR && neighbour_holds(nb, item->track, item->number)) return NULL;
    if (item->index == SEND_HEAD) return slot->chunk;
    if (!(slot->chunk->have >> item->index & 1)) return NULL;
    return head_cell_len(slot->chunk->head, item->index) <= CELL_SENT_MAX ? slot->chunk : NULL;
}

static bool put_head(struct neighbour *nb, enum send_class class, const struct chunk *chunk,
                     uint64_t now_us) {
    uint8_t buffer[HEAD_SIZE_MAX + 8];
    struct writer w = writer_init(buffer, sizeof buffer);
    head_message_write(&w, &(struct head_message){
                               .slot = nb->channel->index,
                               .head = {.data = chunk_encoded(chunk), .len = chunk->encoded_len}});
    uint64_t token =
        SEND_TOKEN(nb->channel->index, chunk->head->track, SEND_HEAD, chunk->head->number) |
        (class > SEND_FRESH ? SEND_ASKED : 0);
    return link_send_unreliable(nb->peer->link, buffer, writer_len(&w), token, now_us) == 0;
}

/* The heads at the front of the queue go with the datagram's messages. */
static unsigned put_heads(struct neighbour *nb, enum send_class class, uint64_t now_us) {
    unsigned heads = 0;
    const struct send_item *item;
    while (heads < HEADS_A_DATAGRAM && (item = send_queue_peek(&nb->queue, class)) != NULL) {
        const struct chunk *chunk = chunk_to_send(nb, class, item, now_us);
        if (chunk != NULL && item->index != SEND_HEAD) break;
        if (chunk != NULL && put_head(nb, class, chunk, now_us)) heads++;
        send_queue_pop(&nb->queue, class);
    }
    return heads;
}

static void put_cell(struct node *n, struct neighbour *nb, enum send_class class, uint64_t now_us) {
    const struct send_item *item = send_queue_peek(&nb->queue, class);
    const struct chunk *chunk = item == NULL ? NULL : chunk_to_send(nb, class, item, now_us);
    if (chunk == NULL || item->index == SEND_HEAD) return;
    uint32_t len = head_cell_len(chunk->head, item->index);
    if (link_room(nb->peer->link) < CELL_HEADER_BYTES + len) return;
    struct cell cell = {.slot = nb->channel->index,
                        .track = item->track,
                        .index = item->index,
                        .number = item->number,
                        .head_tag = chunk->tag};
    uint8_t header[CELL_HEADER_BYTES];
    cell_write_header(&cell, header);
    uint64_t token = SEND_TOKEN(cell.slot, cell.track, cell.index, cell.number);
    if (class > SEND_FRESH) token |= SEND_ASKED;
    if (link_add_cell(nb->peer->link, header, sizeof header, chunk_cell(chunk, item->index), len,
                      token))
        return;
    send_queue_pop(&nb->queue, class);
    nb->channel->stats.media_out += len;
    n->media_out += len;
    n->cell_bytes_out += len;
}

static size_t send_to(struct node *n, struct neighbour *nb, enum send_class class,
                      struct datagram *ret, uint64_t now_us) {
    (void)put_heads(nb, class, now_us);
    if (link_begin(nb->peer->link, ret, now_us)) {
        send_queue_clear(&nb->queue); /* the link is ending */
        return 0;
    }
    put_cell(n, nb, class, now_us);
    return link_finish(nb->peer->link, now_us);
}

static bool may_send(const struct neighbour *nb, enum send_class class, uint64_t now_us) {
    return send_queue_len(&nb->queue, class) > 0 && !nb->peer->is_doomed &&
           link_cell_time(nb->peer->link) <= now_us;
}

size_t uplink_transmit(struct node *n, struct datagram *ret, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    refill(u, now_us);
    size_t total = neighbours_total(n);
    if (total == 0 || (is_limited(u) && u->tokens < 0)) return 0;
    for (enum send_class class = 0; class < SEND_CLASSES; class ++) {
        for (size_t k = 0; k < total; k++) {
            size_t at = (u->turn + k) % total;
            struct neighbour *nb = neighbour_at(n, at);
            if (!may_send(nb, class, now_us)) continue;
            size_t len = send_to(n, nb, class, ret, now_us);
            u->burst = at == u->turn ? u->burst + 1 : 1;
            u->turn = (unsigned)at;
            if (u->burst >= BURST_DATAGRAMS) {
                u->turn = (unsigned)((at + 1) % total);
                u->burst = 0;
            }
            if (len > 0) return len;
        }
    }
    return 0;
}

static bool has_items(const struct neighbour *nb) {
    for (enum send_class class = 0; class < SEND_CLASSES; class ++)
        if (send_queue_len(&nb->queue, class) > 0) return true;
    return false;
}

uint64_t uplink_deadline(const struct node *n) {
    const struct uplink *u = &n->uplink;
    uint64_t deadline = TIME_NEVER;
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t k = 0; k < n->channels[i]->neighbours_len; k++) {
            const struct neighbour *nb = n->channels[i]->neighbours[k];
            if (has_items(nb) && !nb->peer->is_doomed)
                deadline = u64_min(deadline, link_cell_time(nb->peer->link));
        }
    if (deadline == TIME_NEVER || !is_limited(u) || u->tokens >= 0) return deadline;
    if (u->rate_bps == 0) return TIME_NEVER;
    double wait_us = -u->tokens * 8 * (double)US_PER_S / (double)u->rate_bps;
    return u64_max(deadline, u->tokens_us + (uint64_t)wait_us + 1);
}
