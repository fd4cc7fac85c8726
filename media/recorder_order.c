#include "media/recorder_order.h"

#include <assert.h>
#include <string.h>

static int64_t ticks_to_us(int64_t ticks, uint32_t timescale) {
    int64_t scale = timescale;
    return ticks / scale * 1000000 + ticks % scale * 1000000 / scale;
}

/* To the nearest tick, so that a time that was made from ticks gives the same ticks again. */
static int64_t us_to_ticks(int64_t us, uint32_t timescale) {
    int64_t scale = timescale;
    int64_t whole = us / 1000000 * scale, rest = us % 1000000 * scale;
    return whole + (rest + (rest < 0 ? -500000 : 500000)) / 1000000;
}

static struct fragment *first_fragment(const struct order_track *t) {
    return t->waiting[t->first].fragment;
}

static void pop(struct order *o, struct order_track *t) {
    o->bytes -= first_fragment(t)->len;
    fragment_unref(first_fragment(t));
    t->first = (t->first + 1) % ORDER_FRAGMENTS_MAX;
    t->len--;
    t->is_parsed = false;
    t->at = 0;
}

void order_release(struct order *o) {
    for (size_t k = 0; k < ORDER_KINDS; k++)
        while (o->tracks[k].len > 0) pop(o, &o->tracks[k]);
}

static void start_track(struct order_track *t, const struct cmaf_track *track, int64_t reached_us) {
    assert(t->len == 0);
    t->is_present = track != NULL;
    if (track != NULL) t->track = *track;
    t->lead_us = 0;
    t->has_ended = t->is_silent = t->needs_random_access = false;
    t->reached_us = reached_us;
    t->first = t->at = 0;
    t->is_parsed = false;
}

void order_start(struct order *o, const struct cmaf_track *video, const struct cmaf_track *audio,
                 int reorder_frames, bool from_zero) {
    if (from_zero) o->end_us = 0;
    o->is_started = false;
    start_track(&o->tracks[ORDER_VIDEO], video, o->end_us);
    start_track(&o->tracks[ORDER_AUDIO], audio, o->end_us);
    /* In frames until the first one says how long they are. */
    o->tracks[ORDER_VIDEO].lead_us = reorder_frames;
    o->tracks[ORDER_VIDEO].needs_random_access = true;
}

bool order_is_full(const struct order *o) {
    for (size_t k = 0; k < ORDER_KINDS; k++)
        if (o->tracks[k].len == ORDER_FRAGMENTS_MAX) return true;
    return o->bytes >= ORDER_BYTES_MAX;
}

void order_push(struct order *o, enum order_kind kind, struct fragment *f, uint64_t now_us) {
    struct order_track *t = &o->tracks[kind];
    assert(t->is_present && t->len < ORDER_FRAGMENTS_MAX);
    if (f->end) {
        t->has_ended = true;
        fragment_unref(f);
        return;
    }
    t->is_silent = false;
    t->has_ended = false;
    size_t at = (t->first + t->len++) % ORDER_FRAGMENTS_MAX;
    t->waiting[at].fragment = f;
    t->waiting[at].arrived_us = now_us;
    o->bytes += f->len;
}

/* What of a fragment cannot be used: broken ones, and video before a point where decoding starts.
 */
static bool is_usable(struct order_track *t, enum order_kind kind) {
    const struct fragment *f = first_fragment(t);
    if (kind == ORDER_VIDEO) {
        if (f->discontinuity) t->needs_random_access = true;
        if (t->needs_random_access && !f->random_access) return false;
    }
    return cmaf_read_fragment(&t->track, f->data, f->len, &t->parsed) == 0;
}

/* Parses the first fragment that can be used; false where there is none. */
static bool prepare(struct order *o, enum order_kind kind) {
    struct order_track *t = &o->tracks[kind];
    while (t->len > 0 && !t->is_parsed) {
        t->parsed.len = 0;
        if (is_usable(t, kind)) {
            t->is_parsed = true;
            t->at = 0;
            t->needs_random_access = false;
        } else {
            o->dropped += t->parsed.len > 0 ? t->parsed.len : 1;
            t->needs_random_access = true;
            pop(o, t);
        }
    }
    return t->len > 0;
}

static int64_t media_us(const struct order_track *t) {
    return ticks_to_us(t->parsed.samples[t->at].dts, t->track.timescale) - t->lead_us;
}

static int64_t shown_us(const struct order_track *t) {
    const struct cmaf_sample *s = &t->parsed.samples[t->at];
    return ticks_to_us(s->dts + s->cts_offset, t->track.timescale);
}

/* The kind that starts the timeline and on which breaks of it are seen. */
static enum order_kind main_kind(const struct order *o) {
    return o->tracks[ORDER_VIDEO].is_present ? ORDER_VIDEO : ORDER_AUDIO;
}

