/* outbox.h - reliable messages on their way out, each kept until all of it is acknowledged.
 *
 * Ids count up from 1, and at most LINK_MESSAGES_MAX of them are open at once, so the receiver
 * tells a repetition from something new by a window of ids. A message that does not fit one
 * datagram beside an acknowledgement travels in parts of FRAME_PART_BYTES, at most
 * OUTBOX_PARTED_MAX such messages at a time: that bounds what the receiver has to put together. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "core/link/frame.h"
#include "core/link/link.h"

#define OUTBOX_PARTED_MAX 8
#define OUTBOX_SINGLE_MAX 1120        /* larger ones in parts; 7 + this fits beside any ACK */
#define OUTBOX_BYTES_MAX (256 * 1024) /* waiting or unacknowledged, of one link */

struct outgoing {
    uint8_t *data; /* NULL: the slot is free */
    uint16_t len;
    uint16_t waiting; /* bit i: part i is to be sent */
    uint16_t unacked; /* bit i: part i is not acknowledged */
    bool is_parted : 1;
    bool is_begun : 1; /* a part of it was sent: counts towards OUTBOX_PARTED_MAX */
};

struct outbox {
    struct outgoing *slots; /* by id modulo their count; NULL where none is open */
    uint32_t first, next;   /* ids: first that may be open, next to be given */
    uint32_t bytes;
    uint16_t capacity; /* to LINK_MESSAGES_MAX, as many as lie between first and next */
    uint16_t waiting;  /* messages with a part to be sent */
    uint16_t parted;   /* messages in parts that are begun */
};

/* A message (28 bits of its id) and a part of it, as it stands in a sent record. */
typedef uint32_t outbox_ref;

void outbox_init(struct outbox *o);
void outbox_release(struct outbox *o);
/* Copies `data`. Returns 0, ERR_FULL or ERR_MEMORY. */
MUST_CHECK int outbox_add(struct outbox *o, const void *data, size_t len);
/* Whether outbox_write would write something into a datagram that is empty. */
bool outbox_is_due(const struct outbox *o);
/* Writes waiting messages and parts, oldest first, as far as they fit and at most `max`; fills
 * `ret` with what was written and returns how many. */
unsigned outbox_write(struct outbox *o, struct writer *w, outbox_ref *ret, unsigned max);
void outbox_acked(struct outbox *o, outbox_ref ref);
/* Lost: to be sent again, unless it was acknowledged meanwhile. */
void outbox_requeue(struct outbox *o, outbox_ref ref);
void outbox_requeue_all(struct outbox *o);

#endif
