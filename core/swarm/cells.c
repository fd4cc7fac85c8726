/* cells.c - heads and cells as they come: checked, kept, passed on.
 *
 * A cell is forwarded the moment its hash agrees with a head whose signature is good. One that
 * comes before its head waits, unverified, and its sender is asked for the head. Whoever sends a
 * cell or head that fails its check loses its link: an honest peer has checked it before. Two
 * different heads for one chunk, both signed, are the source's fault and ban nobody. */
#include "core/base/err.h"
#include "core/proto/cell.h"
#include "core/swarm/engine.h"
#include "core/swarm/serve.h"

#define CLOCK_ODD_US (2 * (int64_t)US_PER_S)
#define UNSOLICITED_CELLS 32 /* until the neighbour is told again what we want of it */
#define PENDING_KEPT_US (2 * US_PER_S)
#define HEAD_ANSWER_US (150 * US_PER_MS)
#define REPEATED_US WINDOW_SETTLED_US   /* a head that came this long ago says nothing of now */
#define LATENESS_SAMPLE_MAX_US US_PER_S /* a backlog is not lateness */

/* A source's clock that is far off, or a replay of an old broadcast: the time tells them from live.
 */
static bool is_fresh(struct channel *c, const struct head *h, uint64_t now_us) {
    uint64_t utc_us = node_utc_us(c->node, now_us);
    if (utc_us == 0) return true;
    int64_t off_us = (int64_t)(utc_us - h->capture_us);
    int64_t most_us = CLOCK_ERROR_MAX_US + (int64_t)ON_AIR_US;
    bool is_fresh = off_us <= most_us && off_us >= -most_us;
    /* Nothing is captured in the future, and what is refused is not refused in silence. */
    if ((!is_fresh || off_us < -CLOCK_ODD_US) && !c->clock_said) {
        c->clock_said = true;
        node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_CLOCK,
                                                  .channel = c->index,
                                                  .clock_error_us = off_us});
    }
    return is_fresh;
}

static void note_offset(struct channel *c, const struct head *h, uint64_t now_us) {
    int64_t offset_us = (int64_t)now_us - (int64_t)h->capture_us;
    c->head_us = now_us;
    if (c->rest.is_on) channel_wake(c, now_us); /* it is over */
    if (!c->has_offset || now_us - c->offset_since_us > OFFSET_WINDOW_US) {
        c->offset_us = c->has_offset ? c->offset_recent_us : offset_us;
        c->offset_recent_us = offset_us;
        c->offset_since_us = now_us;
        c->has_offset = true;
    }
    if (offset_us < c->offset_recent_us) c->offset_recent_us = offset_us;
    if (offset_us < c->offset_us) c->offset_us = offset_us;
}

static void tell_chunk(struct channel *c, const struct head *h) {
    node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_CHUNK,
                                              .channel = c->index,
                                              .track = h->track,
                                              .random_access = h->flags & HEAD_RANDOM_ACCESS,
                                              .number = h->number,
                                              .capture_us = h->capture_us});
}

/* The chunk's last cell is here. */
static void complete(struct channel *c, struct stream *s, struct slot *slot, uint64_t now_us) {
    window_set_whole(&s->window, slot, now_us);
    stream_close_hole(s);
    const struct head *h = slot->chunk->head;
    if (h->flags & HEAD_RANDOM_ACCESS && !s->has_verified_start) {
        s->has_verified_start = true;
        s->verified_start = s->count_next = h->number;
        s->verified_start_us = now_us;
        trace_chunk(c, TRACE_STARTED, s->track, h->number);
        bool is_main = s->kind == TRACK_VIDEO || c->streams_len == 1;
        if (is_main && c->stats.first_chunk_us == 0) c->stats.first_chunk_us = now_us;
    }
    count_complete(c, slot, now_us);
    if (c->node->tells_chunks && !c->is_source) tell_chunk(c, h);
    have_changed(c);
    play_step(c, now_us);
}

