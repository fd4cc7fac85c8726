#include "core/link/received.h"

#include <assert.h>
#include <string.h>

void received_init(struct received *r) { *r = (struct received){.due_us = TIME_NEVER}; }

static void run_remove(struct received *r, unsigned at) {
    r->runs_len--;
    memmove(&r->runs[at], &r->runs[at + 1], (r->runs_len - at) * sizeof r->runs[0]);
}

static void run_insert(struct received *r, unsigned at, uint64_t counter) {
    if (at == RECEIVED_RUNS_MAX) return; /* older than everything that is kept */
    if (r->runs_len == RECEIVED_RUNS_MAX) r->runs_len--;
    memmove(&r->runs[at + 1], &r->runs[at], (r->runs_len - at) * sizeof r->runs[0]);
    r->runs[at].low = r->runs[at].high = counter;
    r->runs_len++;
}

static void runs_add(struct received *r, uint64_t counter) {
    unsigned at = 0;
    while (at < r->runs_len && r->runs[at].low > counter + 1) at++;
    if (at < r->runs_len && r->runs[at].low == counter + 1) {
        r->runs[at].low = counter;
        if (at + 1 < r->runs_len && r->runs[at + 1].high + 1 == counter) {
            r->runs[at].low = r->runs[at + 1].low;
            run_remove(r, at + 1);
        }
    } else if (at < r->runs_len && r->runs[at].high + 1 == counter) {
        r->runs[at].high = counter;
    } else {
        run_insert(r, at, counter);
    }
}

void received_note(struct received *r, uint64_t counter, bool is_eliciting, uint64_t now_us) {
    uint64_t expected = r->runs_len == 0 ? 0 : r->runs[0].high + 1;
    bool skips = counter > expected;
    if (counter >= expected) r->largest_us = now_us;
    runs_add(r, counter);
    if (!is_eliciting) return;
    r->eliciting++;
    uint64_t delay_us = counter < expected ? RECEIVED_LATE_US : RECEIVED_DELAY_US;
    if (skips || r->eliciting >= RECEIVED_ELICITING_MAX) delay_us = 0;
    r->due_us = u64_min(r->due_us, now_us + delay_us);
}

bool received_has_news(const struct received *r) { return r->eliciting > 0; }

void received_fill(const struct received *r, struct ack_frame *ret, uint64_t now_us) {
    assert(r->runs_len > 0);
    *ret = (struct ack_frame){
        .largest = (uint32_t)r->runs[0].high,
        .received_us = (uint32_t)r->largest_us,
        .delay_us = (uint32_t)u64_min(u64_sub(now_us, r->largest_us), UINT32_MAX),
    };
    for (unsigned i = 0; i < r->runs_len && i < FRAME_ACK_RANGES_MAX; i++) {
        uint64_t run = r->runs[i].high - r->runs[i].low + 1;
        uint64_t gap = i == 0 ? 0 : r->runs[i - 1].low - r->runs[i].high - 1;
        if (gap > FRAME_ACK_GAP_MAX) break;
        ret->ranges[i].gap = (uint32_t)gap;
        ret->ranges[i].run = (uint16_t)u64_min(run, FRAME_ACK_RUN_MAX);
        ret->ranges_len++;
        if (run > FRAME_ACK_RUN_MAX) break; /* the next gap would start at the wrong place */
    }
}

void received_sent(struct received *r) {
    r->eliciting = 0;
    r->due_us = TIME_NEVER;
}
