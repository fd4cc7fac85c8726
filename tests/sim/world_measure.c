/* world_measure.c - lag, missed chunks and starts: by the clock of the simulation, from outside of
 * the nodes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world_internal.h"

#define MISSED_US US_PER_S
#define STARTS_BY_US (10 * US_PER_S) /* who has not started by then never did */
#define RECOVERED_BY_US (5 * US_PER_S)
#define ORPHAN_US (1 * US_PER_S)
#define GENUINE_MAX WORLD_CHUNKS_MAX

static uint64_t now(const struct world *w) { return network_now(w->network); }

/* Whose recovery counts: the newcomer's other figures would be those of its eclipse. */
static bool watches(const struct resident *p) {
    return p->kind == KIND_VIEWER || p->kind == KIND_FREE_RIDER || p->kind == KIND_NEWCOMER;
}

static bool is_measured(const struct resident *p) {
    return p->kind == KIND_VIEWER || p->kind == KIND_FREE_RIDER;
}

static unsigned tracks(const struct world *w) { return (unsigned)w->manifest.tracks_len; }

static void on_window(void *context) {
    struct world *w = context;
    for (unsigned t = 0; t < tracks(w); t++) w->window_first[t] = w->published_len[t];
    w->is_measuring = true;
    bytes_begin(w);
}

static void on_second(void *context) {
    struct world *w = context;
    uint64_t second = now(w) / US_PER_S;
    census_second(w);
    if (second <= w->report.seconds_len) bytes_second(w, &w->report.seconds[second - 1]);
    if (now(w) + US_PER_S <= w->end_us) network_at(w->network, now(w) + US_PER_S, on_second, w);
}

static size_t window_chunks_most(const struct scenario *c) {
    double rate = c->bitrate > 0 ? 4.0 * c->fps : 0; /* a large frame is several chunks */
    return ((size_t)(c->seconds * (rate + 20)) / 64 + 2) * 64;
}

void measure_start(struct world *w) {
    w->window_chunks_max = window_chunks_most(&w->scenario);
    for (unsigned t = 0; t < tracks(w); t++) {
        w->published_us[t] = world_allocate(WORLD_CHUNKS_MAX, sizeof *w->published_us[t]);
        w->genuine[t] = world_allocate(GENUINE_MAX, sizeof *w->genuine[t]);
        w->window_first[t] = UINT32_MAX;
        for (unsigned i = 0; i < w->places; i++) {
            struct taken *taken = &w->residents[i].taken[t];
            taken->came = world_allocate(w->window_chunks_max / 64, 8);
            taken->on_time = world_allocate(w->window_chunks_max / 64, 8);
        }
    }
    w->report.seconds_len = (unsigned)ceil(w->scenario.warmup + w->scenario.seconds);
    if (w->report.seconds_len > REPORT_SECONDS_MAX) world_fail("too many seconds");
    w->second_lag = world_allocate(w->report.seconds_len + 1, sizeof *w->second_lag);
    w->startups_max = 8 * (size_t)w->places + 1000;
    w->failovers_max = 64 * (size_t)w->places + 1000;
    w->startups_us = world_allocate(w->startups_max, 8);
    w->failovers_us = world_allocate(w->failovers_max, 8);
    network_at(w->network, w->window_us, on_window, w);
    network_at(w->network, US_PER_S, on_second, w);
}

void measure_release(struct world *w) {
    for (unsigned t = 0; t < WORLD_TRACKS; t++) {
        free(w->published_us[t]);
        free(w->genuine[t]);
        for (unsigned i = 0; i < w->places; i++) {
            free(w->residents[i].taken[t].came);
            free(w->residents[i].taken[t].on_time);
        }
    }
    free(w->second_lag);
    free(w->startups_us);
    free(w->failovers_us);
}

/* --- what is published --- */

void measure_published(struct world *w, const struct head *h) {
    uint32_t at = w->number_base[h->track] + h->number;
    if (at >= WORLD_CHUNKS_MAX) world_fail("too many chunks");
    w->published_us[h->track][at] = now(w);
    w->published_len[h->track] = at + 1;
    w->media_bytes += h->size;
}

#define MIX_LANES 4 /* the processor works on all at once */

