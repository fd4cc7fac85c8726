/* serve.c - whom we send to: subscriptions, cells that we pass on, requests that we answer. What is
 * granted to whom is decided in admission.c. */
#include "core/swarm/serve.h"

#include "core/base/err.h"
#include "core/swarm/admission.h"
#include "core/swarm/engine.h"

#define SERVE_LATE_US (2 * US_PER_S)   /* later cells are of no use to anyone, */
#define LOST_LATE_US (700 * US_PER_MS) /* and these come too late for most of those below */
#define LOST_PER_S 60 /* cells: 3 % of what an uplink of seven streams of 3 Mb/s carries, */
#define LOST_BURST 64 /* and so many at once */
#define SHED_PERIOD_US (200 * US_PER_MS)
#define BACKLOG_US (1 * US_PER_S)
#define BACKLOG_LONG_US (600 * US_PER_MS)
#define STALLED_US (500 * US_PER_MS) /* without a new head */
#define NEXT_NEAR_US (400 * US_PER_MS)
#define BACKLOG_SHORT_US (100 * US_PER_MS) /* always sent */
#define BEHIND_US (500 * US_PER_MS)        /* the newest head: a cell that was held up */
#define NEAR_CHUNKS 32 /* a backlog no longer than this is worth as much as a repair */
#define HUNGER_MAX 1000
#define UNTIL_AHEAD_MAX 64 /* chunks */

/* How long from one random access point to the next, as it was last; 0: not known. */
static uint64_t access_period_us(const struct stream *video, const struct head *access) {
    const struct chunk *before =
        access->number == 0 ? NULL : window_chunk(&video->window, access->number - 1);
    if (before == NULL) return 0;
    const struct chunk *last =
        window_chunk(&video->window, before->head->number - before->head->random_access);
    return last == NULL ? 0 : u64_sub(access->capture_us, last->head->capture_us);
}

/* All that was captured since then goes out again within BACKLOG_US, beside what is live; where
 * that is much, and the next such point is near, that one is waited for. */
static bool has_room_for_backlog(const struct channel *c, const struct stream *video,
                                 const struct head *access, uint64_t now_us) {
    uint64_t age_us = channel_lateness_us(c, access->capture_us, now_us);
    uint64_t period_us = access_period_us(video, access);
    if (video->has_end || now_us - video->newest_us > STALLED_US) return true; /* none may follow */
    if (age_us > BACKLOG_LONG_US && age_us + NEXT_NEAR_US > period_us && period_us > 0)
        return false;
    uint64_t bps = (uint64_t)video->substream_bps * video->substreams * age_us / BACKLOG_US;
    return age_us < BACKLOG_SHORT_US || bps <= admission_spare_bps(c->node);
}

/* Where a newcomer starts: the newest random access chunk of the video that we have whole, and what
 * of the other tracks goes with it. */
static uint32_t join_point(const struct channel *c, const struct stream *s, uint64_t now_us) {
    const struct stream *video = s;
    for (size_t t = 0; t < c->streams_len; t++)
        if (c->streams[t].kind == TRACK_VIDEO) {
            video = &c->streams[t];
            break;
        }
    const struct chunk *newest = window_newest_random_access(&video->window);
    if (newest == NULL) return FROM_RANDOM_ACCESS;
    const struct head *access = newest->head;
    if (!has_room_for_backlog(c, video, access, now_us)) return s->window.newest + 1;
    if (video == s) return access->number;
    uint64_t pts_us = access->pts_us;
    for (uint32_t i = s->window.newest; s->window.has_newest; i--) {
        const struct chunk *chunk = window_chunk(&s->window, i);
        if (chunk != NULL && chunk->head->pts_us <= pts_us) return i;
        if (i == window_oldest(&s->window)) break;
    }
    return s->window.has_newest ? window_oldest(&s->window) : FROM_RANDOM_ACCESS;
}

static void queue(struct neighbour *nb, enum send_class class, uint8_t track, uint32_t number,
                  uint8_t index, uint64_t now_us) {
    struct send_item item = {
        .number = number, .track = track, .index = index, .queued_us = (uint32_t)now_us};
    if (!send_queue_push(&nb->queue, class, &item)) nb->channel->stats.cells_dropped++;
    uplink_wants(nb, class);
}

