#include "core/swarm/stream.h"

#include <string.h>

#define PERIOD_FIRST_US (33 * US_PER_MS)
#define PERIOD_LEAST_US (5 * US_PER_MS)
#define PERIOD_MOST_US (500 * US_PER_MS)

uint8_t substreams_for(uint8_t kind, uint32_t bitrate_bps) {
    if (kind == TRACK_AUDIO) return 2;
    if (bitrate_bps < 500000) return 4;
    return bitrate_bps > 2000000 ? 16 : 8;
}

void stream_init(struct stream *s, uint8_t track, const struct track *description) {
    memset(s, 0, sizeof *s);
    s->track = track;
    s->kind = description->kind;
    s->substreams = substreams_for(description->kind, description->bitrate_bps);
    s->substream_bps = description->bitrate_bps / s->substreams;
    s->period_us = PERIOD_FIRST_US;
    window_init(&s->window);
}

void stream_release(struct stream *s) { window_clear(&s->window); }

void stream_note_newest(struct stream *s, const struct head *h, uint64_t now_us) {
    if (s->newest_us != 0 && h->number > s->newest_number) {
        uint64_t us = u64_sub(h->capture_us, s->newest_capture_us) / (h->number - s->newest_number);
        us = u64_min(u64_max(us, PERIOD_LEAST_US), PERIOD_MOST_US);
        s->period_us = (uint32_t)((7 * (uint64_t)s->period_us + us) / 8);
    }
    s->newest_us = now_us;
    s->newest_capture_us = h->capture_us;
    s->newest_number = h->number;
}

uint32_t stream_all_substreams(const struct stream *s) {
    return (uint32_t)((1ull << s->substreams) - 1);
}

uint64_t stream_cells_of(const struct stream *s, uint32_t number, uint32_t cells,
                         uint32_t substreams) {
    uint64_t mask = 0;
    for (uint32_t i = 0; i < cells; i++)
        if (substreams >> stream_substream(s, number, i) & 1) mask |= 1ull << i;
    return mask;
}

uint64_t stream_lateness_us(const struct stream *s, uint64_t lateness_us, uint64_t now_us) {
    return u64_min(lateness_us, now_us - s->start_us);
}

uint32_t stream_first_hole(const struct stream *s) {
    uint32_t oldest = window_oldest(&s->window);
    uint32_t number = s->hole > s->start ? s->hole : s->start;
    return s->window.has_newest ? window_next_hole(&s->window, number > oldest ? number : oldest)
                                : number;
}

void stream_close_hole(struct stream *s) { s->hole = stream_first_hole(s); }

struct neighbour_set stream_children(const struct stream *s, uint32_t indices) {
    struct neighbour_set all = {{0}};
    for (; indices; indices &= indices - 1)
        neighbour_set_join(&all, &s->children[__builtin_ctz(indices)]);
    return all;
}

void stream_forget_neighbour(struct stream *s, const struct neighbour *n) {
    for (size_t i = 0; i < SUPPLIES; i++) {
        struct supply *supply = &s->supplies[i];
        if (supply->next == n) supply->next = NULL;
        if (supply->parent != n) continue;
        supply->parent = NULL;
        supply->is_granted = false;
        supply->ancestors_len = 0;
    }
}
