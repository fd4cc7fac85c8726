/* publisher.h - the source's end: fragments become signed chunks.
 *
 * A fragment is cut into chunks of at most 64 cells; each is sealed where the channel is private,
 * hashed cell by cell, and signed with the broadcast key. Numbers run from 0 for each track. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "core/crypto/read_key.h"
#include "core/proto/fragment.h"
#include "core/proto/limits.h"
#include "core/swarm/chunk.h"

/* Chunks of the largest fragment, each with the tag of a private channel. */
#define FRAGMENT_CHUNKS_MAX                                                                        \
    (FRAGMENT_SIZE_MAX / (CHUNK_CELLS_MAX * CELL_SIZE - READ_KEY_OVERHEAD) + 1)

struct publisher {
    uint64_t broadcast;
    struct sign_key broadcast_key;
    uint32_t manifest_version;
    struct chunk_pool *chunks; /* borrowed; NULL, as at first: none */
    bool is_private;
    struct read_key read_key;
    uint32_t next[TRACKS_MAX];          /* number of the track's next chunk */
    uint32_t random_access[TRACKS_MAX]; /* number of its newest random access chunk */
};

/* `read_key` is NULL for a public channel. */
void publisher_init(struct publisher *p, uint64_t broadcast, const struct sign_key *broadcast_key,
                    const struct read_key *read_key);
void publisher_release(struct publisher *p); /* erases the keys */
/* Hands each chunk of the fragment to `emit` with one reference. Returns the number of chunks,
 * ERR_RANGE (track, size), ERR_MEMORY, or the first error of emit. */
MUST_CHECK int publisher_cut(struct publisher *p, const struct fragment *f,
                             int (*emit)(void *ctx, struct chunk *chunk), void *ctx);

#endif