static uint64_t mix_in(uint64_t mix, const uint8_t *data, size_t len) {
    uint64_t word = 0;
    memcpy(&word, data, len);
    mix = (mix ^ word) * 0x9e3779b97f4a7c15ull;
    return mix ^ mix >> 29;
}

static uint64_t mix_of(const struct fragment *f) {
    uint64_t lanes[MIX_LANES] = {f->len, 1, 2, 3};
    size_t i = 0;
    for (; i + 8 * MIX_LANES <= f->len; i += 8 * MIX_LANES)
        for (size_t k = 0; k < MIX_LANES; k++) lanes[k] = mix_in(lanes[k], f->data + i + 8 * k, 8);
    for (; i < f->len; i += 8) lanes[0] = mix_in(lanes[0], f->data + i, size_min(8, f->len - i));
    for (size_t k = 1; k < MIX_LANES; k++)
        lanes[0] = mix_in(lanes[0], (const uint8_t *)&lanes[k], 8);
    return lanes[0];
}

void measure_genuine(struct world *w, const struct fragment *f) {
    uint32_t at = w->genuine_len[f->track]++;
    if (at >= GENUINE_MAX) world_fail("too many fragments");
    w->genuine[f->track][at] = (struct genuine){.capture_us = f->capture_us, .mix = mix_of(f)};
}

void measure_also_genuine(struct world *w, const struct fragment *f) {
    w->genuine[f->track][w->genuine_len[f->track] - 1].other = mix_of(f);
}

static int compare_genuine(const void *a, const void *b) {
    const struct genuine *x = a, *y = b;
    return (x->capture_us > y->capture_us) - (x->capture_us < y->capture_us);
}

void measure_fragment(struct resident *p, const struct fragment *f) {
    struct world *w = p->world;
    struct genuine key = {.capture_us = f->capture_us};
    const struct genuine *found =
        f->track < tracks(w) ? bsearch(&key, w->genuine[f->track], w->genuine_len[f->track],
                                       sizeof key, compare_genuine)
                             : NULL;
    uint64_t mix = mix_of(f);
    bool is_genuine = found != NULL && (mix == found->mix || mix == found->other);
    w->report.unverified_delivered += !is_genuine;
    p->fragments++;
    p->fragments_wrong += !is_genuine;
    p->discontinuities += f->discontinuity;
}

/* --- what a peer gets --- */

static bool bit_of(const uint64_t *bits, uint32_t i) { return bits[i / 64] >> i % 64 & 1; }

static void note_startup(struct world *w, uint64_t us) {
    if (w->startups_len < w->startups_max) w->startups_us[w->startups_len++] = us;
}

static void note_failover(struct resident *p) {
    struct world *w = p->world;
    if (w->is_measuring && w->failovers_len < w->failovers_max)
        w->failovers_us[w->failovers_len++] = p->orphan_worst_us;
    p->orphaned_us = 0;
}

void measure_began(struct resident *p) {
    p->first_us = p->honest_us = p->true_us = TIME_NEVER;
    p->usual_lag_us = p->orphaned_us = 0;
    p->fragments = p->fragments_wrong = p->discontinuities = 0;
    for (unsigned t = 0; t < tracks(p->world); t++) {
        struct taken *taken = &p->taken[t];
        taken->has_from = false;
        memset(taken->came, 0, p->world->window_chunks_max / 8);
        memset(taken->on_time, 0, p->world->window_chunks_max / 8);
    }
}

static void note_first(struct resident *p, const struct node_event *e, uint32_t at) {
    struct world *w = p->world;
    struct taken *taken = &p->taken[e->track];
    if (taken->has_from || !e->random_access) return;
    taken->has_from = true;
    taken->from = at;
    /* Sound alone is no start, where there is a picture. */
    if (p->first_us != TIME_NEVER || (e->track != VIDEO && w->scenario.bitrate > 0)) return;
    p->first_us = now(w);
    if (w->is_measuring && p->started_us >= w->window_us)
        note_startup(w, p->first_us - p->started_us);
}

