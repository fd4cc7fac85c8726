/* chunk.h - one chunk: its head, as signed, and its payload, cell by cell.
 *
 * Counted references, of one thread. Invariant: a bit of `have` is set only after the cell's bytes
 * were checked against the head, or made by the source itself. */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>

#include "core/proto/fragment.h"
#include "core/proto/head.h"

struct chunk {
    unsigned references;
    struct head head;
    uint32_t tag;  /* head_tag of the encoded head */
    uint64_t have; /* cells held */
    uint16_t encoded_len;
    uint8_t bytes[]; /* the encoded head, then the payload */
};

/* A chunk without cells. `encoded` must decode to `head`. NULL: no memory. */
struct chunk *chunk_new(const struct head *head, const void *encoded, size_t encoded_len);
struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c);

const uint8_t *chunk_encoded(const struct chunk *c);
uint8_t *chunk_payload(struct chunk *c);
const uint8_t *chunk_cell(const struct chunk *c, uint32_t index);
bool chunk_is_complete(const struct chunk *c);
uint64_t chunk_missing(const struct chunk *c);
/* Bytes that it takes in memory. */
size_t chunk_size(const struct chunk *c);
/* Checks and stores a cell. Returns 0, ERR_DUPLICATE, ERR_RANGE or ERR_HASH. */
MUST_CHECK int chunk_add_cell(struct chunk *c, uint32_t index, const void *payload, size_t len);

#endif
