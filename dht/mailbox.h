/* mailbox.h - what another library's threads tell ours: a bounded queue behind an eventfd.
 *
 * Callbacks copy and leave; everything else happens on the thread that owns the mailbox. They are
 * given a token, which is a number and not a pointer: one that comes after the mailbox was freed
 * finds nobody and does nothing. Values and notices (the end of an operation) have bounds of their
 * own, so that a flood of values cannot hide that a search has ended. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>

#include "core/base/base.h"

#define MAILBOXES_MAX 64                /* in one program; it needs one, its tests some more */
#define MAILBOX_VALUES_MAX 4096         /* a key with 1,500 values, and then some */
#define MAILBOX_BYTES_MAX (2u << 20)    /* of values */
#define MAILBOX_NOTICES_MAX 1024        /* one for each operation that can be open */
#define MAILBOX_OP_MAX ((1u << 18) - 1) /* what fits a token of 32 bits beside the mailbox */

enum mail_kind {
    MAIL_VALUE,    /* found under a key */
    MAIL_GET_DONE, /* no value of it follows */
    MAIL_PUT_DONE,
    MAIL_PING_DONE,
    MAIL_ADDRESSES, /* a host's: an array of struct endpoint */
};

struct mail {
    struct mail *next;
    uint32_t op; /* the operation that it belongs to, 1 to MAILBOX_OP_MAX */
    enum mail_kind kind;
    bool ok;
    size_t len;
    uint8_t data[];
};

struct mailbox;

/* NULL: no memory or descriptors, or MAILBOXES_MAX are there. */
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *m);
/* Readable while mail is there. */
int mailbox_fd(const struct mailbox *m);
/* A number for an operation. It comes again after MAILBOX_OP_MAX others, when the one that had it
 * has long ended. */
uint32_t mailbox_next_op(struct mailbox *m);
void *mailbox_token(const struct mailbox *m, uint32_t op);
/* From any thread, at any time. What does not fit is counted. */
void mailbox_post(void *token, enum mail_kind kind, bool ok, const void *data, size_t len);
/* The oldest, to be freed by the caller; NULL when there is none. */
struct mail *mailbox_take(struct mailbox *m);
/* How many did not fit. */
uint64_t mailbox_dropped(struct mailbox *m);

#endif
