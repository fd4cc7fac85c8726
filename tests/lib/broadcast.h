/* broadcast.h - a broadcast for tests: its keys, its manifest, and fragments whose every byte is
 * known from the track and the number, so that a viewer's copy can be checked without the source.
 *
 * All from a seed: two broadcasts of one seed have the same channel key, and the same id gives the
 * same broadcast key. */
#ifndef TEST_BROADCAST_H
#define TEST_BROADCAST_H

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"
#include "core/swarm/publisher.h"

#define BROADCAST_VIDEO 0
#define BROADCAST_AUDIO 1
#define BROADCAST_INTERVAL_US (33 * US_PER_MS) /* between fragments of a track */

struct broadcast {
    uint64_t seed, id;
    struct sign_key channel_key, key;
    bool is_private;
    struct read_key read_key;
    struct manifest manifest;
    uint8_t manifest_bytes[MANIFEST_SIZE_MAX];
    size_t manifest_len;
    struct publisher publisher;
};

/* Two tracks: video of 3 Mb/s (16 substreams) and audio. The manifest has version 1 and expires a
 * day after `utc_us`. */
void broadcast_init(struct broadcast *b, uint64_t seed, uint64_t id, bool is_private,
                    uint64_t utc_us);
/* The manifest again, as the channel key signs it now. */
void broadcast_sign(struct broadcast *b);
void broadcast_release(struct broadcast *b);

uint8_t broadcast_byte(uint8_t track, uint32_t number, size_t at);
/* Fragment `number` of the track; its pts says the number. NULL: no memory. */
struct fragment *broadcast_fragment(uint8_t track, uint32_t number, size_t len, uint64_t capture_us,
                                    bool random_access);
struct fragment *broadcast_end(uint8_t track, uint32_t number, uint64_t capture_us);
uint32_t broadcast_number(const struct fragment *f);
/* Whether the bytes are those of broadcast_fragment. */
bool broadcast_is_true(const struct fragment *f);

#endif