static void start_timeline(struct order *o) {
    struct order_track *t = &o->tracks[main_kind(o)];
    if (main_kind(o) == ORDER_VIDEO) {
        int64_t frame_us = ticks_to_us(t->parsed.samples[0].duration, t->track.timescale);
        t->lead_us *= frame_us < ORDER_LEAD_MAX_US ? frame_us : 0;
        if (t->lead_us > ORDER_LEAD_MAX_US) t->lead_us = ORDER_LEAD_MAX_US;
    }
    o->start_us = shown_us(t);
    o->shift_us = media_us(t) - o->end_us;
    o->is_started = true;
}

/* A source whose clock jumps by hours, or back, goes on where it was. */
static void close_gap(struct order *o) {
    struct order_track *t = &o->tracks[main_kind(o)];
    int64_t jump_us = media_us(t) - o->shift_us - t->reached_us;
    if (jump_us <= ORDER_GAP_MAX_US && jump_us >= -ORDER_BACK_MAX_US) return;
    o->shift_us = media_us(t) - o->end_us;
    o->start_us = shown_us(t);
}

static void advance(struct order *o, struct order_track *t) {
    if (++t->at == t->parsed.len) pop(o, t);
}

/* Leaves out audio from before the start. */
static bool prepare_audio(struct order *o) {
    struct order_track *t = &o->tracks[ORDER_AUDIO];
    while (prepare(o, ORDER_AUDIO)) {
        if (main_kind(o) == ORDER_AUDIO || shown_us(t) >= o->start_us) return true;
        o->dropped++;
        advance(o, t);
    }
    return false;
}

static bool make_ready(struct order *o) {
    enum order_kind kind = main_kind(o);
    if (!o->is_started) {
        if (!prepare(o, kind)) {
            /* Without a start only the newest audio is of use. */
            struct order_track *audio = &o->tracks[ORDER_AUDIO];
            while (audio->len > ORDER_FRAGMENTS_MAX / 2) {
                pop(o, audio);
                o->dropped++;
            }
            return false;
        }
        start_timeline(o);
    }
    if (prepare(o, kind)) close_gap(o);
    return true;
}

/* The kind whose frame comes first, ORDER_KINDS where neither has one. */
static enum order_kind choose(struct order *o) {
    bool video = o->tracks[ORDER_VIDEO].is_present && prepare(o, ORDER_VIDEO);
    bool audio = o->tracks[ORDER_AUDIO].is_present && prepare_audio(o);
    if (video && audio)
        return media_us(&o->tracks[ORDER_VIDEO]) <= media_us(&o->tracks[ORDER_AUDIO]) ? ORDER_VIDEO
                                                                                      : ORDER_AUDIO;
    return video ? ORDER_VIDEO : audio ? ORDER_AUDIO : ORDER_KINDS;
}

static bool must_wait(const struct order *o, enum order_kind kind) {
    const struct order_track *t = &o->tracks[kind];
    const struct order_track *other = &o->tracks[kind == ORDER_VIDEO ? ORDER_AUDIO : ORDER_VIDEO];
    if (!other->is_present || other->has_ended || other->is_silent || other->len > 0) return false;
    return other->reached_us < media_us(t) - o->shift_us;
}

static void take(struct order *o, enum order_kind kind, struct order_frame *ret) {
    struct order_track *t = &o->tracks[kind];
    struct cmaf_sample s = t->parsed.samples[t->at];
    uint32_t scale = t->track.timescale;
    int64_t shown = s.dts + s.cts_offset;
    int64_t out_us = media_us(t) - o->shift_us;
    t->reached_us = out_us + ticks_to_us(s.duration, scale);
    if (t->reached_us > o->end_us) o->end_us = t->reached_us;
    s.dts -= us_to_ticks(o->shift_us + t->lead_us, scale);
    shown -= us_to_ticks(o->shift_us, scale);
    /* Frames that the configuration did not announce as reordered are shown when decoded. */
    if (shown < s.dts) shown = s.dts;
    s.cts_offset = (int32_t)(shown - s.dts);
    *ret =
        (struct order_frame){.kind = kind, .sample = s, .data = first_fragment(t)->data + s.offset};
}

bool order_next(struct order *o, bool hurry, uint64_t now_us, struct order_frame *ret,
                uint64_t *ret_deadline_us) {
    *ret_deadline_us = TIME_NEVER;
    for (size_t k = 0; k < ORDER_KINDS; k++) {
        struct order_track *t = &o->tracks[k];
        if (t->is_parsed && t->at == t->parsed.len) pop(o, t);
    }
    if (!make_ready(o)) return false;
    enum order_kind kind = choose(o);
    if (kind == ORDER_KINDS) return false;
    struct order_track *t = &o->tracks[kind];
    if (must_wait(o, kind) && !hurry && !order_is_full(o)) {
        *ret_deadline_us = t->waiting[t->first].arrived_us + ORDER_WAIT_US;
        if (now_us < *ret_deadline_us) return false;
        o->tracks[kind == ORDER_VIDEO ? ORDER_AUDIO : ORDER_VIDEO].is_silent = true;
    }
    take(o, kind, ret);
    t->at++;
    return true;
}
