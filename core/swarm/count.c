/* count.c - what the figures say: lag, ok and missed chunks.
 *
 * A chunk is missed where it is not verified one second after its capture; for those captured
 * before this peer had its first random access point, one second after that. Lag is by UTC as long
 * as the clocks agree within reason; where they do not, it is counted from the earliest arrival. */
#include <stdlib.h>
#include <string.h>

#include "core/swarm/engine.h"

#define MISSED_US US_PER_S
#define LAG_SAMPLES_FIRST 32
#define LAG_BELIEVED_US (5ll * (int64_t)US_PER_S)

/* Lag of something captured then, if it is here now. */
static uint64_t lag_us(const struct channel *c, uint64_t capture_us, uint64_t now_us) {
    int64_t least_us = c->has_offset ? c->offset_us + c->node->utc_offset_us : 0;
    bool agrees = c->node->has_utc && least_us >= 0 && least_us < LAG_BELIEVED_US;
    int64_t lag = agrees ? (int64_t)(now_us - capture_us) + c->node->utc_offset_us
                         : (int64_t)(now_us - capture_us) - c->offset_us;
    return lag < 0 ? 0 : (uint64_t)lag;
}

static int compare_lags(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void turn_second(struct lag_samples *lag, uint64_t now_us) {
    uint64_t second = now_us / US_PER_S;
    if (second == lag->second) return;
    lag->last_len = second == lag->second + 1 ? lag->len : 0;
    uint32_t *filled = lag->lag_us;
    lag->lag_us = lag->last_us;
    lag->last_us = filled;
    if (lag->last_len > 0) qsort(filled, lag->last_len, sizeof filled[0], compare_lags);
    lag->second = second;
    lag->len = 0;
}

void lag_release(struct lag_samples *lag) {
    free(lag->lag_us);
    free(lag->last_us);
}

/* Both halves at once: they change places. */
static bool has_room(struct lag_samples *lag) {
    if (lag->len < lag->capacity) return true;
    unsigned capacity = lag->capacity == 0 ? LAG_SAMPLES_FIRST : lag->capacity * 2;
    if (capacity > LAG_SAMPLES_MAX) return false;
    uint32_t *lag_us = realloc(lag->lag_us, capacity * sizeof *lag_us);
    if (lag_us != NULL) lag->lag_us = lag_us;
    uint32_t *last_us = realloc(lag->last_us, capacity * sizeof *last_us);
    if (last_us != NULL) lag->last_us = last_us;
    if (lag_us == NULL || last_us == NULL) return false;
    lag->capacity = capacity;
    return true;
}

void count_complete(struct channel *c, struct slot *slot, uint64_t now_us) {
    turn_second(&c->lag, now_us);
    uint64_t lag = lag_us(c, slot->chunk->head->capture_us, now_us);
    if (has_room(&c->lag)) c->lag.lag_us[c->lag.len++] = (uint32_t)u64_min(lag, UINT32_MAX);
}

static uint64_t allowed_us(const struct channel *c, const struct stream *s, uint64_t capture_us) {
    uint64_t at_start_us = lag_us(c, capture_us, s->verified_start_us);
    return u64_max(MISSED_US, at_start_us + MISSED_US);
}

/* The capture of the first chunk from `number` on whose head is known; 0: none yet. */
static uint64_t capture_near(const struct stream *s, uint32_t number) {
    for (; number <= s->window.newest; number++) {
        const struct chunk *chunk = window_chunk(&s->window, number);
        if (chunk != NULL) return chunk->head->capture_us;
    }
    return 0;
}

static void note_missed(struct channel *c, const struct stream *s) {
    c->stats.chunks_missed++;
    trace_chunk(c, TRACE_MISSED, s->track, s->count_next);
}

/* Counts the chunk at count_next. False: it is too early to say. */
static bool count_one(struct channel *c, struct stream *s, uint64_t now_us) {
    const struct slot *slot = window_find(&s->window, s->count_next);
    bool has_head = slot != NULL && slot->chunk != NULL;
    if (has_head && window_is_whole(&s->window, slot)) {
        uint64_t capture_us = slot->chunk->head->capture_us;
        bool is_ok = lag_us(c, capture_us, slot->complete_us) <= allowed_us(c, s, capture_us);
        if (is_ok)
            c->stats.chunks_ok++;
        else
            note_missed(c, s);
        c->stats.chunks_repaired += slot->repaired;
        return true;
    }
    uint64_t capture_us = capture_near(s, s->count_next);
    if (capture_us == 0) return false;
    if (lag_us(c, capture_us, now_us) <= allowed_us(c, s, capture_us)) return false;
    note_missed(c, s);
    return true;
}

void count_tick(struct channel *c, uint64_t now_us) {
    turn_second(&c->lag, now_us);
    for (size_t t = 0; t < c->streams_len; t++) {
        struct stream *s = &c->streams[t];
        if (!s->has_verified_start || !s->window.has_newest) continue;
        uint32_t oldest = window_oldest(&s->window);
        if (s->count_next < oldest) { /* at once: a source may pass over billions */
            c->stats.chunks_missed += oldest - s->count_next;
            s->count_next = oldest;
        }
        while (s->count_next <= s->window.newest && count_one(c, s, now_us)) s->count_next++;
        s->window.settled = s->count_next;
    }
}