/* `came_us` is when the cell came: it may have waited for its head. */
static void take_verified(struct channel *c, struct stream *s, struct slot *slot, uint32_t index,
                          struct neighbour *from, uint64_t came_us, uint64_t now_us) {
    const struct head *h = slot->chunk->head;
    c->media_us = now_us;
    c->stats.media_in += head_cell_len(h, index);
    if (!neighbour_is_proven(from)) from->proven++;
    uint8_t substream = stream_substream(s, h->number, index);
    struct neighbour_stream *ns = &from->streams[s->track];
    bool was_requested = slot->requested >> index & 1;
    uint64_t lateness_us = channel_lateness_us(c, h->capture_us, came_us);
    if (!was_requested && lateness_us < LATENESS_SAMPLE_MAX_US)
        neighbour_note_lateness(ns, lateness_us);
    if (!was_requested) {
        s->came_us[substream] = now_us;
        supply_arrived(s, from, substream, u64_sub(came_us, slot->head_us), h->capture_us, came_us);
    }
    repair_arrived(c, slot, s->track, index, from, now_us);
    serve_cell(c, slot->chunk, index, from, now_us);
    if (slot->missing == 0) complete(c, s, slot, now_us);
}

/* Stores one cell of a chunk that we have. False where the sender was banned for it. */
static bool add_cell(struct channel *c, struct stream *s, struct chunk *chunk,
                     const struct pending_cell *cell, const uint8_t *payload,
                     struct neighbour *from, uint64_t now_us) {
    if (cell->tag != chunk->tag) {
        c->stats.refused_equivocation++;
        return true;
    }
    int err = chunk_add_cell(chunk, cell->index, payload, cell->len);
    if (err == 0) {
        struct slot *slot = window_find(&s->window, chunk->head->number); /* it was not whole */
        window_cell_came(slot);
        take_verified(c, s, slot, cell->index, from, cell->came_us, now_us);
    } else if (err == ERR_DUPLICATE) {
        c->stats.duplicate_in += cell->len;
    } else {
        c->stats.refused_cell++;
        channel_ban(c, from, err, now_us);
        return false;
    }
    return true;
}

/* Cells that waited for this head, from every neighbour. */
static void resolve_pending(struct channel *c, struct stream *s, struct slot *slot,
                            uint64_t now_us) {
    for (size_t i = neighbour_set_next(&c->pending, 0); i < NEIGHBOURS_MAX;
         i = neighbour_set_next(&c->pending, i + 1)) {
        struct neighbour *nb = c->neighbours[i];
        for (size_t k = 0; k < PENDING_CELLS_MAX && nb->pending_len > 0; k++) {
            struct pending_cell *cell = &nb->pending[k];
            if (cell->payload == NULL || cell->track != s->track ||
                cell->number_low != (uint16_t)slot->number)
                continue;
            bool fine = add_cell(c, s, slot->chunk, cell, cell->payload, nb, now_us);
            neighbour_drop_pending(nb, cell);
            if (!fine) break;
        }
    }
}

/* A head whose signature is good, or the source's own, takes its place. NULL where it has none. */
static struct slot *place(struct channel *c, struct stream *s, const struct head *h,
                          struct chunk *chunk, uint64_t now_us) {
    struct slot *slot = window_slot(&s->window, h->number, now_us);
    if (slot == NULL || slot->chunk != NULL) return NULL;
    slot->head_us = now_us;
    if (h->number == s->window.newest) stream_note_newest(s, h, now_us);
    if (window_set_chunk(&s->window, slot, chunk)) return NULL;
    if (h->flags & HEAD_END) {
        s->has_end = true;
        s->end = h->number;
    }
    note_offset(c, h, now_us);
    node_trim_memory(c->node);
    return window_find(&s->window, h->number);
}

/* 0 where the head is new, wanted and well signed. */
static int examine(struct neighbour *nb, const struct head_message *m, const struct head *h,
                   const struct stream *s, uint64_t now_us) {
    struct channel *c = nb->channel;
    if (!neighbour_expects_head(nb, h->track, h->number, now_us)) return ERR_UNSOLICITED;
    if (s->window.has_newest && h->number < window_oldest(&s->window)) return ERR_STALE;
    const struct chunk *held = window_chunk(&s->window, h->number);
    if (held != NULL) {
        bool same = held->tag == head_tag(m->head.data, m->head.len);
        return same ? ERR_DUPLICATE : ERR_EQUIVOCATION;
    }
    if (!is_fresh(c, h, now_us)) return ERR_STALE;
    return head_verify(m->head.data, m->head.len, &c->manifest.broadcast_key);
}

/* A head that another neighbour sent first shows that its parent lives; one that is repeated over
 * and over does not. */
