/* Sealed datagrams on their way out: what goes into one, when one is due, and the sealing. */
#include <assert.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/link/link_internal.h"

#define CLOSE_SIZE (LINK_OVERHEAD + 2)

static bool may_send(const struct link *l, size_t bytes) {
    if (l->state == LINK_CLOSED || !l->session.is_ready) return false;
    if (l->state == LINK_UP) return true;
    return l->answer->bytes_out + bytes <= LINK_AMPLIFICATION * l->answer->bytes_in;
}

uint64_t transmit_deadline(const struct link *l) {
    if (!may_send(l, LINK_DATAGRAM_SIZE)) return TIME_NEVER;
    uint64_t due_us = l->received.due_us;
    if (sent_room(&l->sent) == 0) return due_us;
    if (l->train.is_due) return 0;
    if (l->probe_is_due || l->ping_is_due || outbox_is_due(&l->outbox)) return 0;
    if (l->state == LINK_UP && sent_is_empty(&l->sent))
        due_us = u64_min(due_us, l->received_us + LINK_PING_US);
    return u64_min(due_us, l->unreliable.due_us);
}

void transmit_start(struct link *l, struct datagram *ret, const struct endpoint *to) {
    assert(ret->capacity >= LINK_DATAGRAM_SIZE);
    l->links->build = (struct build){.link = l, .out = ret, .to = *to};
    l->links->build.w =
        writer_init(ret->data + PACKET_DATA_HEADER, LINK_DATAGRAM_SIZE - LINK_OVERHEAD);
}

/* Beside two or three messages there is place for one token. */
static unsigned tokens_max(const struct build *b) {
    return b->record.refs_len > 1 ? 1 : SENT_TOKENS_MAX;
}

static bool add_token(struct build *b, uint64_t token) {
    if (token == 0) return true;
    if (b->tokens_len == tokens_max(b)) return false;
    if (b->tokens_len++ == 0) {
        b->record.token = token;
    } else {
        b->record.second = token;
        b->record.has_second = true;
    }
    return true;
}

static void add_messages(struct link *l) {
    struct build *b = &l->links->build;
    outbox_ref refs[SENT_REFS_MAX];
    unsigned n = outbox_write(&l->outbox, &b->w, refs, SENT_REFS_MAX);
    if (n == 0) return;
    b->record.refs_len = (uint8_t)n;
    b->record.ref = refs[0];
    for (unsigned i = 1; i < n; i++) b->record.refs[i - 1] = refs[i];
    b->is_eliciting = b->is_prompt = true;
}

/* One token is left for a cell. */
static void add_unreliable(struct link *l) {
    struct build *b = &l->links->build;
    struct unreliable u;
    const uint8_t *data;
    while (unreliable_peek(&l->unreliable, &u, &data)) {
        if (writer_room(&b->w) < FRAME_UNRELIABLE_HEADER + (size_t)u.len) return;
        if (u.token != 0 && b->tokens_len + 1 == tokens_max(b)) return;
        add_token(b, u.token);
        frame_write_unreliable(&b->w, data, u.len);
        unreliable_pop(&l->unreliable);
        b->is_eliciting = true;
    }
}

static void add_ack(struct link *l, uint64_t now_us) {
    if (!received_has_news(&l->received)) return;
    struct ack_frame f;
    received_fill(&l->received, &l->session.window, session_past_window(&l->session), &f, now_us);
    if (writer_room(&l->links->build.w) < frame_ack_size(&f)) return;
    frame_write_ack(&l->links->build.w, &f);
    l->links->build.has_ack = true;
    if (l->received.due_us <= now_us)
        l->links->build.has_other = true; /* worth a datagram by itself */
}

static void add_train_report(struct link *l) {
    struct build *b = &l->links->build;
    if (!l->train.is_due || writer_room(&b->w) < FRAME_TRAIN_SEEN_SIZE) return;
    train_write_report(&l->train, &b->w);
    b->has_other = true;
}

