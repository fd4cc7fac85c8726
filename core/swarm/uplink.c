/* uplink.c - one queue for the node's uplink: what goes out next.
 *
 * By class first (heads and sound, picture, repairs, backlog), then by turn (uplink_turn.c). Where
 * a rate is declared or measured (capacity.h), every datagram, whoever made it, is paid for from
 * one token bucket; cells and heads wait for it. */
#include "core/swarm/engine.h"

#include "core/base/err.h"
#include "core/proto/cell.h"
#include "core/swarm/uplink_turn.h"

#define IP_UDP_OVERHEAD 28
#define BURST_US (5 * US_PER_MS)
#define REST_US (4 * US_PER_MS) /* between bursts: waking costs more than sending */
#define DATAGRAM_COST (LINK_DATAGRAM_SIZE + IP_UDP_OVERHEAD)
#define DEBT_MAX                                                                                   \
    (16 * DATAGRAM_COST)           /* of control: later it is forgiven, lest media stop for long */
#define SHORT_US (150 * US_PER_MS) /* fresh cells that wait longer */
#define GONE_US (250 * US_PER_MS)  /* acknowledgements come more often while cells flow */
#define SHORT_FORGET_US (2 * US_PER_S)
#define SEND_LATE_US (600 * US_PER_MS) /* in the queue: by then it was asked of somebody else */
#define SEND_LATE_SHORT_US (300 * US_PER_MS) /* where all wait: less comes, but in time */
#define CELL_SENT_MAX CELL_SIZE              /* what always fits into a datagram, beside an ACK */
#define HEADS_A_DATAGRAM 3
#define RATE_MAX_BPS 1000000000000ull /* more is no limit: tokens fit into 64 bits */
#define REFILL_MAX_US US_PER_S        /* no bucket takes longer to fill */

static uint64_t allowed_bps(const struct uplink *u) { return capacity_allowed_bps(&u->capacity); }

/* Bytes of the bucket, in the unit of its tokens. */
static int64_t tokens_of(size_t bytes) { return (int64_t)(bytes * 8 * US_PER_S); }

static bool is_limited(const struct uplink *u) { return allowed_bps(u) != NODE_UPLOAD_UNLIMITED; }

static int64_t bucket_size(const struct uplink *u) {
    int64_t least = tokens_of(2 * DATAGRAM_COST), size = (int64_t)(allowed_bps(u) * BURST_US);
    return size < least ? least : size;
}

void uplink_init(struct uplink *u, uint64_t max_upload_bps, uint64_t now_us) {
    *u = (struct uplink){.rate_bps = max_upload_bps,
                         .tokens_us = now_us,
                         .second_us = now_us,
                         .paced_until_us = TIME_NEVER};
    capacity_init(&u->capacity, max_upload_bps, now_us);
    if (max_upload_bps > RATE_MAX_BPS) u->rate_bps = NODE_UPLOAD_UNLIMITED;
    if (is_limited(u)) u->tokens = bucket_size(u);
}

static void refill(struct uplink *u, uint64_t now_us) {
    if (!is_limited(u)) return;
    int64_t most = bucket_size(u);
    u->tokens += (int64_t)(allowed_bps(u) * u64_min(now_us - u->tokens_us, REFILL_MAX_US));
    if (u->tokens > most) u->tokens = most;
    u->tokens_us = now_us;
}

void uplink_charge(struct node *n, size_t datagram_len, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    u->sent_bytes += datagram_len + IP_UDP_OVERHEAD;
    capacity_sent(&u->capacity, datagram_len + IP_UDP_OVERHEAD);
    if (!is_limited(u)) return;
    refill(u, now_us);
    u->tokens -= tokens_of(datagram_len + IP_UDP_OVERHEAD);
    if (u->tokens < -tokens_of(DEBT_MAX)) u->tokens = -tokens_of(DEBT_MAX);
}

void uplink_lost(struct node *n) { capacity_lost(&n->uplink.capacity, DATAGRAM_COST); }

void uplink_wants(struct neighbour *nb, enum send_class class) {
    neighbour_set_add(&nb->channel->waiting[class], nb->at);
}

void uplink_forget(struct neighbour *nb) {
    for (enum send_class class = 0; class < SEND_CLASSES; class ++)
        neighbour_set_remove(&nb->channel->waiting[class], nb->at);
}

void uplink_queued(struct node *n, size_t bytes) {
    n->uplink.queued_bytes += bytes + LINK_OVERHEAD + CELL_HEADER_BYTES + IP_UDP_OVERHEAD;
}

static bool is_gone(const struct neighbour *nb, uint64_t now_us) {
    return neighbour_received_us(nb) + GONE_US < now_us;
}

static bool is_child(const struct neighbour *nb) {
    for (size_t t = 0; t < nb->streams_len; t++)
        if (nb->streams[t].child_granted) return true;
    return false;
}

