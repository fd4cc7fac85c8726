/* frame.h - what a sealed datagram is made of: the table of core/PROTOCOL.md, 4, as readers and
 * writers.
 *
 * A frame borrows the bytes that it was read from. Reading checks lengths and ranges; whether the
 * frame is allowed at this moment is the link's business. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>

#include "core/base/bytes.h"
#include "core/crypto/sign.h"

enum frame_type {
    FRAME_PADDING = 0x00,
    FRAME_PING = 0x01,
    FRAME_MESSAGE = 0x03,
    FRAME_MESSAGE_PART = 0x04,
    FRAME_PATH_CHALLENGE = 0x05,
    FRAME_PATH_RESPONSE = 0x06,
    FRAME_CLOSE = 0x07,
    FRAME_UNRELIABLE = 0x08,
    FRAME_IDENTITY = 0x09,
    FRAME_TRAIN = 0x0a, /* to the end of the datagram */
    FRAME_TRAIN_SEEN = 0x0b,
    FRAME_ACK = 0x10,  /* to 0x18: and as many ranges behind the first */
    FRAME_CELL = 0x80, /* this bit set: a cell, to the end of the datagram */
};

#define FRAME_MESSAGE_HEADER 7    /* type, id, length */
#define FRAME_PART_HEADER 11      /* type, id, total, offset, length */
#define FRAME_UNRELIABLE_HEADER 3 /* type, length */
#define FRAME_PATH_BYTES 8        /* of a challenge: 64 random bits */
#define FRAME_PART_BYTES 1000     /* of every part but the last; fits a first message too */
#define FRAME_TRAIN_MAX 64        /* datagrams */
#define FRAME_TRAIN_SEEN_SIZE 7
#define FRAME_ACK_RANGES_MAX 9
#define FRAME_ACK_SIZE_MIN 9
#define FRAME_ACK_SIZE_MAX 45      /* as we write it: a full cell must fit beside it */
#define FRAME_ACK_RUN_MAX 256      /* counters in one range */
#define FRAME_ACK_GAP_MAX 0xffffff /* more than a period of counters is skipped in a rekey */
#define FRAME_ACK_GAP_SHORT 0xff   /* from here on a gap takes 4 bytes, not 1 */
#define FRAME_ACK_COUNTER_BITS 24  /* of the largest counter, and of the time */
#define FRAME_ACK_DELAY_UNIT_US 250

/* The counters of one run, and how many above it (below the run before) were not received. */
struct ack_range {
    uint32_t gap; /* 0 in the first range, at least 1 in the others */
    uint16_t run; /* 1 to FRAME_ACK_RUN_MAX */
};

struct ack_frame {
    uint32_t largest;     /* low 24 bits of the highest counter received */
    uint32_t received_us; /* when it came, on the receiver's clock, low 24 bits */
    uint32_t delay_us;    /* from then to the sending of this */
    unsigned ranges_len;  /* at least 1 */
    struct ack_range ranges[FRAME_ACK_RANGES_MAX];
};

struct frame {
    uint8_t type; /* FRAME_CELL for every cell, FRAME_ACK for every ACK */
    union {
        struct ack_frame ack;
        struct {
            uint32_t id;
            uint16_t total, offset; /* of a part */
            const uint8_t *data;
            uint16_t len;
        } message; /* MESSAGE, MESSAGE_PART, UNRELIABLE and cells */
        uint8_t path[FRAME_PATH_BYTES];
        uint8_t reason;
        struct {
            uint8_t id, index, datagrams; /* of TRAIN_SEEN: those that came, */
            uint32_t span_us;             /* and from the first of them to the last */
        } train;
        struct public_key identity;
    };
};

/* Returns 0, ERR_TRUNCATED, ERR_FORMAT (no such type) or ERR_RANGE. */
MUST_CHECK int frame_read(struct reader *r, struct frame *ret);
/* Whether a datagram with this frame is to be acknowledged, and soon. */
bool frame_is_eliciting(uint8_t type);
bool frame_is_prompt(uint8_t type);

size_t frame_ack_size(const struct ack_frame *f);
size_t frame_ack_range_size(const struct ack_range *range); /* of one behind the first */
void frame_write_ack(struct writer *w, const struct ack_frame *f);
void frame_write_message(struct writer *w, uint32_t id, const uint8_t *data, uint16_t len);
void frame_write_part(struct writer *w, uint32_t id, uint16_t total, uint16_t offset,
                      const uint8_t *data, uint16_t len);
void frame_write_unreliable(struct writer *w, const uint8_t *data, uint16_t len);
void frame_write_path(struct writer *w, enum frame_type type, const uint8_t data[FRAME_PATH_BYTES]);
void frame_write_close(struct writer *w, uint8_t reason);
/* Fills what is left of the datagram. */
void frame_write_train(struct writer *w, uint8_t id, uint8_t index, uint8_t datagrams);
void frame_write_train_seen(struct writer *w, uint8_t id, uint8_t datagrams, uint32_t span_us);
void frame_write_identity(struct writer *w, const struct public_key *key);

#endif