static bool is_recent(const struct stream *s, uint32_t number, uint64_t now_us) {
    const struct slot *slot = window_find(&s->window, number);
    return slot != NULL && now_us - slot->head_us < REPEATED_US;
}

static void head_arrived(struct stream *s, struct neighbour *nb, const struct head *h,
                         uint64_t now_us) {
    uint64_t late_us = channel_lateness_us(nb->channel, h->capture_us, now_us);
    s->came_us[SUPPLY_HEADS] = now_us;
    supply_arrived(s, nb, SUPPLY_HEADS, late_us, h->capture_us, now_us);
}

static void count_refused(struct channel *c, int err) {
    if (err == ERR_UNSOLICITED) c->stats.refused_unsolicited++;
    if (err == ERR_STALE) c->stats.refused_stale++;
    if (err == ERR_EQUIVOCATION) c->stats.refused_equivocation++;
}

void cells_take_head(struct neighbour *nb, const struct head_message *m, uint64_t now_us) {
    struct channel *c = nb->channel;
    struct head h;
    int err = head_decode(m->head.data, m->head.len, &h);
    struct stream *s = err ? NULL : channel_stream(c, h.track);
    if (!err && h.broadcast != c->manifest.broadcast) {
        c->stats.refused_stale++; /* of a broadcast that we have left, or not yet met */
        return;
    }
    if (!err && (s == NULL || c->is_source)) return;
    if (!err) err = examine(nb, m, &h, s, now_us);
    if (err == ERR_SIGNATURE || err == ERR_RANGE || err == ERR_TRUNCATED || err == ERR_TRAILING) {
        c->stats.refused_head++;
        channel_ban(c, nb, err, now_us);
        return;
    }
    if (err == ERR_DUPLICATE && is_recent(s, h.number, now_us)) head_arrived(s, nb, &h, now_us);
    if (err) {
        count_refused(c, err);
        return;
    }
    c->media_us = now_us;
    struct chunk *chunk = chunk_new(c->node->chunks, &h, m->head.data, m->head.len);
    if (chunk == NULL) return;
    bool was_asked = neighbour_asked(nb, h.track, h.number) != NULL;
    if (!s->has_start) supply_set_start(s, nb, &h, now_us);
    struct slot *slot = place(c, s, &h, chunk, now_us);
    chunk_unref(chunk);
    if (!s->has_play && h.flags & HEAD_RANDOM_ACCESS) {
        s->has_play = true;
        s->play_next = h.number;
    }
    if (!was_asked) head_arrived(s, nb, &h, now_us);
    if (slot == NULL) return;
    serve_head(c, slot->chunk, nb, now_us);
    resolve_pending(c, s, slot, now_us);
    if (head_cells(&h) == 0) complete(c, s, slot, now_us);
}

/* A head that is not here yet: the cell waits, and is dropped with the link's bound. */
static void keep_pending(struct neighbour *nb, const struct pending_cell *cell,
                         const uint8_t *payload) {
    if (!neighbour_keep_pending(nb, cell, payload)) nb->channel->stats.cells_dropped++;
    neighbour_set_add(&nb->channel->pending, nb->at);
}

/* The sender may believe in a subscription that a new broadcast has made void for us. */
static void refuse_unsolicited(struct neighbour *nb, uint8_t track) {
    nb->channel->stats.refused_unsolicited++;
    if (++nb->unsolicited % UNSOLICITED_CELLS != 0) return;
    nb->streams[track].changed = nb->channel->asks_changed = true;
}

void cells_take_cell(struct neighbour *nb, const struct cell *cell, uint64_t now_us) {
    struct channel *c = nb->channel;
    struct pending_cell pending = {.len = cell->len,
                                   .track = cell->track,
                                   .index = cell->index,
                                   .number_low = (uint16_t)cell->number,
                                   .tag = cell->head_tag,
                                   .came_us = now_us};
    struct stream *s = channel_stream(c, cell->track);
    if (c->is_source || (s == NULL && c->has_manifest) || cell->track >= nb->streams_len) {
        c->stats.refused_unsolicited++;
        return;
    }
    if (s == NULL || !s->window.has_newest) {
        bool is_asked = nb->streams[cell->track].asked != 0;
        if (is_asked)
            keep_pending(nb, &pending, cell->payload);
        else
            c->stats.refused_unsolicited++;
        return;
    }
    uint32_t number = chunk_number_expand((uint16_t)cell->number, s->window.newest);
    uint8_t substream = stream_substream(s, number, cell->index);
    if (!neighbour_expects_cell(nb, cell->track, number, cell->index, substream, now_us)) {
        refuse_unsolicited(nb, cell->track);
        return;
    }
    if (number < window_oldest(&s->window) || number < s->start) {
        c->stats.refused_stale++;
        return;
    }
    struct chunk *chunk = window_chunk(&s->window, number);
    if (chunk == NULL)
        keep_pending(nb, &pending, cell->payload);
    else
        (void)add_cell(c, s, chunk, &pending, cell->payload, nb, now_us);
}

