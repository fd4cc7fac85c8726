/* What became of what was sent: acknowledgements, losses and probes after RFC 9002, 5 and 6. */
#include <stdlib.h>

#include "core/base/err.h"
#include "core/link/link_internal.h"

#define ACK_MASK ((1u << FRAME_ACK_COUNTER_BITS) - 1)
#define LOSS_PACKETS 3 /* RFC 9002, 6.1.1 */
#define LOSS_REORDER_MAX_US (10 * US_PER_MS)
#define OUTAGE_PROBES 2 /* unanswered: the path is out, not only a tail lost */

/* What one acknowledgement newly acknowledges. */
struct news {
    struct pace_ack pace;
    bool has_largest;
    uint64_t now_us;
};

static void record_acked(struct link *l, uint64_t sequence, struct news *news) {
    struct sent *s = sent_at(&l->sent, sequence);
    if (!s->is_in_flight) return;
    sent_settle(&l->sent, s);
    for (unsigned i = 0; i < s->refs_len; i++) outbox_acked(&l->outbox, sent_ref(s, i));
    news->pace.bytes += s->bytes;
    news->pace.datagrams++;
    if (sequence < l->acked_end) return;
    l->acked_end = sequence + 1;
    l->acked_sent_us = s->sent_us;
}

/* The records of counters low to high; those below the tail are settled. */
static void range_acked(struct link *l, uint64_t low, uint64_t high, struct news *news) {
    uint64_t end = sent_find_end(&l->sent, high);
    while (end > l->sent.tail &&
           (int32_t)(sent_at(&l->sent, end - 1)->counter - (uint32_t)low) >= 0)
        record_acked(l, --end, news);
}

static void record_lost(struct link *l, struct sent *s, uint64_t now_us) {
    sent_settle(&l->sent, s);
    for (unsigned i = 0; i < s->refs_len; i++) outbox_requeue(&l->outbox, sent_ref(s, i));
    l->datagrams_lost++;
    if (l->pace != NULL) pace_on_lost(l->pace);
    uint64_t first = s->token, second = s->has_second ? s->second : 0; /* telling may move it */
    link_tell_lost(l, first, now_us);
    if (l->state != LINK_CLOSED) link_tell_lost(l, second, now_us);
}

/* Lost is what was sent before something acknowledged, by three datagrams or 9/8 of a round trip.
 * The three count when they were sent an eighth of a round trip later: a burst that leaves at one
 * moment arrives in any order where there is jitter (RFC 8985's observation). */
static void losses_find(struct link *l, uint64_t now_us) {
    uint64_t delay_us = rtt_loss_delay(&l->rtt);
    uint64_t reorder_us = u64_min(l->rtt.smoothed_us / 8, LOSS_REORDER_MAX_US);
    l->loss_us = TIME_NEVER;
    for (uint64_t i = l->sent.tail; i < l->acked_end && l->state != LINK_CLOSED; i++) {
        struct sent *s = sent_at(&l->sent, i);
        if (!s->is_in_flight) continue;
        uint64_t sent_us = sent_time(s, now_us);
        int32_t before_us = (int32_t)(l->acked_sent_us - s->sent_us);
        bool is_passed = l->acked_end - 1 - i >= LOSS_PACKETS && before_us >= (int32_t)reorder_us;
        if (is_passed || sent_us + delay_us <= now_us)
            record_lost(l, s, now_us);
        else
            l->loss_us = u64_min(l->loss_us, sent_us + delay_us);
    }
    sent_trim(&l->sent);
}

/* The whole counter of the largest acknowledged; false where it was never sent. Less than 2^24 are
 * sent, or skipped by a change of keys, within a round trip. */
static bool largest_expand(const struct link *l, uint32_t low, uint64_t *ret) {
    if (l->session.counter == 0) return false;
    uint64_t last = l->session.counter - 1;
    uint64_t below = ((uint32_t)last - low) & ACK_MASK;
    if (below > last) return false;
    *ret = last - below;
    return true;
}

/* Walks the ranges; false where they go below zero. */
static bool ranges_acked(struct link *l, const struct ack_frame *f, uint64_t largest,
                         struct news *news) {
    uint64_t next = largest; /* the highest counter of the next range is this minus its gap */
    for (unsigned i = 0; i < f->ranges_len; i++) {
        uint64_t skipped = i == 0 ? 0 : (uint64_t)f->ranges[i].gap + 1;
        if (next < skipped + f->ranges[i].run - 1u) return false;
        uint64_t high = next - skipped;
        next = high - (f->ranges[i].run - 1u);
        range_acked(l, next, high, news);
    }
    return true;
}

