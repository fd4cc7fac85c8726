#include "core/link/train.h"

#include <assert.h>

void train_begin(struct train *t, unsigned datagrams) {
    assert(datagrams >= 2 && datagrams <= FRAME_TRAIN_MAX);
    t->id++;
    t->sent = 0;
    t->datagrams = (uint8_t)datagrams;
    t->is_awaited = true;
}

void train_write_next(struct train *t, struct writer *w) {
    frame_write_train(w, t->id, t->sent++, t->datagrams);
}

void train_take(struct train *t, const struct frame *f, uint64_t now_us) {
    if (!t->has_seen || f->train.id != t->seen_id) {
        t->has_seen = true;
        t->seen_id = f->train.id;
        t->seen = 0;
        t->first_us = (uint32_t)now_us;
    }
    t->last_us = (uint32_t)now_us;
    if (t->seen < UINT8_MAX) t->seen++;
    if (f->train.index + 1 == f->train.datagrams) t->is_due = true;
}

void train_write_report(struct train *t, struct writer *w) {
    frame_write_train_seen(w, t->seen_id, t->seen, t->last_us - t->first_us);
    t->is_due = false;
}

bool train_take_report(struct train *t, const struct frame *f) {
    bool is_ours = t->is_awaited && !train_has_next(t) && f->train.id == t->id;
    if (!is_ours || f->train.datagrams < 2 || f->train.datagrams > t->datagrams) return false;
    t->is_awaited = false;
    return true;
}
