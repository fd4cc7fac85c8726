/* chunk.h - one chunk: its head, as signed, and its payload, cell by cell.
 *
 * Counted references, of one thread. What all holders of a chunk have alike, the head and the
 * bytes, is its body. A program's node owns its bodies alone; nodes that live in one process, as a
 * simulation's do, may share them through a pool, and still each has only the cells that it checked
 * itself. Invariant: a bit of `have` is set only after the cell's bytes were checked against the
 * head, or made by the source itself. */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>

#include "core/proto/fragment.h"
#include "core/proto/head.h"

struct chunk_body;

struct chunk {
    unsigned references;
    uint32_t tag;            /* head_tag of the encoded head */
    uint64_t have;           /* cells held, */
    uint64_t all;            /* and those that there are */
    const struct head *head; /* the body's */
    struct chunk_body *body;
    uint16_t encoded_len;
};

/* Bodies by their encoded head, every byte of it: two heads for one number are two bodies. It holds
 * no references: a body leaves the pool with its last chunk, so a pool is as large as what its
 * nodes hold. It must outlive their chunks. */
struct chunk_pool;

struct chunk_pool *chunk_pool_new(void); /* NULL: no memory */
void chunk_pool_free(struct chunk_pool *pool);
/* Bodies that are held. */
size_t chunk_pool_len(const struct chunk_pool *pool);

/* A chunk without cells. `encoded` must decode to `head`. `pool` is NULL for a body of its own.
 * NULL: no memory. */
struct chunk *chunk_new(struct chunk_pool *pool, const struct head *head, const void *encoded,
                        size_t encoded_len);
struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c);

const uint8_t *chunk_encoded(const struct chunk *c);
const uint8_t *chunk_payload(const struct chunk *c);
const uint8_t *chunk_cell(const struct chunk *c, uint32_t index);
static inline uint64_t chunk_missing(const struct chunk *c) { return c->all & ~c->have; }
static inline bool chunk_is_complete(const struct chunk *c) { return chunk_missing(c) == 0; }
/* Bytes that it takes in memory, its body counted in full. */
size_t chunk_size(const struct chunk *c);
/* Checks and stores a cell. Returns 0, ERR_DUPLICATE, ERR_RANGE or ERR_HASH. */
MUST_CHECK int chunk_add_cell(struct chunk *c, uint32_t index, const void *payload, size_t len);
/* All cells at once and unchecked: for the source, whose head was made from this payload. */
void chunk_fill(struct chunk *c, const void *payload);

#endif
