#include "core/link/frame.h"

#include <assert.h>

#include "core/base/err.h"
#include "core/link/link.h"

static uint32_t read_u24(struct reader *r) {
    uint32_t high = read_u8(r);
    return high << 16 | read_u16(r);
}

static void write_u24(struct writer *w, uint32_t v) {
    write_u8(w, (uint8_t)(v >> 16));
    write_u16(w, (uint16_t)v);
}

static uint32_t read_gap(struct reader *r) {
    uint32_t gap = read_u8(r);
    return gap < FRAME_ACK_GAP_SHORT ? gap : read_u24(r);
}

static void read_ack(struct reader *r, unsigned more, struct ack_frame *ret) {
    ret->largest = read_u24(r);
    ret->received_us = read_u24(r);
    ret->delay_us = (uint32_t)read_u8(r) * FRAME_ACK_DELAY_UNIT_US;
    ret->ranges_len = 1 + more;
    ret->ranges[0] = (struct ack_range){.run = (uint16_t)(1 + read_u8(r))};
    for (unsigned i = 1; i < ret->ranges_len; i++) {
        ret->ranges[i].gap = read_gap(r);
        ret->ranges[i].run = (uint16_t)(1 + read_u8(r));
        if (ret->ranges[i].gap == 0) reader_fail(r, ERR_RANGE);
    }
}

size_t frame_ack_range_size(const struct ack_range *range) {
    return range->gap < FRAME_ACK_GAP_SHORT ? 2 : 5;
}

size_t frame_ack_size(const struct ack_frame *f) {
    size_t size = FRAME_ACK_SIZE_MIN;
    for (unsigned i = 1; i < f->ranges_len; i++) size += frame_ack_range_size(&f->ranges[i]);
    return size;
}

void frame_write_ack(struct writer *w, const struct ack_frame *f) {
    assert(f->ranges_len >= 1 && f->ranges_len <= FRAME_ACK_RANGES_MAX);
    write_u8(w, (uint8_t)(FRAME_ACK + f->ranges_len - 1));
    write_u24(w, f->largest);
    write_u24(w, f->received_us);
    write_u8(w, (uint8_t)u64_min(f->delay_us / FRAME_ACK_DELAY_UNIT_US, UINT8_MAX));
    write_u8(w, (uint8_t)(f->ranges[0].run - 1));
    for (unsigned i = 1; i < f->ranges_len; i++) {
        bool is_short = f->ranges[i].gap < FRAME_ACK_GAP_SHORT;
        write_u8(w, is_short ? (uint8_t)f->ranges[i].gap : FRAME_ACK_GAP_SHORT);
        if (!is_short) write_u24(w, f->ranges[i].gap);
        write_u8(w, (uint8_t)(f->ranges[i].run - 1));
    }
}

static void read_body(struct reader *r, struct frame *ret) {
    ret->message.len = read_u16(r);
    ret->message.data = read_view(r, ret->message.len);
    if (ret->message.len == 0) reader_fail(r, ERR_RANGE);
}

static void read_part(struct reader *r, struct frame *ret) {
    ret->message.id = read_u32(r);
    ret->message.total = read_u16(r);
    ret->message.offset = read_u16(r);
    read_body(r, ret);
    size_t total = ret->message.total, offset = ret->message.offset;
    if (total > LINK_MESSAGE_MAX || offset >= total || offset % FRAME_PART_BYTES != 0 ||
        ret->message.len != size_min(total - offset, FRAME_PART_BYTES))
        reader_fail(r, ERR_RANGE);
}

/* What fills the datagram says nothing. */
static void read_train(struct reader *r, struct frame *ret) {
    ret->train.id = read_u8(r);
    ret->train.index = read_u8(r);
    ret->train.datagrams = read_u8(r);
    if (ret->train.datagrams > FRAME_TRAIN_MAX || ret->train.index >= ret->train.datagrams)
        reader_fail(r, ERR_RANGE);
    (void)read_view(r, reader_left(r));
}

static void read_train_seen(struct reader *r, struct frame *ret) {
    ret->train.id = read_u8(r);
    ret->train.datagrams = read_u8(r);
    ret->train.span_us = read_u32(r);
}

