#include "media/read_ahead.h"

#include <assert.h>
#include <string.h>

#include "media/timeline.h"

void read_ahead_init(struct read_ahead *r) {
    *r = (struct read_ahead){.len = 0};
    for (size_t i = 0; i < READ_AHEAD_STREAMS_MAX; i++) r->last_us[i] = INT64_MIN;
}

void read_ahead_release(struct read_ahead *r) {
    AVPacket *packet;
    while ((packet = read_ahead_take(r)) != NULL) av_packet_free(&packet);
}

bool read_ahead_is_ready(const struct read_ahead *r) {
    if (r->len == 0) return false;
    return r->draining || r->len == READ_AHEAD_PACKETS_MAX || r->bytes >= READ_AHEAD_BYTES_MAX ||
           r->times_us[r->len - 1] - r->times_us[0] >= READ_AHEAD_US;
}

static void insert(struct read_ahead *r, size_t at, AVPacket *packet, int64_t time_us) {
    size_t behind = r->len - at;
    memmove(&r->packets[at + 1], &r->packets[at], behind * sizeof r->packets[0]);
    memmove(&r->times_us[at + 1], &r->times_us[at], behind * sizeof r->times_us[0]);
    r->packets[at] = packet;
    r->times_us[at] = time_us;
    r->len++;
    r->bytes += (size_t)packet->size;
}

void read_ahead_put(struct read_ahead *r, AVPacket *packet, unsigned stream, int64_t time_us) {
    assert(stream < READ_AHEAD_STREAMS_MAX && r->len < READ_AHEAD_PACKETS_MAX && !r->draining);
    int64_t last_us = r->last_us[stream];
    if (time_us < -TIMELINE_INPUT_MAX_US || time_us > TIMELINE_INPUT_MAX_US)
        time_us = last_us == INT64_MIN ? 0 : last_us;
    bool jumps = last_us != INT64_MIN && r->len > 0 &&
                 (time_us < last_us - READ_AHEAD_US || time_us > last_us + TIMELINE_GAP_MAX_US);
    r->last_us[stream] = time_us;
    if (jumps) { /* behind all, whatever its time says, and all goes out before more is read */
        insert(r, r->len, packet, r->times_us[r->len - 1]);
        r->draining = true;
        return;
    }
    size_t at = r->len;
    while (at > 0 && r->times_us[at - 1] > time_us) at--;
    insert(r, at, packet, time_us);
}

AVPacket *read_ahead_take(struct read_ahead *r) {
    if (r->len == 0) return NULL;
    AVPacket *packet = r->packets[0];
    r->len--;
    r->bytes -= (size_t)packet->size;
    memmove(&r->packets[0], &r->packets[1], r->len * sizeof r->packets[0]);
    memmove(&r->times_us[0], &r->times_us[1], r->len * sizeof r->times_us[0]);
    if (r->len == 0) r->draining = false;
    return packet;
}