/* Without a place to remember it in, only the acknowledgement. */
static void add_all(struct link *l, bool has_place, uint64_t now_us) {
    if (has_place) {
        add_messages(l);
        add_unreliable(l);
    }
    add_train_report(l);
    add_ack(l, now_us);
}

static bool ping_is_due(const struct link *l, uint64_t now_us) {
    return l->ping_is_due || l->probe_is_due ||
           (sent_is_empty(&l->sent) && l->received_us + LINK_PING_US <= now_us);
}

/* Whether anything waits that is to be remembered once it is sent. */
static bool is_waiting(const struct link *l, uint64_t now_us) {
    return ping_is_due(l, now_us) || outbox_is_due(&l->outbox) ||
           l->unreliable.due_us != TIME_NEVER;
}

size_t transmit_data(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (transmit_deadline(l) > now_us) return 0;
    bool has_place = sent_room(&l->sent) > 0 && is_waiting(l, now_us);
    if (has_place && !sent_reserve(&l->sent)) {
        link_end(l, LINK_END_LOCAL, now_us); /* no memory: what is due would stay due */
        return 0;
    }
    transmit_start(l, ret, &l->endpoint);
    add_all(l, has_place, now_us);
    struct build *b = &l->links->build;
    if (has_place && ping_is_due(l, now_us) && !b->is_eliciting && writer_room(&b->w) > 0) {
        write_u8(&b->w, FRAME_PING);
        b->is_eliciting = b->is_prompt = true;
    }
    return transmit_finish(l, now_us);
}

static void record(struct link *l, uint64_t counter, uint64_t now_us) {
    struct build *b = &l->links->build;
    if (sent_is_empty(&l->sent) || l->probes == 0) l->probe_base_us = now_us;
    b->record.counter = (uint32_t)counter;
    b->record.sent_us = (uint32_t)now_us;
    b->record.bytes = (uint16_t)b->out->len;
    sent_add(&l->sent, &b->record);
    l->waiting_since_us = u64_min(l->waiting_since_us, now_us);
    l->ping_is_due = l->probe_is_due = false;
    l->is_prompt = b->is_prompt;
}

static void seal_datagram(struct link *l, uint64_t counter) {
    struct build *b = &l->links->build;
    uint8_t *data = b->out->data;
    size_t len = writer_len(&b->w);
    data[0] = PACKET_DATA;
    store_u32(data + 1, l->session.remote_index);
    store_u32(data + 5, (uint32_t)counter);
    seal(&l->session.send, counter, data, PACKET_DATA_HEADER, data + PACKET_DATA_HEADER, len,
         data + PACKET_DATA_HEADER);
    b->out->len = LINK_OVERHEAD + len;
    b->out->peer = b->to;
}

size_t transmit_finish(struct link *l, uint64_t now_us) {
    struct build *b = &l->links->build;
    assert(b->out != NULL && b->w.err == 0);
    struct datagram *out = b->out;
    bool is_empty = !b->is_eliciting && !b->has_other;
    if (is_empty || l->state == LINK_CLOSED) {
        b->out = NULL;
        sent_trim(&l->sent); /* of the place that was reserved */
        return out->len = 0;
    }
    uint64_t counter = session_next_counter(&l->session, now_us);
    seal_datagram(l, counter);
    if (b->is_eliciting) record(l, counter, now_us);
    if (b->has_ack) received_sent(&l->received, now_us);
    if (l->state == LINK_UNPROVEN && endpoint_equal(&b->to, &l->endpoint))
        l->answer->bytes_out += out->len;
    if (l->pace != NULL) pace_charge(l->pace, out->len, now_us);
    l->counts.datagrams_out++;
    l->counts.bytes_out += out->len;
    b->out = NULL;
    return out->len;
}