static void note_lag(struct resident *p, uint64_t published_us, uint64_t lag_us) {
    struct world *w = p->world;
    bool is_rider = p->kind == KIND_FREE_RIDER;
    uint64_t second = published_us / US_PER_S;
    if (!is_rider && second < w->report.seconds_len)
        lag_histogram_add(&w->second_lag[second], lag_us);
    if (published_us >= w->window_us)
        lag_histogram_add(is_rider ? &w->free_rider_lag : &w->report.lag, lag_us);
    if (p->orphaned_us == 0) {
        if (lag_us == TIME_NEVER) return;
        p->usual_lag_us = p->usual_lag_us == 0 ? lag_us : (15 * p->usual_lag_us + lag_us) / 16;
    } else if (published_us + p->orphan_usual_us >= p->orphaned_us) {
        uint64_t longer_us =
            lag_us == TIME_NEVER ? TIME_NEVER : u64_sub(lag_us, p->orphan_usual_us);
        p->orphan_worst_us = u64_max(p->orphan_worst_us, longer_us);
        if (published_us > p->orphaned_us + ORPHAN_US) note_failover(p);
    }
}

void measure_chunk(struct resident *p, const struct node_event *e) {
    struct world *w = p->world;
    if (e->track >= tracks(w) || !watches(p)) return;
    uint32_t at = w->number_base[e->track] + e->number;
    /* Of an older broadcast, or of somebody else's. */
    if (at >= w->published_len[e->track]) return;
    uint64_t published_us = w->published_us[e->track][at];
    if (e->capture_us + media_delay_us(w, e->track) != UTC_START_US + published_us) return;
    if (published_us >= w->heard_us) p->true_us = u64_min(p->true_us, now(w));
    if (!is_measured(p)) return;
    note_first(p, e, at);
    struct taken *taken = &p->taken[e->track];
    if (!taken->has_from || at < taken->from) return;
    uint64_t lag_us = now(w) - published_us;
    if (published_us >= p->first_us) note_lag(p, published_us, lag_us);
    if (at < w->window_first[e->track]) return;
    uint32_t i = at - w->window_first[e->track];
    if (i >= w->window_chunks_max) return;
    taken->came[i / 64] |= 1ull << i % 64;
    if (now(w) <= u64_max(published_us, p->first_us) + MISSED_US)
        taken->on_time[i / 64] |= 1ull << i % 64;
}

/* Counts what the peer should have got of a track by now; returns how much of it was missed. */
static uint64_t settle_track(struct resident *p, unsigned t) {
    struct world *w = p->world;
    const struct taken *taken = &p->taken[t];
    uint64_t missed = 0;
    bool is_settled = p->started_us < w->window_us + (uint64_t)(w->scenario.crowd_at * 1e6) ||
                      w->scenario.crowd_share <= 0;
    if (!taken->has_from || !w->is_measuring) return 0;
    uint32_t first = taken->from > w->window_first[t] ? taken->from : w->window_first[t];
    for (uint32_t at = first; at < w->published_len[t]; at++) {
        uint32_t i = at - w->window_first[t];
        if (i >= w->window_chunks_max) break;
        uint64_t due_us = u64_max(w->published_us[t][at], p->first_us) + MISSED_US;
        bool on_time = bit_of(taken->on_time, i);
        if (!on_time && due_us > now(w)) continue; /* too early to say */
        w->counted++;
        w->on_time += on_time;
        if (is_settled) w->settled_counted++;
        if (is_settled) w->settled_on_time += on_time;
        missed += !on_time;
        bool is_lag = w->published_us[t][at] >= p->first_us && !bit_of(taken->came, i);
        if (is_lag && !on_time) note_lag(p, w->published_us[t][at], TIME_NEVER);
    }
    return missed;
}

static uint64_t settle(struct resident *p) {
    uint64_t missed = 0;
    if (!is_measured(p)) return 0;
    for (unsigned t = 0; t < tracks(p->world); t++) missed += settle_track(p, t);
    return missed;
}

void measure_source_heard(struct world *w) {
    w->heard_us = now(w);
    for (unsigned i = 1; i < w->places; i++) {
        w->residents[i].true_us = TIME_NEVER;
        w->residents[i].honest_us = now(w);
    }
}

void measure_new_broadcast(struct world *w) {
    measure_source_heard(w);
    for (unsigned i = 1; i < w->places; i++) {
        if (w->residents[i].is_up) (void)settle(&w->residents[i]);
        for (unsigned t = 0; t < tracks(w); t++) w->residents[i].taken[t].has_from = false;
    }
    for (unsigned t = 0; t < tracks(w); t++) w->number_base[t] = w->published_len[t];
}