/* What has just been granted of the chunks that we have, from the first that the child wants. */
static void queue_backlog(struct neighbour *nb, const struct stream *s, uint32_t substreams,
                          bool heads, uint32_t from, uint64_t now_us) {
    if (!s->window.has_newest) return;
    uint32_t oldest = window_oldest(&s->window);
    enum send_class class = from <= s->window.newest && s->window.newest - from < NEAR_CHUNKS
                                ? SEND_REPAIR
                                : SEND_BACKLOG;
    for (uint32_t i = from > oldest ? from : oldest; i <= s->window.newest; i++) {
        const struct chunk *chunk = window_chunk(&s->window, i);
        if (chunk == NULL || neighbour_holds(nb, s->track, i)) continue;
        if (heads && neighbour_spend_backlog(nb, now_us) && neighbour_mark_head(nb, s->track, i))
            queue(nb, class, s->track, i, SEND_HEAD, now_us);
        uint64_t cells = stream_cells_of(s, i, head_cells(chunk->head), substreams);
        for (cells &= chunk->have; cells; cells &= cells - 1) {
            if (!neighbour_spend_backlog(nb, now_us)) return;
            queue(nb, class, s->track, i, (uint8_t)__builtin_ctzll(cells), now_us);
        }
    }
}

/* Another parent goes on from chunk `until`: what comes before it still comes from us. */
static void end_later(struct neighbour_stream *ns, const struct stream *s, uint32_t substreams,
                      uint32_t until) {
    if (!s->window.has_newest || until == 0) return;
    if (until > s->window.newest + UNTIL_AHEAD_MAX) until = s->window.newest + UNTIL_AHEAD_MAX;
    if (ns->child_former_end < s->window.newest) ns->child_former = 0;
    ns->child_former |= substreams;
    ns->child_former_end = until - 1;
}

/* Which of the wanted substreams are granted now: those that were, and the new ones we admit. */
static uint32_t choose(struct channel *c, struct stream *s, struct neighbour *nb, uint32_t wanted,
                       uint32_t until, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    if (ns->child_granted & ~wanted) end_later(ns, s, ns->child_granted & ~wanted, until);
    if (ns->child_granted & ~wanted) c->tally.is_granted_known = false;
    ns->child_granted &= wanted;
    ns->child_former &= ~wanted;
    ns->child_excess &= wanted;
    uint32_t added = 0, refused = 0;
    for (unsigned index = 0; index < s->substreams; index++) {
        if (!(wanted >> index & 1) || ns->child_granted >> index & 1) continue;
        if (admission_grants(c, s, nb, index, ns->child_starved) ||
            admission_spreads(c, s, nb, index, now_us) ||
            admission_preempts(c, s, nb, index, now_us) ||
            (ns->child_starved && admission_yields(c, s, nb, index)))
            added |= 1u << index;
        else if (ns->child_starved && !admission_makes_loop(c, s, nb, index))
            refused |= 1u << index;
        if (refused >> index & 1 && s->hunger[index] < HUNGER_MAX) s->hunger[index]++;
        if (added & ~ns->child_granted) c->tally.is_granted_known = false;
        ns->child_granted |= added;
        trace_supply(nb, added >> index & 1 ? TRACE_CHILD_GRANTED : TRACE_CHILD_REFUSED, s->track,
                     index);
    }
    if (refused) {
        ns->child_refused = refused;
        ns->child_refused_ms = low_ms(now_us);
    }
    return added;
}

void serve_index(struct stream *s, const struct neighbour *child) {
    const struct neighbour_stream *ns = &child->streams[s->track];
    uint32_t granted = ns->child_granted | ns->child_former;
    granted |= ns->child_heads ? 1u << SUPPLY_HEADS : 0;
    for (unsigned index = 0; index < SUPPLIES; index++)
        if (granted >> index & 1)
            neighbour_set_add(&s->children[index], child->at);
        else
            neighbour_set_remove(&s->children[index], child->at);
}

