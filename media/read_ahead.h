/* read_ahead.h - packets of a stored input, put in order of time before they are paced.
 *
 * Files interleave sound and picture as their muxer pleased, up to a second apart. Paced in the
 * order of the file, one of them would always be late. So about a second is read ahead and handed
 * out by time. A jump in a stream's timestamps empties the queue first: times on both sides of it
 * do not compare. Bounded by time, packets and bytes. */
#ifndef READ_AHEAD_H
#define READ_AHEAD_H

#include <libavcodec/packet.h>
#include <stdbool.h>

#include "core/base/base.h"

#define READ_AHEAD_US ((int64_t)US_PER_S)
#define READ_AHEAD_PACKETS_MAX 1024u
#define READ_AHEAD_BYTES_MAX (32u << 20)
#define READ_AHEAD_STREAMS_MAX 2u

struct read_ahead {
    AVPacket *packets[READ_AHEAD_PACKETS_MAX]; /* by time */
    int64_t times_us[READ_AHEAD_PACKETS_MAX];
    size_t len;
    size_t bytes;
    int64_t last_us[READ_AHEAD_STREAMS_MAX]; /* of each stream, or INT64_MIN before the first */
    bool draining;                           /* a jump: nothing comes in until all is out */
};

void read_ahead_init(struct read_ahead *r);
void read_ahead_release(struct read_ahead *r);

/* Whether the next packet may come out: enough is read, or the queue drains. */
bool read_ahead_is_ready(const struct read_ahead *r);
/* Takes the packet over, of the stream numbered `stream`; `time_us` is its decoding time, or
 * INT64_MIN. Only while not ready. */
void read_ahead_put(struct read_ahead *r, AVPacket *packet, unsigned stream, int64_t time_us);
/* The earliest packet, for the caller to free; NULL when empty. Ready or not: at the input's end
 * the rest comes out. */
AVPacket *read_ahead_take(struct read_ahead *r);

#endif