/* Fresh cells to it have waited too long. One that has vanished waits for ever, and says nothing
 * about the uplink. */
static bool is_waiting(const struct neighbour *nb, uint64_t now_us) {
    const struct send_item *item = send_queue_peek(&nb->queue, SEND_FRESH);
    return item != NULL && send_item_waited_us(item, now_us) > SHORT_US && !is_gone(nb, now_us);
}

static unsigned count_waiting(const struct node *n, uint64_t now_us) {
    unsigned waiting = 0;
    for (size_t i = 0; i < n->channels_len; i++) {
        const struct channel *c = n->channels[i];
        const struct neighbour_set *fresh = &c->waiting[SEND_FRESH];
        for (size_t k = neighbour_set_next(fresh, 0); k < NEIGHBOURS_MAX;
             k = neighbour_set_next(fresh, k + 1))
            waiting += is_waiting(c->neighbours[k], now_us);
    }
    return waiting;
}

/* At least half of the children wait for fresh cells: it is not their path. */
static bool is_short(const struct node *n, uint64_t now_us) {
    unsigned waiting = count_waiting(n, now_us), children = 0;
    if (waiting == 0) return false;
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t k = 0; k < n->channels[i]->neighbours_len; k++) {
            const struct neighbour *nb = n->channels[i]->neighbours[k];
            bool has_fresh = send_queue_len(&nb->queue, SEND_FRESH) > 0;
            children += is_child(nb) && !(has_fresh && is_gone(nb, now_us));
        }
    return waiting * 2 >= children;
}

/* What stands on the paths to those that we serve. */
static void sample_queues(struct node *n, uint64_t now_us) {
    for (size_t i = 0; i < n->channels_len; i++)
        for (size_t k = 0; k < n->channels[i]->neighbours_len; k++) {
            if (!is_child(n->channels[i]->neighbours[k])) continue; /* its pacer sees no queue */
            const struct link *link = n->channels[i]->neighbours[k]->link;
            bool is_fresh =
                link_bytes_in_flight(link) > 0 && link_received_us(link) + GONE_US > now_us;
            if (is_fresh && link_rtt_us(link) > 0)
                capacity_queue(&n->uplink.capacity, link_queue_us(link));
        }
}

static void measure_capacity(struct node *n, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    if (!capacity_is_due(&u->capacity, now_us)) return;
    sample_queues(n, now_us);
    uint64_t elapsed_us = now_us - u->capacity.estimate.step_us;
    uint64_t control = u64_sub(u->capacity.estimate.sent_bytes, u->cell_bytes);
    capacity_step(&u->capacity, now_us);
    links_set_shared_queue(n->links, uplink_estimate_shared_us(&u->capacity.estimate));
    u->control_bps = (7 * u->control_bps + control * 8 * US_PER_S / elapsed_us) / 8;
    u->cell_bytes = 0;
}