static void grant(struct channel *c, struct stream *s, struct neighbour *nb,
                  const struct subscribe *m, uint64_t now_us) {
    struct neighbour_stream *ns = &nb->streams[s->track];
    bool had_heads = ns->child_heads, had_nothing = ns->child_granted == 0 && !had_heads;
    bool wants_heads = m->flags & SUBSCRIBE_HEADS;
    ns->child_wanted = m->substreams & stream_all_substreams(s);
    ns->child_heads =
        wants_heads && (had_heads || admission_grants(c, s, nb, SUPPLY_HEADS, ns->child_starved));
    uint32_t added = choose(c, s, nb, ns->child_wanted, m->until, now_us);
    serve_index(s, nb);
    bool heads_added = ns->child_heads && !had_heads;
    if (wants_heads && !had_heads)
        trace_supply(nb, heads_added ? TRACE_CHILD_GRANTED : TRACE_CHILD_REFUSED, s->track,
                     SUBSTREAM_HEADS);
    uint32_t from = m->from == FROM_RANDOM_ACCESS ? join_point(c, s, now_us) : m->from;
    bool is_earlier = (added || heads_added) && from < ns->child_from;
    if (had_nothing || is_earlier) ns->child_from = from;
    serve_send_grant(c, nb, s->track, now_us);                    /* before what it announces */
    if (ns->child_from == FROM_RANDOM_ACCESS) ns->child_from = 0; /* nothing to start with yet */
    if (added || heads_added) queue_backlog(nb, s, added, heads_added, from, now_us);
}

void serve_take_subscribe(struct neighbour *nb, const struct subscribe *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    if (m->track >= nb->streams_len) return;
    struct neighbour_stream *ns = &nb->streams[m->track];
    if ((int16_t)(m->generation - ns->child_generation) <= 0) return; /* overtaken */
    struct stream *s = channel_stream(c, m->track);
    ns->child_generation = m->generation;
    ns->child_changed = true;
    ns->child_starved = m->flags & SUBSCRIBE_STARVED;
    if (s != NULL) grant(c, s, nb, m, now_us);
    serve_flush_grants(c, nb, now_us);
}

/* Cells that were asked for one by one; what we lack is said at once. */
static void answer(struct neighbour *nb, const struct stream *s, const struct request *m,
                   uint64_t now_us) {
    const struct chunk *chunk = window_chunk(&s->window, m->number);
    if (chunk != NULL && m->flags & REQUEST_HEAD) {
        (void)neighbour_mark_head(nb, m->track, m->number);
        queue(nb, SEND_REPAIR, m->track, m->number, SEND_HEAD, now_us);
    }
    uint64_t cells = chunk == NULL ? 0 : m->cells & chunk->have;
    for (uint64_t left = cells; left; left &= left - 1)
        queue(nb, SEND_REPAIR, m->track, m->number, (uint8_t)__builtin_ctzll(left), now_us);
    uint64_t exist = chunk == NULL ? UINT64_MAX : chunk->all;
    if ((m->cells & exist & ~cells) == 0 && chunk != NULL) return;
    uint8_t buffer[32];
    struct writer w = writer_init(buffer, sizeof buffer);
    gap_write(&w, &(struct gap){.slot = nb->channel->index,
                                .track = m->track,
                                .number = m->number,
                                .cells = m->cells & exist & ~cells});
    if (link_send_message(nb->link, buffer, writer_len(&w), now_us))
        nb->channel->stats.messages_dropped++; /* the child's own timer asks elsewhere */
}

void serve_take_request(struct neighbour *nb, const struct request *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    const struct stream *s = channel_stream(c, m->track);
    unsigned cells = (unsigned)__builtin_popcountll(m->cells) + 1;
    if (s == NULL || c->node->uplink.rate_bps == 0) return;
    if (!neighbour_spend_requests(nb, cells, now_us)) return;
    answer(nb, s, m, now_us);
}

void serve_take_cancel(struct neighbour *nb, const struct cancel *m, uint64_t now_us) {
    (void)now_us;
    struct send_ring *r = &nb->queue.rings[SEND_REPAIR];
    for (uint32_t i = 0; i < r->len; i++) {
        struct send_item *item = &r->items[(r->head + i) % r->capacity];
        if (item->track == m->track && item->number == m->number && item->index < 64 &&
            m->cells >> item->index & 1)
            item->is_cancelled = true;
    }
}

static bool is_child_of(const struct neighbour *nb, const struct stream *s, uint32_t number,
                        const struct neighbour *from) {
    const struct neighbour_stream *ns = &nb->streams[s->track];
    return nb != from && number >= ns->child_from && !neighbour_holds(nb, s->track, number);
}

static enum send_class fresh_class(const struct stream *s) {
    return s->kind == TRACK_AUDIO ? SEND_FIRST : SEND_FRESH;
}

