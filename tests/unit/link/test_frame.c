#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/frame.h"
#include "core/link/link.h"

/* Every frame that has an end of its own, as it stands on the wire. */
static size_t all_frames(uint8_t *ret, size_t capacity, size_t ends[16], size_t *ends_len) {
    struct writer w = writer_init(ret, capacity);
    struct ack_frame ack = {.largest = 70000,
                            .received_us = 0xadbeef,
                            .delay_us = 1500,
                            .ranges_len = 3,
                            .ranges = {{0, 1}, {1, FRAME_ACK_RUN_MAX}, {FRAME_ACK_GAP_MAX, 7}}};
    struct public_key key = {{7}};
    const uint8_t path[FRAME_PATH_BYTES] = {1, 2, 3};
    size_t n = 0;
    write_u8(&w, FRAME_PING), ends[n++] = writer_len(&w);
    frame_write_ack(&w, &ack), ends[n++] = writer_len(&w);
    frame_write_message(&w, 5, path, 8), ends[n++] = writer_len(&w);
    frame_write_part(&w, 6, 1003, 1000, path, 3), ends[n++] = writer_len(&w);
    frame_write_path(&w, FRAME_PATH_CHALLENGE, path), ends[n++] = writer_len(&w);
    frame_write_path(&w, FRAME_PATH_RESPONSE, path), ends[n++] = writer_len(&w);
    frame_write_close(&w, 5), ends[n++] = writer_len(&w);
    frame_write_unreliable(&w, path, 4), ends[n++] = writer_len(&w);
    frame_write_identity(&w, &key), ends[n++] = writer_len(&w);
    frame_write_train_seen(&w, 3, 16, 70000), ends[n++] = writer_len(&w);
    cr_assert_eq(w.err, 0);
    *ends_len = n;
    return writer_len(&w);
}

Test(frame, reads_back_what_was_written) {
    uint8_t data[400];
    size_t ends[16], n;
    struct reader r = reader_init(data, all_frames(data, sizeof data, ends, &n));
    struct frame f;
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.type, FRAME_PING);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.ack.largest, 70000);
    cr_assert_eq(f.ack.received_us, 0xadbeef);
    cr_assert_eq(f.ack.delay_us, 1500);
    cr_assert_eq(f.ack.ranges_len, 3);
    cr_assert_eq(f.ack.ranges[1].run, FRAME_ACK_RUN_MAX);
    cr_assert_eq(f.ack.ranges[2].gap, FRAME_ACK_GAP_MAX);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.message.id, 5);
    cr_assert_eq(f.message.len, 8);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.message.offset, 1000);
    cr_assert_eq(f.message.total, 1003);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.path[2], 3);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.type, FRAME_PATH_RESPONSE);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.reason, 5);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.message.len, 4);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.identity.bytes[0], 7);
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.train.id, 3);
    cr_assert_eq(f.train.datagrams, 16);
    cr_assert_eq(f.train.span_us, 70000);
    cr_assert_eq(reader_finish(&r), 0);
}

Test(frame, refuses_every_frame_that_is_cut_short) {
    uint8_t data[400];
    size_t ends[16], n;
    all_frames(data, sizeof data, ends, &n);
    for (size_t i = 0; i < n; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        for (size_t len = 1; len < ends[i] - start; len++) {
            struct reader r = reader_init(data + start, len);
            struct frame f;
            cr_assert_eq(frame_read(&r, &f), ERR_TRUNCATED, "frame %zu cut at %zu", i, len);
        }
    }
}

static int read_bytes(const uint8_t *data, size_t len) {
    struct reader r = reader_init(data, len);
    struct frame f;
    return frame_read(&r, &f);
}

Test(frame, refuses_what_is_out_of_range) {
    const uint8_t empty_message[] = {FRAME_MESSAGE, 0, 0, 0, 1, 0, 0};
    const uint8_t empty_unreliable[] = {FRAME_UNRELIABLE, 0, 0};
    const uint8_t unknown[] = {0x0c};
    const uint8_t train[] = {FRAME_TRAIN, 1, 16, 16};
    const uint8_t long_train[] = {FRAME_TRAIN, 1, 0, FRAME_TRAIN_MAX + 1};
    const uint8_t ranges[] = {FRAME_ACK + FRAME_ACK_RANGES_MAX, 0, 0, 9, 0, 0, 0, 0, 0};
    const uint8_t no_gap[] = {FRAME_ACK + 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0};
    cr_assert_eq(read_bytes(empty_message, sizeof empty_message), ERR_RANGE);
    cr_assert_eq(read_bytes(empty_unreliable, sizeof empty_unreliable), ERR_RANGE);
    cr_assert_eq(read_bytes(train, sizeof train), ERR_RANGE);
    cr_assert_eq(read_bytes(long_train, sizeof long_train), ERR_RANGE);
    cr_assert_eq(read_bytes(unknown, sizeof unknown), ERR_FORMAT);
    cr_assert_eq(read_bytes(ranges, sizeof ranges), ERR_FORMAT);
    cr_assert_eq(read_bytes(no_gap, sizeof no_gap), ERR_RANGE);
}

Test(frame, refuses_parts_that_could_overlap_or_are_too_large) {
    static const struct {
        uint16_t total, offset, len;
    } parts[] = {
        {1500, 10, 1000},  /* not at a part's place */
        {1500, 0, 999},    /* not a whole part */
        {1500, 1000, 499}, /* not all of the last */
        {1500, 1000, 501}, /* beyond the end */
        {1500, 2000, 1},   /* behind the end */
        {LINK_MESSAGE_MAX + 1, 0, 1000},
        {0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint8_t data[1100], body[1000] = {0};
        struct writer w = writer_init(data, sizeof data);
        frame_write_part(&w, 1, parts[i].total, parts[i].offset, body, parts[i].len);
        cr_assert_eq(read_bytes(data, writer_len(&w)), ERR_RANGE, "part %zu", i);
    }
}

Test(frame, leaves_room_for_a_full_cell_beside_the_largest_acknowledgement) {
    cr_assert_geq(LINK_DATAGRAM_SIZE - LINK_OVERHEAD - FRAME_ACK_SIZE_MAX, 8 + 1120);
}