/* How long it took from the first honest peer to the true broadcast. Who had less time than that
 * may take does not count. */
static void note_recovery(struct resident *p) {
    struct world *w = p->world;
    if (!watches(p) || p->honest_us == TIME_NEVER) return;
    double waited_s = p->true_us == TIME_NEVER
                          ? INFINITY
                          : (double)u64_sub(p->true_us, p->honest_us) / (double)US_PER_S;
    if (p->true_us != TIME_NEVER || now(w) - p->honest_us > RECOVERED_BY_US)
        w->report.recovery_s = fmax(w->report.recovery_s, waited_s);
}

void measure_ends(struct resident *p) {
    struct world *w = p->world;
    note_recovery(p);
    (void)settle(p);
    bytes_end(p);
    if (!is_measured(p) || !w->is_measuring || p->first_us != TIME_NEVER) return;
    if (now(w) - p->started_us > STARTS_BY_US) note_startup(w, TIME_NEVER);
}

void measure_vanishes(struct resident *p) {
    struct world *w = p->world;
    struct endpoint children[64];
    size_t len = node_children(p->node, p->channel, children, ARRAY_LEN(children));
    for (size_t i = 0; i < len; i++) {
        unsigned number;
        if (!network_find(w->network, &children[i], &number)) continue;
        struct resident *child = &w->residents[number];
        if (!child->is_up || !is_measured(child) || child->usual_lag_us == 0) continue;
        if (child->orphaned_us != 0) note_failover(child);
        child->orphaned_us = now(w);
        child->orphan_usual_us = child->usual_lag_us;
        child->orphan_worst_us = 0;
    }
}

/* --- the end --- */

/* Those that are up at the end. Of those that never started: since when. */
static void settle_all(struct world *w) {
    unsigned alive = 0, whole = 0;
    for (unsigned i = 1; i < w->places; i++) {
        struct resident *p = &w->residents[i];
        if (p->is_up) note_recovery(p);
        if (!p->is_up || !is_measured(p)) continue;
        bool has_started = p->first_us != TIME_NEVER;
        if (!has_started && now(w) - p->started_us > STARTS_BY_US) note_startup(w, TIME_NEVER);
        if (has_started) whole += settle(p) == 0;
        if (has_started) alive++;
    }
    w->report.stall_free = alive == 0 ? 0 : (double)whole / alive;
}

/* Nobody came in the window: the starts of those that are there. */
static void borrow_startups(struct world *w) {
    for (unsigned i = 1; i < w->places && w->startups_len < w->startups_max; i++) {
        const struct resident *p = &w->residents[i];
        if (p->is_up && is_measured(p) && p->first_us != TIME_NEVER)
            note_startup(w, p->first_us - p->started_us);
    }
}

void measure_finish(struct world *w) {
    settle_all(w);
    if (w->startups_len == 0) borrow_startups(w);
}

struct world_peer world_peer(const struct world *w, unsigned peer) {
    const struct resident *p = &w->residents[peer];
    struct world_peer ret = {.usual_lag_us = p->usual_lag_us,
                             .start_us = TIME_NEVER,
                             .uplink_bps = p->uplink_bps,
                             .fragments = p->fragments,
                             .fragments_wrong = p->fragments_wrong,
                             .discontinuities = p->discontinuities,
                             .has_ended = p->has_ended,
                             .uploads = p->kind != KIND_FREE_RIDER};
    if (p->first_us != TIME_NEVER) ret.start_us = p->first_us - p->started_us;
    for (unsigned t = 0; t < tracks(w) && w->is_measuring && p->is_up; t++) {
        uint32_t first =
            p->taken[t].from > w->window_first[t] ? p->taken[t].from : w->window_first[t];
        for (uint32_t at = first; p->taken[t].has_from && at < w->published_len[t]; at++) {
            uint32_t i = at - w->window_first[t];
            if (i >= w->window_chunks_max) break;
            if (w->published_us[t][at] + MISSED_US > now(w)) break;
            ret.chunks++;
            ret.missed += !bit_of(p->taken[t].on_time, i);
        }
    }
    return ret;
}
