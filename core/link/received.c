#include "core/link/received.h"

#include <assert.h>

void received_init(struct received *r) { *r = (struct received){.due_us = TIME_NEVER}; }

void received_note(struct received *r, uint64_t counter, uint64_t now_us) {
    r->is_late = counter < r->next;
    r->skips = counter > r->next;
    r->floor = u64_min(r->floor, counter);
    if (r->is_late) return;
    r->next = counter + 1;
    r->largest_us = now_us;
}

void received_await(struct received *r, enum received_kind kind, uint64_t now_us) {
    if (kind == RECEIVED_SILENT) return;
    bool is_prompt = kind == RECEIVED_PROMPT || r->first < RECEIVED_PROMPT_FIRST;
    if (r->first < RECEIVED_PROMPT_FIRST) r->first++;
    /* The acknowledgement that reports a hole may be lost: the next one hurries too. */
    if (r->repeats && r->due_us == TIME_NEVER) {
        is_prompt = true;
        r->repeats = false;
    }
    if (r->skips) r->repeats = true;
    uint64_t due_us = now_us + (is_prompt ? RECEIVED_PROMPT_US : RECEIVED_DELAY_US);
    if (r->is_late) due_us = now_us + RECEIVED_LATE_US;
    if (r->skips) due_us = u64_max(now_us, r->sent_us + RECEIVED_HOLE_US);
    if (++r->eliciting >= RECEIVED_ELICITING_MAX) due_us = now_us;
    r->due_us = u64_min(r->due_us, due_us);
}

bool received_has_news(const struct received *r) { return r->due_us != TIME_NEVER; }

/* Moves *at from behind a run (the counter below it) to the next one's highest counter, in the same
 * window or in the one of the period before; false where there is none. */
static bool run_find(const struct replay **window, const struct replay **past, uint64_t *at) {
    uint64_t below = *at;
    const struct replay *w = *window;
    if (below != UINT64_MAX && below >= replay_least(w)) {
        uint64_t gap = replay_run(w, below, false);
        if (gap < below - replay_least(w) + 1) {
            *at = below - gap;
            return true;
        }
    }
    if (*past == NULL || !(*past)->has_any) return false;
    *window = *past;
    *past = NULL;
    *at = (*window)->highest;
    return true;
}

/* Adds a run behind a gap, or to the run before where there is none; false where it has no room or
 * nothing may follow. */
static bool range_add(struct ack_frame *f, uint64_t gap, uint64_t run) {
    if (gap == 0 && f->ranges_len > 0) { /* across a change of keys */
        f->ranges_len--;
        run += f->ranges[f->ranges_len].run;
        gap = f->ranges[f->ranges_len].gap;
    }
    if (gap > FRAME_ACK_GAP_MAX) return false;
    struct ack_range *range = &f->ranges[f->ranges_len];
    range->gap = (uint32_t)gap;
    range->run = (uint16_t)u64_min(run, FRAME_ACK_RUN_MAX);
    if (frame_ack_size(f) + frame_ack_range_size(range) > FRAME_ACK_SIZE_MAX) return false;
    f->ranges_len++;
    /* Behind a run that is cut the next gap would start at the wrong place. */
    return run <= FRAME_ACK_RUN_MAX && f->ranges_len < FRAME_ACK_RANGES_MAX;
}

void received_fill(const struct received *r, const struct replay *window, const struct replay *past,
                   struct ack_frame *ret, uint64_t now_us) {
    assert(window->has_any && window->highest + 1 == r->next);
    *ret = (struct ack_frame){
        .largest = (uint32_t)window->highest,
        .received_us = (uint32_t)r->largest_us,
        .delay_us = (uint32_t)u64_min(u64_sub(now_us, r->largest_us), UINT32_MAX),
    };
    uint64_t at = window->highest, below = at, run;
    do {
        run = replay_run(window, at, true);
        if (!range_add(ret, below - at, run)) return;
        at = below = at - run;
    } while (run_find(&window, &past, &at) && at >= r->floor);
}

void received_sent(struct received *r, uint64_t now_us) {
    r->eliciting = 0;
    r->due_us = TIME_NEVER;
    r->sent_us = now_us;
    if (now_us - r->mark_us < RECEIVED_KEPT_US) return;
    r->floor = r->mark;
    r->mark = r->next;
    r->mark_us = now_us;
}
