/* play.c - verified chunks, in order, as fragments.
 *
 * Nothing is held back: a fragment is handed out as soon as it is whole and its turn has come. A
 * hole is waited for until it is PLAY_WAIT_US late; then play goes on from the next random access
 * point that is whole, so lag has a ceiling and memory does not grow with lateness. */
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"

#define PLAY_WAIT_US (1500 * US_PER_MS)

/* The chunks of the fragment that starts at `first`: how many, or 0 where one is missing yet. */
static uint32_t fragment_chunks(const struct stream *s, uint32_t first) {
    for (uint32_t n = 0; n < FRAGMENT_SIZE_MAX / (CHUNK_CELLS_MAX * 64); n++) {
        const struct chunk *chunk = window_chunk(&s->window, first + n);
        if (chunk == NULL || !chunk_is_complete(chunk)) return 0;
        if (chunk->head->flags & HEAD_LAST) return n + 1;
    }
    return 0;
}

/* What a chunk's payload comes to when it is opened. */
static size_t opened_size(const struct channel *c, const struct head *h) {
    return c->manifest.flags & MANIFEST_PRIVATE ? (size_t)u64_sub(h->size, READ_KEY_OVERHEAD)
                                                : h->size;
}

/* A chunk's payload, opened where the channel is private. Returns its length or an error. */
static int open_payload(const struct channel *c, const struct chunk *chunk, uint8_t *ret) {
    const struct head *h = chunk->head;
    if (!(c->manifest.flags & MANIFEST_PRIVATE) || h->size == 0) {
        memcpy(ret, chunk_payload(chunk), h->size);
        return (int)h->size;
    }
    return read_key_unseal(&c->read_key, h->broadcast, h->track, h->number, chunk_payload(chunk),
                           h->size, ret);
}

static struct fragment *assemble(const struct channel *c, const struct stream *s, uint32_t first,
                                 uint32_t chunks) {
    size_t size = 0;
    for (uint32_t i = 0; i < chunks; i++)
        size += opened_size(c, window_chunk(&s->window, first + i)->head);
    struct fragment *f = size > FRAGMENT_SIZE_MAX ? NULL : fragment_new(size);
    if (f == NULL) return NULL;
    const struct head *h = window_chunk(&s->window, first)->head;
    f->track = s->track;
    f->random_access = h->flags & HEAD_RANDOM_ACCESS;
    f->discontinuity = s->play_discontinuity;
    f->end = h->flags & HEAD_END;
    f->pts_us = h->pts_us;
    f->duration_us = h->duration_us;
    f->capture_us = h->capture_us;
    f->len = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        int len = open_payload(c, window_chunk(&s->window, first + i), f->data + f->len);
        if (len < 0) {
            fragment_unref(f);
            return NULL;
        }
        f->len += (size_t)len;
    }
    return f;
}

static void hand_out(struct channel *c, struct stream *s, uint32_t chunks) {
    const struct head *h = window_chunk(&s->window, s->play_next)->head;
    bool is_end = h->flags & HEAD_END;
    s->play_pts_us = h->pts_us + h->duration_us;
    bool can_open = !(c->manifest.flags & MANIFEST_PRIVATE) || c->has_read_key;
    struct fragment *f = c->plays && can_open ? assemble(c, s, s->play_next, chunks) : NULL;
    s->has_played = true;
    if (f != NULL) {
        s->play_discontinuity = false;
        node_emit(c->node, &(struct queued_event){
                               .type = NODE_EVENT_FRAGMENT, .channel = c->index, .fragment = f});
    } else if (c->plays) {
        s->play_discontinuity = true;
        c->stats.skips++;
    }
    s->play_next += chunks;
    s->end_played = is_end;
}

/* How late the hole at play_next is, by the first head behind it. */
static uint64_t hole_lateness_us(const struct channel *c, const struct stream *s, uint64_t now_us) {
    for (uint32_t i = s->play_next; s->window.has_newest && i <= s->window.newest; i++) {
        const struct chunk *chunk = window_chunk(&s->window, i);
        if (chunk != NULL) return channel_lateness_us(c, chunk->head->capture_us, now_us);
    }
    return 0;
}

static bool skip_hole(struct channel *c, struct stream *s, uint64_t now_us) {
    bool has_left = s->window.has_newest && s->play_next < window_oldest(&s->window);
    bool is_left_out = rest_left_out(s, s->play_next);
    uint32_t from = is_left_out ? s->left_out_until : s->play_next + 1;
    const struct chunk *next = window_next_random_access(&s->window, from);
    bool may_begin = next != NULL && !s->has_verified_start; /* nothing has begun that would end */
    if (!has_left && !may_begin && !is_left_out &&
        stream_lateness_us(s, hole_lateness_us(c, s, now_us), now_us) <= PLAY_WAIT_US)
        return false;
    if (next == NULL) {
        /* A track that ends behind the hole: nothing more can be decoded, but the end counts. */
        if (!s->has_end || s->play_next >= s->end) return false;
        s->play_next = s->end;
    } else {
        s->play_next = next->head->number;
    }
    if (s->has_played) {
        s->play_discontinuity = true;
        c->stats.skips++;
    }
    return true;
}

static void play_stream(struct channel *c, struct stream *s, uint64_t now_us) {
    while (s->has_play && !s->end_played) {
        uint32_t chunks = fragment_chunks(s, s->play_next);
        if (chunks > 0)
            hand_out(c, s, chunks);
        else if (!skip_hole(c, s, now_us))
            return;
    }
}

static void check_end(struct channel *c) {
    if (c->end_said || c->streams_len == 0 || c->is_source) return;
    for (size_t t = 0; t < c->streams_len; t++)
        if (!c->streams[t].end_played) return;
    c->ended = c->end_said = true;
    node_emit(c->node, &(struct queued_event){.type = NODE_EVENT_END, .channel = c->index});
}

void play_step(struct channel *c, uint64_t now_us) {
    for (size_t t = 0; t < c->streams_len; t++) play_stream(c, &c->streams[t], now_us);
    check_end(c);
}