/* A head that a cell waits for is asked of the cell's sender, of one sender at a time. */
static void ask_for_head(struct channel *c, struct stream *s, struct neighbour *nb,
                         struct pending_cell *cell, uint64_t now_us) {
    uint32_t near = s->window.has_newest ? s->window.newest : cell->number_low;
    uint32_t number = chunk_number_expand(cell->number_low, near);
    for (size_t i = 0; i < c->neighbours_len; i++) {
        const struct asked_cells *a = neighbour_asked(c->neighbours[i], s->track, number);
        if (a != NULL && a->head && now_us - a->asked_us < HEAD_ANSWER_US) return;
    }
    uint8_t buffer[32];
    struct writer w = writer_init(buffer, sizeof buffer);
    request_write(
        &w, &(struct request){
                .slot = c->index, .track = s->track, .number = number, .flags = REQUEST_HEAD});
    if (!neighbour_ask(nb, s->track, number, 0, true, now_us + US_PER_S, now_us)) return;
    cell->head_asked = true;
    if (link_send_message(nb->peer->link, buffer, writer_len(&w), now_us))
        c->stats.messages_dropped++;
}

/* How long a cell waits for its head before that is asked for: what is usual for the heads' parent,
 * which may be further from the source than the cell's. */
static uint64_t head_patience_us(const struct stream *s, const struct neighbour *nb) {
    const struct supply *heads = &s->supplies[SUPPLY_HEADS];
    if (heads->parent == NULL || !heads->is_granted) return PENDING_WAIT_US;
    int64_t behind_us =
        (int64_t)(heads->delay_us + 4 * heads->delay_var_us) - nb->streams[s->track].lateness_us;
    return PENDING_WAIT_US + (behind_us > 0 ? (uint64_t)behind_us : 0);
}

static void tick_pending(struct channel *c, struct neighbour *nb, struct pending_cell *cell,
                         uint64_t now_us) {
    struct stream *s = channel_stream(c, cell->track);
    uint64_t waited_us = now_us - cell->came_us;
    if (waited_us > PENDING_KEPT_US)
        neighbour_drop_pending(nb, cell);
    else if (s != NULL && !cell->head_asked && waited_us >= head_patience_us(s, nb))
        ask_for_head(c, s, nb, cell, now_us);
}

void cells_tick(struct channel *c, uint64_t now_us) {
    for (size_t i = neighbour_set_next(&c->pending, 0); i < NEIGHBOURS_MAX;
         i = neighbour_set_next(&c->pending, i + 1)) {
        struct neighbour *nb = c->neighbours[i];
        for (size_t k = 0; k < PENDING_CELLS_MAX && nb->pending_len > 0; k++)
            if (nb->pending[k].payload != NULL) tick_pending(c, nb, &nb->pending[k], now_us);
        if (nb->pending_len == 0) neighbour_set_remove(&c->pending, i);
    }
}

int cells_publish(struct channel *c, struct chunk *chunk, uint64_t now_us) {
    const struct head *h = chunk->head;
    struct stream *s = channel_stream(c, h->track);
    if (s == NULL || h->broadcast != c->manifest.broadcast || !chunk_is_complete(chunk))
        return ERR_RANGE;
    if (s->window.has_newest && h->number != s->window.newest + 1) return ERR_RANGE;
    s->has_start = true;
    struct slot *slot = place(c, s, h, chunk, now_us);
    if (slot == NULL) return ERR_MEMORY;
    serve_head(c, chunk, NULL, now_us);
    for (uint32_t i = 0; i < head_cells(h); i++) serve_cell(c, chunk, i, NULL, now_us);
    complete(c, s, slot, now_us);
    return 0;
}
