/* inbox.h - reliable messages on their way in: which ids were delivered, and messages in parts.
 *
 * A peer that keeps to the protocol never has more than LINK_MESSAGES_MAX ids open, nor more than
 * OUTBOX_PARTED_MAX messages in parts; one that does not is told by ERR_RANGE, and what this holds
 * stays bounded. Part i of a message is its bytes from i * FRAME_PART_BYTES on, so parts cannot
 * overlap. */
#ifndef INBOX_H
#define INBOX_H

#include "core/link/frame.h"
#include "core/link/outbox.h"

struct assembly {
    uint8_t *data; /* NULL: free */
    uint32_t id;
    uint16_t total;
    uint16_t missing; /* bit i: part i */
};

struct inbox {
    uint32_t highest; /* id */
    uint16_t assemblies_len;
    uint64_t delivered[LINK_MESSAGES_MAX / 64]; /* of the ids down from the highest */
    struct assembly *assemblies; /* OUTBOX_PARTED_MAX of them; NULL where none is begun */
};

void inbox_init(struct inbox *b);
void inbox_release(struct inbox *b);
/* Notes a whole message as delivered. Returns 0, ERR_DUPLICATE, or ERR_RANGE for an id that the
 * protocol does not allow yet. */
MUST_CHECK int inbox_take(struct inbox *b, uint32_t id);
/* Takes a part that frame_read has checked. Returns the message's assembly when it is whole, to be
 * given back with inbox_drop once delivered; NULL otherwise, with *ret_err 0, ERR_DUPLICATE,
 * ERR_RANGE (the protocol does not allow it) or ERR_MEMORY. */
struct assembly *inbox_take_part(struct inbox *b, const struct frame *part, int *ret_err);
void inbox_drop(struct inbox *b, struct assembly *a);

#endif