/* The peer's time, of which 24 bits came: nearest to what its clock should say now. The first
 * acknowledgement decides which of many; only differences count. */
static uint32_t received_expand(struct link *l, uint32_t low, uint64_t now_us) {
    uint32_t expected = (uint32_t)now_us + l->clock_us;
    uint32_t ahead = (low - expected) & ACK_MASK;
    if (ahead > ACK_MASK / 2) ahead -= ACK_MASK + 1;
    l->clock_us += ahead;
    return expected + ahead;
}

static void largest_note(struct link *l, const struct ack_frame *f, uint64_t largest,
                         struct news *news, uint64_t now_us) {
    uint64_t end = sent_find_end(&l->sent, largest);
    if (end == l->sent.tail) return;
    const struct sent *s = sent_at(&l->sent, end - 1);
    if (s->counter != (uint32_t)largest || !s->is_in_flight) return;
    news->has_largest = true;
    news->pace.sent_us = sent_time(s, now_us);
    news->pace.received_us = received_expand(l, f->received_us, now_us);
}

void recovery_take_ack(struct link *l, const struct ack_frame *f, uint64_t now_us) {
    uint64_t largest;
    struct news news = {.now_us = now_us};
    bool is_valid = largest_expand(l, f->largest, &largest);
    if (is_valid) {
        largest_note(l, f, largest, &news, now_us);
        is_valid = ranges_acked(l, f, largest, &news);
    }
    if (!is_valid) {
        link_end(l, LINK_END_PROTOCOL, now_us);
        return;
    }
    if (news.pace.datagrams == 0) return;
    l->probes = 0;
    l->probe_base_us = now_us;
    if (news.has_largest) rtt_add(&l->rtt, now_us - news.pace.sent_us, f->delay_us, now_us);
    losses_find(l, now_us);
    if (l->state == LINK_CLOSED || l->pace == NULL) return;
    if (now_us - l->cell_us >= LINK_PACE_IDLE_US) {
        free(l->pace);
        l->pace = NULL;
    } else if (news.has_largest) {
        news.pace.rtt_least_us = rtt_least(&l->rtt, now_us);
        news.pace.shared_us = l->links->shared_us;
        news.pace.in_flight = l->sent.bytes_in_flight;
        pace_on_ack(l->pace, &news.pace, now_us);
    }
}

void recovery_reset(struct link *l, uint64_t now_us) {
    uint64_t end = sent_head(&l->sent);
    for (uint64_t i = l->sent.tail; i < end && l->state != LINK_CLOSED; i++) {
        struct sent *s = sent_at(&l->sent, i);
        if (s->is_in_flight) record_lost(l, s, now_us);
    }
    sent_release(&l->sent);
    outbox_requeue_all(&l->outbox);
    l->acked_end = 0;
    l->probes = 0;
    l->probe_is_due = false;
    l->loss_us = TIME_NEVER;
}

uint64_t recovery_deadline(const struct link *l) {
    if (sent_is_empty(&l->sent)) return TIME_NEVER;
    if (l->loss_us != TIME_NEVER) return l->loss_us;
    return l->probe_base_us + rtt_probe_delay(&l->rtt, l->is_prompt, l->probes);
}

/* Something that must be acknowledged, because what went before was not: the oldest messages once
 * more, or a PING. */
static void probe(struct link *l, uint64_t now_us) {
    if (l->probes < UINT16_MAX) l->probes++;
    l->probe_base_us = now_us;
    l->probe_is_due = true;
    const struct sent *oldest = sent_at(&l->sent, l->sent.tail);
    for (unsigned i = 0; i < oldest->refs_len; i++) outbox_requeue(&l->outbox, sent_ref(oldest, i));
    if (l->probes >= OUTAGE_PROBES && l->pace != NULL) pace_on_outage(l->pace, now_us);
}

void recovery_expire(struct link *l, uint64_t now_us) {
    if (recovery_deadline(l) > now_us) return;
    if (l->loss_us <= now_us)
        losses_find(l, now_us);
    else
        probe(l, now_us);
}
