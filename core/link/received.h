/* received.h - when what came is to be acknowledged, and the acknowledgement.
 *
 * Which counters came stands in the session's replay windows; a second record would only take
 * room. An acknowledgement is due at once when a counter is skipped (2 ms after the one before, at
 * least), so that the sender knows of a loss one round trip after it; 3 ms after one that came
 * late; otherwise after RECEIVED_ELICITING_MAX datagrams or RECEIVED_DELAY_US (60RFC 9000, 13.2,
 * and the acknowledgement frequency draft). Messages, and the first datagrams of a session, wait
 * for RECEIVED_PROMPT_US. Holes are reported for half a second to a second: what is older was said
 * several times. */
#ifndef RECEIVED_H
#define RECEIVED_H

#include "core/link/frame.h"
#include "core/link/replay.h"

#define RECEIVED_ELICITING_MAX 16
#define RECEIVED_DELAY_US (60 * US_PER_MS)
#define RECEIVED_PROMPT_US (25 * US_PER_MS)
#define RECEIVED_PROMPT_FIRST 20         /* datagrams: the pacer and the round trip are young */
#define RECEIVED_LATE_US (3 * US_PER_MS) /* until one that fills a hole is acknowledged */
#define RECEIVED_HOLE_US (2 * US_PER_MS) /* between acknowledgements of ever new holes */
#define RECEIVED_KEPT_US (500 * US_PER_MS)

enum received_kind {
    RECEIVED_SILENT, /* nobody acknowledges an acknowledgement */
    RECEIVED_PATIENT,
    RECEIVED_PROMPT,
};

struct received {
    uint64_t next;       /* behind the highest counter */
    uint64_t floor;      /* holes below it are not reported any more: it becomes */
    uint64_t mark;       /* this, which was `next` */
    uint64_t mark_us;    /* then, after RECEIVED_KEPT_US */
    uint64_t largest_us; /* when the highest counter came */
    uint64_t sent_us;    /* the last acknowledgement */
    uint64_t due_us;     /* TIME_NEVER while nothing waits */
    uint16_t eliciting;  /* since the last acknowledgement */
    uint8_t first;       /* counts to RECEIVED_PROMPT_FIRST */
    bool is_late, skips; /* the one that came last */
    bool repeats;        /* a hole was reported once */
};

void received_init(struct received *r);
/* A counter that came for the first time, before its frames are acted on; */
void received_note(struct received *r, uint64_t counter, uint64_t now_us);
/* and what they were. */
void received_await(struct received *r, enum received_kind kind, uint64_t now_us);
bool received_has_news(const struct received *r);
/* `window` has seen the highest counter, `past` (may be NULL) those of the period before. */
void received_fill(const struct received *r, const struct replay *window, const struct replay *past,
                   struct ack_frame *ret, uint64_t now_us);
/* An acknowledgement of all of it was sent. */
void received_sent(struct received *r, uint64_t now_us);

#endif