void serve_head(struct channel *c, struct chunk *chunk, const struct neighbour *from,
                uint64_t now_us) {
    const struct head *h = chunk->head;
    const struct stream *s = channel_stream(c, h->track);
    const struct neighbour_set *children = &s->children[SUPPLY_HEADS];
    for (size_t i = neighbour_set_next(children, 0); i < NEIGHBOURS_MAX;
         i = neighbour_set_next(children, i + 1)) {
        struct neighbour *nb = c->neighbours[i];
        if (!is_child_of(nb, s, h->number, from)) continue;
        if (!neighbour_mark_head(nb, h->track, h->number)) continue;
        queue(nb, SEND_FIRST, h->track, h->number, SEND_HEAD, now_us);
        uplink_queued(c->node, chunk->encoded_len);
    }
}

void serve_cell(struct channel *c, struct chunk *chunk, uint32_t index,
                const struct neighbour *from, uint64_t now_us) {
    const struct head *h = chunk->head;
    const struct stream *s = channel_stream(c, h->track);
    uint8_t substream = stream_substream(s, h->number, index);
    /* What was held up is not to hold up what was not: near the limit that would go on for long. */
    bool is_behind = s->newest_capture_us > h->capture_us + BEHIND_US;
    enum send_class class = is_behind ? SEND_REPAIR : fresh_class(s);
    const struct neighbour_set *children = &s->children[substream];
    for (size_t i = neighbour_set_next(children, 0); i < NEIGHBOURS_MAX;
         i = neighbour_set_next(children, i + 1)) {
        struct neighbour *nb = c->neighbours[i];
        const struct neighbour_stream *ns = &nb->streams[h->track];
        bool is_former = !(ns->child_granted >> substream & 1);
        if (is_former && h->number > ns->child_former_end) continue;
        if (!is_child_of(nb, s, h->number, from)) continue;
        queue(nb, class, h->track, h->number, (uint8_t)index, now_us);
        uplink_queued(c->node, head_cell_len(h, index));
    }
}

/* All below the child wait for it: behind what is fresh, a cell that a full source had lost waited
 * for 0.6 s, and 300 viewers missed the chunk. Where fresh cells wait for long themselves, it would
 * hold up more than it brings. Within a budget: a child that acknowledges nothing is not served
 * before the others. */
static enum send_class lost_class(struct neighbour *nb, uint64_t late_us, uint64_t now_us) {
    bool is_short = nb->channel->node->uplink.short_us != 0;
    if (is_short || late_us > LOST_LATE_US) return SEND_REPAIR;
    bool is_paid = budget_spend(&nb->channel->lost, 1, LOST_BURST, LOST_PER_S, now_us);
    return is_paid ? SEND_FIRST : SEND_REPAIR;
}

/* The link takes it for lost. Sent again while the child still wants it: this knows which cell is
 * missing one round trip after it went, where the child could only guess. */
void serve_lost(struct neighbour *nb, uint8_t track, uint32_t number, uint8_t index, bool was_asked,
                uint64_t now_us) {
    struct channel *c = nb->channel;
    struct stream *s = channel_stream(c, track);
    const struct chunk *chunk = s == NULL ? NULL : window_chunk(&s->window, number);
    if (chunk == NULL || neighbour_holds(nb, track, number)) return;
    uint64_t late_us = channel_lateness_us(c, chunk->head->capture_us, now_us);
    if (late_us > (was_asked ? WINDOW_US : SERVE_LATE_US)) return;
    const struct neighbour_stream *ns = &nb->streams[track];
    uint32_t served = ns->child_granted | (number <= ns->child_former_end ? ns->child_former : 0);
    bool is_served =
        index == SEND_HEAD ? ns->child_heads : served >> stream_substream(s, number, index) & 1;
    if (!is_served && !was_asked) return;
    enum send_class class = is_served ? lost_class(nb, late_us, now_us) : SEND_REPAIR;
    queue(nb, class, track, number, index, now_us);
}

void serve_tick(struct channel *c, uint64_t now_us) {
    if (now_us >= c->shed_us) {
        c->shed_us = now_us + SHED_PERIOD_US;
        for (size_t t = 0; t < c->streams_len; t++)
            admission_mark_excess(c, &c->streams[t], now_us);
    }
    if (!c->grants_changed) return;
    c->grants_changed = false;
    for (size_t i = 0; i < c->neighbours_len; i++) serve_flush_grants(c, c->neighbours[i], now_us);
}