size_t transmit_train(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (!train_has_next(&l->train) || !may_send(l, LINK_DATAGRAM_SIZE)) return 0;
    transmit_start(l, ret, &l->endpoint);
    train_write_next(&l->train, &l->links->build.w);
    l->links->build.has_other = true;
    return transmit_finish(l, now_us);
}

void transmit_close(struct link *l, enum link_end end, uint64_t now_us) {
    if (!may_send(l, CLOSE_SIZE)) return;
    struct ready *e = ready_add(&l->links->ready, &l->endpoint, CLOSE_SIZE, false);
    if (e == NULL) return; /* the peer will notice our silence */
    uint64_t counter = session_next_counter(&l->session, now_us);
    struct writer w = writer_init(e->data + PACKET_DATA_HEADER, 2);
    frame_write_close(&w, (uint8_t)end);
    e->data[0] = PACKET_DATA;
    store_u32(e->data + 1, l->session.remote_index);
    store_u32(e->data + 5, (uint32_t)counter);
    seal(&l->session.send, counter, e->data, PACKET_DATA_HEADER, w.start, writer_len(&w), w.start);
    l->counts.datagrams_out++;
    l->counts.bytes_out += CLOSE_SIZE;
}

uint64_t link_cell_time(const struct link *l) {
    if (!may_send(l, LINK_DATAGRAM_SIZE) || sent_room(&l->sent) <= LINK_CELL_RESERVE)
        return TIME_NEVER;
    if (l->pace == NULL) return l->sent.bytes_in_flight >= PACE_WINDOW_INITIAL ? TIME_NEVER : 0;
    uint64_t least_us = l->rtt.smoothed_us ? rtt_least(&l->rtt, l->received_us) : RTT_INITIAL_US;
    if (l->sent.bytes_in_flight >= pace_window(l->pace, least_us)) return TIME_NEVER;
    return pace_time(l->pace);
}

void link_note_held(struct link *l) {
    if (l->pace != NULL) pace_note_held(l->pace);
}

static int pace_start(struct link *l, uint64_t now_us) {
    if (l->pace != NULL) return 0;
    l->pace = malloc(sizeof *l->pace);
    if (l->pace == NULL) return ERR_MEMORY;
    pace_init(l->pace, now_us);
    return 0;
}

int link_begin(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (!may_send(l, LINK_DATAGRAM_SIZE) || sent_room(&l->sent) == 0) return ERR_STATE;
    if (!sent_reserve(&l->sent) || pace_start(l, now_us) != 0) return ERR_MEMORY;
    l->cell_us = now_us;
    transmit_start(l, ret, &l->endpoint);
    add_all(l, true, now_us);
    return 0;
}

/* The datagram that is begun, where it is this link's. */
static struct build *build_of(const struct link *l) {
    struct build *b = &l->links->build;
    return b->out != NULL && b->link == l ? b : NULL;
}

size_t link_room(const struct link *l) {
    const struct build *b = build_of(l);
    return b == NULL ? 0 : writer_room(&b->w);
}

int link_add_cell(struct link *l, const void *header, size_t header_len, const void *payload,
                  size_t len, uint64_t token) {
    struct build *b = build_of(l);
    if (b == NULL || header_len == 0) return ERR_STATE;
    if (!(((const uint8_t *)header)[0] & FRAME_CELL)) return ERR_RANGE;
    if (writer_room(&b->w) < header_len + len) return ERR_FULL;
    if (!add_token(b, token)) return ERR_FULL;
    write_bytes(&b->w, header, header_len);
    write_bytes(&b->w, payload, len);
    b->w.end = b->w.at; /* the frame extends to the end of the datagram */
    b->is_eliciting = true;
    return 0;
}

size_t link_finish(struct link *l, uint64_t now_us) {
    if (build_of(l) == NULL) return 0;
    links_enter(l->links, now_us);
    size_t n = transmit_finish(l, now_us);
    links_touch(l);
    links_leave(l->links);
    if (n > 0) {
        l->links->stats.datagrams_out++;
        l->links->stats.bytes_out += n;
    }
    return n;
}
