#include "core/swarm/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

struct chunk *chunk_new(const struct head *head, const void *encoded, size_t encoded_len) {
    struct chunk *c = malloc(sizeof *c + encoded_len + head->size);
    if (c == NULL) return NULL;
    c->references = 1;
    c->head = *head;
    c->tag = head_tag(encoded, encoded_len);
    c->have = 0;
    c->encoded_len = (uint16_t)encoded_len;
    memcpy(c->bytes, encoded, encoded_len);
    return c;
}

struct chunk *chunk_ref(struct chunk *c) {
    c->references++;
    return c;
}

void chunk_unref(struct chunk *c) {
    if (c == NULL) return;
    assert(c->references > 0);
    if (--c->references == 0) free(c);
}

const uint8_t *chunk_encoded(const struct chunk *c) { return c->bytes; }
uint8_t *chunk_payload(struct chunk *c) { return c->bytes + c->encoded_len; }

const uint8_t *chunk_cell(const struct chunk *c, uint32_t index) {
    return c->bytes + c->encoded_len + (size_t)index * c->head.cell_size;
}

bool chunk_is_complete(const struct chunk *c) { return chunk_missing(c) == 0; }
uint64_t chunk_missing(const struct chunk *c) { return head_all_cells(&c->head) & ~c->have; }
size_t chunk_size(const struct chunk *c) { return sizeof *c + c->encoded_len + c->head.size; }

int chunk_add_cell(struct chunk *c, uint32_t index, const void *payload, size_t len) {
    if (index >= head_cells(&c->head)) return ERR_RANGE;
    if (c->have & 1ull << index) return ERR_DUPLICATE;
    int err = head_check_cell(&c->head, index, payload, len);
    if (err) return err;
    memcpy(chunk_payload(c) + (size_t)index * c->head.cell_size, payload, len);
    c->have |= 1ull << index;
    return 0;
}
