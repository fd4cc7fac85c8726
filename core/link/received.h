/* received.h - which counters came, as runs, and when that is to be acknowledged.
 *
 * One acknowledgement for RECEIVED_ELICITING_MAX datagrams or RECEIVED_DELAY_US, and at once when
 * a counter is skipped, so that the sender knows of a loss one round trip after it. Only the
 * newest runs are kept: what is older was acknowledged several times. */
#ifndef RECEIVED_H
#define RECEIVED_H

#include "core/link/frame.h"

#define RECEIVED_RUNS_MAX 16
#define RECEIVED_ELICITING_MAX 8
#define RECEIVED_DELAY_US (25 * US_PER_MS)
#define RECEIVED_LATE_US                                                                           \
    (3 * US_PER_MS) /* for one that fills a gap: before it is taken for lost                       \
                     */

struct received {
    struct {
        uint64_t low, high;
    } runs[RECEIVED_RUNS_MAX]; /* newest first, never adjacent */
    unsigned runs_len;
    unsigned eliciting;  /* since the last acknowledgement */
    uint64_t largest_us; /* when the highest counter came */
    uint64_t due_us;     /* TIME_NEVER while nothing waits */
};

void received_init(struct received *r);
/* A counter that came for the first time. */
void received_note(struct received *r, uint64_t counter, bool is_eliciting, uint64_t now_us);
bool received_has_news(const struct received *r);
void received_fill(const struct received *r, struct ack_frame *ret, uint64_t now_us);
/* An acknowledgement of all of it was sent. */
void received_sent(struct received *r);

#endif