static void read_cell(struct reader *r, struct frame *ret) {
    ret->type = FRAME_CELL;
    ret->message.len = (uint16_t)reader_left(r);
    ret->message.data = read_view(r, ret->message.len);
}

int frame_read(struct reader *r, struct frame *ret) {
    if (reader_left(r) > 0 && *r->at & FRAME_CELL) {
        read_cell(r, ret);
        return r->err;
    }
    ret->type = read_u8(r);
    if (ret->type >= FRAME_ACK && ret->type < FRAME_ACK + FRAME_ACK_RANGES_MAX) {
        read_ack(r, ret->type - FRAME_ACK, &ret->ack);
        ret->type = FRAME_ACK;
        return r->err;
    }
    switch (ret->type) {
    case FRAME_PADDING: /* a first message is mostly that: all of it at once */
        while (r->at < r->end && *r->at == FRAME_PADDING) r->at++;
        break;
    case FRAME_PING: break;
    case FRAME_MESSAGE:
        ret->message.id = read_u32(r);
        read_body(r, ret);
        break;
    case FRAME_MESSAGE_PART: read_part(r, ret); break;
    case FRAME_PATH_CHALLENGE:
    case FRAME_PATH_RESPONSE: read_copy(r, ret->path, sizeof ret->path); break;
    case FRAME_CLOSE: ret->reason = read_u8(r); break;
    case FRAME_UNRELIABLE: read_body(r, ret); break;
    case FRAME_TRAIN: read_train(r, ret); break;
    case FRAME_TRAIN_SEEN: read_train_seen(r, ret); break;
    case FRAME_IDENTITY: read_copy(r, ret->identity.bytes, sizeof ret->identity.bytes); break;
    default: reader_fail(r, ERR_FORMAT);
    }
    return r->err;
}

bool frame_is_eliciting(uint8_t type) {
    switch (type) {
    case FRAME_PADDING:
    case FRAME_ACK:
    case FRAME_CLOSE:
    case FRAME_TRAIN: /* its receiver says what came of it */
    case FRAME_TRAIN_SEEN:
    case FRAME_PATH_CHALLENGE: /* these two answer for themselves */
    case FRAME_PATH_RESPONSE: return false;
    default: return true;
    }
}

bool frame_is_prompt(uint8_t type) {
    return type == FRAME_PING || type == FRAME_MESSAGE || type == FRAME_MESSAGE_PART;
}

void frame_write_message(struct writer *w, uint32_t id, const uint8_t *data, uint16_t len) {
    write_u8(w, FRAME_MESSAGE);
    write_u32(w, id);
    write_u16(w, len);
    write_bytes(w, data, len);
}

void frame_write_part(struct writer *w, uint32_t id, uint16_t total, uint16_t offset,
                      const uint8_t *data, uint16_t len) {
    write_u8(w, FRAME_MESSAGE_PART);
    write_u32(w, id);
    write_u16(w, total);
    write_u16(w, offset);
    write_u16(w, len);
    write_bytes(w, data, len);
}

void frame_write_unreliable(struct writer *w, const uint8_t *data, uint16_t len) {
    write_u8(w, FRAME_UNRELIABLE);
    write_u16(w, len);
    write_bytes(w, data, len);
}

void frame_write_path(struct writer *w, enum frame_type type,
                      const uint8_t data[FRAME_PATH_BYTES]) {
    write_u8(w, (uint8_t)type);
    write_bytes(w, data, FRAME_PATH_BYTES);
}

void frame_write_close(struct writer *w, uint8_t reason) {
    write_u8(w, FRAME_CLOSE);
    write_u8(w, reason);
}

void frame_write_train(struct writer *w, uint8_t id, uint8_t index, uint8_t datagrams) {
    write_u8(w, FRAME_TRAIN);
    write_u8(w, id);
    write_u8(w, index);
    write_u8(w, datagrams);
    write_zeros(w, writer_room(w));
}

void frame_write_train_seen(struct writer *w, uint8_t id, uint8_t datagrams, uint32_t span_us) {
    write_u8(w, FRAME_TRAIN_SEEN);
    write_u8(w, id);
    write_u8(w, datagrams);
    write_u32(w, span_us);
}

void frame_write_identity(struct writer *w, const struct public_key *key) {
    write_u8(w, FRAME_IDENTITY);
    write_bytes(w, key->bytes, sizeof key->bytes);
}