void uplink_tick(struct node *n, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    uplink_probe_tick(n, now_us);
    uplink_turn_tick(n, now_us);
    measure_capacity(n, now_us);
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

uint64_t uplink_capacity_bps(const struct node *n) { return capacity_bps(&n->uplink.capacity); }

/* The chunk that an item names, where it is still worth sending; or NULL. */
static const struct chunk *chunk_to_send(const struct neighbour *nb, enum send_class class,
                                         const struct send_item *item, uint64_t now_us) {
    struct channel *c = nb->channel;
    const struct stream *s = channel_stream(c, item->track);
    const struct chunk *chunk = s == NULL ? NULL : window_chunk(&s->window, item->number);
    if (chunk == NULL || item->is_cancelled) return NULL;
    bool is_short = c->node->uplink.short_us != 0;
    uint64_t most_us = is_short ? SEND_LATE_SHORT_US : SEND_LATE_US;
    if (class != SEND_BACKLOG && send_item_waited_us(item, now_us) > most_us) return NULL;
    if (class != SEND_REPAIR && neighbour_holds(nb, item->track, item->number)) return NULL;
    if (item->index == SEND_HEAD) return chunk;
    if (!(chunk->have >> item->index & 1)) return NULL;
    return head_cell_len(chunk->head, item->index) <= CELL_SENT_MAX ? chunk : NULL;
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
    return link_send_unreliable(nb->link, buffer, writer_len(&w), token, now_us) == 0;
}

static void pop(struct neighbour *nb, enum send_class class) {
    send_queue_pop(&nb->queue, class);
    if (send_queue_len(&nb->queue, class) == 0)
        neighbour_set_remove(&nb->channel->waiting[class], nb->at);
}

/* The chunk of the oldest item that is still worth sending; what is not is dropped. */
static const struct chunk *next_chunk(struct neighbour *nb, enum send_class class,
                                      uint64_t now_us) {
    const struct send_item *item;
    while ((item = send_queue_peek(&nb->queue, class)) != NULL) {
        const struct chunk *chunk = chunk_to_send(nb, class, item, now_us);
        if (chunk != NULL) return chunk;
        pop(nb, class);
    }
    return NULL;
}

/* The heads at the front of the queue go with the datagram's messages. Returns the chunk whose cell
 * comes after them, NULL where none does. */
static const struct chunk *put_heads(struct neighbour *nb, enum send_class class, uint64_t now_us) {
    unsigned heads = 0;
    const struct chunk *chunk;
    while ((chunk = next_chunk(nb, class, now_us)) != NULL) {
        if (send_queue_peek(&nb->queue, class)->index != SEND_HEAD) return chunk;
        if (heads == HEADS_A_DATAGRAM) return NULL;
        heads += put_head(nb, class, chunk, now_us);
        pop(nb, class);
    }
    return NULL;
}

static void put_cell(struct node *n, struct neighbour *nb, enum send_class class,
                     const struct chunk *chunk) {
    const struct send_item *item = send_queue_peek(&nb->queue, class);
    uint32_t len = head_cell_len(chunk->head, item->index);
    if (link_room(nb->link) < CELL_HEADER_BYTES + len) return;
    struct cell cell = {.slot = nb->channel->index,
                        .track = item->track,
                        .index = item->index,
                        .number = item->number,
                        .head_tag = chunk->tag};
    uint8_t header[CELL_HEADER_BYTES];
    cell_write_header(&cell, header);
    uint64_t token = SEND_TOKEN(cell.slot, cell.track, cell.index, cell.number);
    if (class > SEND_FRESH) token |= SEND_ASKED;
    if (link_add_cell(nb->link, header, sizeof header, chunk_cell(chunk, item->index), len, token))
        return;
    pop(nb, class);
    nb->channel->stats.media_out += len;
    n->media_out += len;
    n->cells_out++;
    n->uplink.cell_bytes += len + CELL_HEADER_BYTES + LINK_OVERHEAD + IP_UDP_OVERHEAD;
    n->cell_bytes_out += len;
}

static size_t send_to(struct node *n, struct neighbour *nb, enum send_class class,
                      struct datagram *ret, uint64_t now_us) {
    const struct chunk *chunk = put_heads(nb, class, now_us);
    if (chunk == NULL && class == SEND_FIRST) { /* heads leave room for a cell of the picture */
        class = SEND_FRESH;
        chunk = put_heads(nb, class, now_us);
    }
    if (link_begin(nb->link, ret, now_us)) {
        send_queue_clear(&nb->queue); /* the link is ending */
        uplink_forget(nb);
        return 0;
    }
    if (chunk != NULL) put_cell(n, nb, class, chunk);
    return link_finish(nb->link, now_us);
}

/* Bit by bit, the classes of which something waits. */
static unsigned classes_waiting(const struct node *n) {
    unsigned classes = 0;
    for (size_t i = 0; i < n->channels_len; i++)
        for (enum send_class class = 0; class < SEND_CLASSES; class ++)
            classes |= !neighbour_set_is_empty(&n->channels[i]->waiting[class]) * 1u << class;
    return classes;
}

size_t uplink_transmit(struct node *n, struct datagram *ret, uint64_t now_us) {
    struct uplink *u = &n->uplink;
    unsigned classes = classes_waiting(n);
    if (classes == 0) {
        capacity_held(&u->capacity, false, now_us);
        return 0;
    }
    refill(u, now_us);
    bool is_held = is_limited(u) && u->tokens < 0;
    capacity_held(&u->capacity, is_held, now_us);
    if (is_held) return 0;
    if (now_us >= u->paced_until_us) uplink_paths_changed(n);
    size_t most = uplink_turns(n);
    for (; classes != 0; classes &= classes - 1)
        for (size_t tries = 0; tries < most; tries++) {
            enum send_class class = (enum send_class)__builtin_ctz(classes);
            struct neighbour *nb = uplink_turn_next(n, class, now_us);
            if (nb == NULL) break;
            size_t len = send_to(n, nb, class, ret, now_us);
            if (len > 0) return len;
        }
    return 0;
}

/* Until then the bucket is empty, and for as many datagrams more as come together in a rest. What
 * else wakes the node meanwhile sends them sooner, one by one. */
static uint64_t bucket_deadline(const struct uplink *u) {
    int64_t together = (int64_t)(allowed_bps(u) * REST_US) / tokens_of(DATAGRAM_COST);
    int64_t lacking = together * tokens_of(DATAGRAM_COST) - u->tokens;
    return u->tokens_us + (uint64_t)lacking / allowed_bps(u) + 1;
}

uint64_t uplink_deadline(const struct node *n) {
    const struct uplink *u = &n->uplink;
    uint64_t deadline = uplink_turn_deadline(n);
    if (deadline == TIME_NEVER) return TIME_NEVER;
    if (!is_limited(u) || u->tokens >= 0) return deadline;
    if (u->rate_bps == 0) return TIME_NEVER;
    return u64_max(deadline, bucket_deadline(u));
}
