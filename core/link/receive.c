/* Sealed datagrams on their way in: opening, and acting on their frames. */
#include "core/base/err.h"
#include "core/link/link_internal.h"

bool receive_handshake_is_valid(struct reader r) {
    while (reader_left(&r) > 0) {
        struct frame f;
        if (frame_read(&r, &f) != 0) return false;
        if (f.type != FRAME_PADDING && f.type != FRAME_MESSAGE && f.type != FRAME_MESSAGE_PART &&
            f.type != FRAME_UNRELIABLE)
            return false;
    }
    return true;
}

/* A message's first byte decides whether it is one: the top bit is for cells. */
static bool is_message(const struct frame *f) { return !(f->message.data[0] & FRAME_CELL); }

static int take_message(struct link *l, const struct frame *f, uint64_t now_us) {
    int err = is_message(f) ? inbox_take(&l->inbox, f->message.id) : ERR_RANGE;
    if (err) return err;
    link_tell_message(l, f->message.data, f->message.len, now_us);
    return 0;
}

static int take_part(struct link *l, const struct frame *f, uint64_t now_us) {
    int err;
    if (f->message.offset == 0 && !is_message(f)) return ERR_RANGE;
    struct assembly *whole = inbox_take_part(&l->inbox, f, &err);
    if (whole == NULL) return err;
    link_tell_message(l, whole->data, whole->total, now_us);
    inbox_drop(&l->inbox, whole);
    return 0;
}

static int take_cell(struct link *l, const struct frame *f, uint64_t now_us) {
    if (l->links->handler->cell)
        l->links->handler->cell(l->links->owner, l, f->message.data, f->message.len, now_us);
    return 0;
}

static void take_train_seen(struct link *l, const struct frame *f, uint64_t now_us) {
    if (!train_take_report(&l->train, f) || l->links->handler->train == NULL) return;
    struct link_train train = {.sent = l->train.datagrams,
                               .came = f->train.datagrams,
                               .bytes = LINK_DATAGRAM_SIZE,
                               .span_us = f->train.span_us};
    l->links->handler->train(l->links->owner, l, &train, now_us);
}

static void take_close(struct link *l, uint8_t reason, uint64_t now_us) {
    bool is_replaced = reason == LINK_END_REPLACED;
    link_end(l, is_replaced ? LINK_END_REPLACED : LINK_END_REMOTE, now_us);
}

/* Returns 0, or an error that ends the link. */
static int take_frame(struct link *l, const struct frame *f, const struct endpoint *from,
                      uint64_t now_us) {
    switch (f->type) {
    case FRAME_PADDING:
    case FRAME_PING: return 0;
    case FRAME_ACK: recovery_take_ack(l, &f->ack, now_us); return 0;
    case FRAME_MESSAGE: return take_message(l, f, now_us);
    case FRAME_MESSAGE_PART: return take_part(l, f, now_us);
    case FRAME_UNRELIABLE:
        if (!is_message(f)) return ERR_RANGE;
        link_tell_message(l, f->message.data, f->message.len, now_us);
        return 0;
    case FRAME_PATH_CHALLENGE: path_take_challenge(l, from, f->path); return 0;
    case FRAME_PATH_RESPONSE: path_take_response(l, f->path, now_us); return 0;
    case FRAME_TRAIN: train_take(&l->train, f, now_us); return 0;
    case FRAME_TRAIN_SEEN: take_train_seen(l, f, now_us); return 0;
    case FRAME_CLOSE: take_close(l, f->reason, now_us); return 0;
    case FRAME_CELL: return take_cell(l, f, now_us);
    default: return ERR_FORMAT; /* IDENTITY belongs into the first message alone */
    }
}

enum received_kind receive_frames(struct link *l, struct reader *r, const struct endpoint *from,
                                  uint64_t now_us) {
    enum received_kind kind = RECEIVED_SILENT;
    while (reader_left(r) > 0 && l->state != LINK_CLOSED) {
        struct frame f;
        int err = frame_read(r, &f);
        if (!err) err = take_frame(l, &f, from, now_us);
        if (err && err != ERR_DUPLICATE) {
            /* What there is no memory for would be acknowledged, and not come again. */
            link_end(l, err == ERR_MEMORY ? LINK_END_LOCAL : LINK_END_PROTOCOL, now_us);
            return RECEIVED_SILENT;
        }
        if (frame_is_prompt(f.type)) kind = RECEIVED_PROMPT;
        if (kind == RECEIVED_SILENT && frame_is_eliciting(f.type)) kind = RECEIVED_PATIENT;
    }
    return kind;
}

/* The peer answered from the address that its first message came from. */
static void prove(struct link *l, uint64_t now_us) {
    const struct answer *a = l->answer;
    for (unsigned i = 0; i < a->refs_len; i++) outbox_acked(&l->outbox, a->refs[i]);
    rtt_add(&l->rtt, now_us - a->sent_us, 0, now_us);
    link_come_up(l, now_us);
}

/* The frames stand where they were sealed. */
static uint8_t *frames_of(const struct datagram *d) { return d->data + PACKET_DATA_HEADER; }

static void take_opened(struct link *l, const struct datagram *d, size_t len, uint64_t counter,
                        uint64_t now_us) {
    bool is_here = endpoint_equal(&d->peer, &l->endpoint);
    received_note(&l->received, counter, now_us);
    l->counts.datagrams_in++;
    l->counts.bytes_in += d->len;
    silence_heard(l, now_us);
    if (l->state == LINK_UNPROVEN) {
        if (is_here) prove(l, now_us);
        if (l->state == LINK_CLOSED) return;
    }
    path_heard(l, &d->peer, d->len, counter == session_highest(&l->session), now_us);
    struct reader r = reader_init(frames_of(d), len);
    enum received_kind kind = receive_frames(l, &r, &d->peer, now_us);
    if (l->state != LINK_CLOSED) received_await(&l->received, kind, now_us);
}

void receive_data(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len <= LINK_OVERHEAD) {
        ls->stats.refused_format++;
        return;
    }
    struct link *l = links_at(ls, load_u32(d->data + 1));
    if (l == NULL || !l->session.is_ready) {
        ls->stats.refused_index++;
        return;
    }
    uint64_t counter;
    int n = session_open(&l->session, load_u32(d->data + 5), d->data, PACKET_DATA_HEADER,
                         frames_of(d), d->len - PACKET_DATA_HEADER, frames_of(d), &counter, now_us);
    if (n < 0) {
        if (n == ERR_REPLAY || n == ERR_STALE)
            ls->stats.refused_replay++;
        else
            ls->stats.refused_seal++;
        return;
    }
    links_touch(l);
    take_opened(l, d, (size_t)n, counter, now_us);
}
