#include "core/swarm/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define POOL_BUCKETS 4096u /* 10 s of four tracks are some 1,600 chunks */

struct chunk_body {
    unsigned references; /* of chunks */
    uint32_t tag;
    uint64_t have;           /* cells that some chunk has checked: their bytes are here */
    struct chunk_pool *pool; /* NULL: of one chunk alone */
    struct chunk_body *next; /* in the pool's bucket */
    struct head head;
    uint16_t encoded_len;
    uint8_t bytes[]; /* the encoded head, then the payload */
};

struct chunk_pool {
    size_t len;
    struct chunk_body *buckets[POOL_BUCKETS];
};

struct chunk_pool *chunk_pool_new(void) {
    return calloc(1, sizeof(struct chunk_pool));
}

void chunk_pool_free(struct chunk_pool *pool) {
    assert(pool == NULL || pool->len == 0);
    free(pool);
}

size_t chunk_pool_len(const struct chunk_pool *pool) { return pool->len; }

static struct chunk_body **bucket_of(struct chunk_pool *pool, uint32_t tag) {
    return &pool->buckets[tag % POOL_BUCKETS];
}

/* The tag only leads to the bucket; it is short, and leaves the signature out. */
static struct chunk_body *pool_find(struct chunk_pool *pool, uint32_t tag, const void *encoded,
                                    size_t encoded_len) {
    struct chunk_body *b = *bucket_of(pool, tag);
    while (b != NULL &&
           (b->encoded_len != encoded_len || memcmp(b->bytes, encoded, encoded_len) != 0))
        b = b->next;
    return b;
}

static void pool_put(struct chunk_pool *pool, struct chunk_body *b) {
    struct chunk_body **bucket = bucket_of(pool, b->tag);
    b->pool = pool;
    b->next = *bucket;
    *bucket = b;
    pool->len++;
}

static void pool_remove(struct chunk_body *b) {
    struct chunk_body **at = bucket_of(b->pool, b->tag);
    while (*at != b) at = &(*at)->next;
    *at = b->next;
    b->pool->len--;
}

static struct chunk_body *body_new(const struct head *head, uint32_t tag, const void *encoded,
                                   size_t encoded_len) {
    struct chunk_body *b = malloc(sizeof *b + encoded_len + head->size);
    if (b == NULL) return NULL;
    b->references = 0;
    b->tag = tag;
    b->have = 0;
    b->pool = NULL;
    b->next = NULL;
    b->head = *head;
    b->encoded_len = (uint16_t)encoded_len;
    memcpy(b->bytes, encoded, encoded_len);
    return b;
}

static void body_free(struct chunk_body *b) {
    if (b->pool != NULL) pool_remove(b);
    free(b);
}

static uint8_t *body_payload(struct chunk_body *b) { return b->bytes + b->encoded_len; }

struct chunk *chunk_new(struct chunk_pool *pool, const struct head *head, const void *encoded,
                        size_t encoded_len) {
    uint32_t tag = head_tag(encoded, encoded_len);
    struct chunk *c = malloc(sizeof *c);
    if (c == NULL) return NULL;
    struct chunk_body *b = pool == NULL ? NULL : pool_find(pool, tag, encoded, encoded_len);
    if (b == NULL) {
        b = body_new(head, tag, encoded, encoded_len);
        if (b == NULL) {
            free(c);
            return NULL;
        }
        if (pool != NULL) pool_put(pool, b);
    }
    b->references++;
    *c = (struct chunk){.references = 1,
                        .tag = tag,
                        .all = head_all_cells(&b->head),
                        .head = &b->head,
                        .body = b,
                        .encoded_len = (uint16_t)encoded_len};
    return c;
}

struct chunk *chunk_ref(struct chunk *c) {
    c->references++;
    return c;
}

void chunk_unref(struct chunk *c) {
    if (c == NULL) return;
    assert(c->references > 0);
    if (--c->references > 0) return;
    if (--c->body->references == 0) body_free(c->body);
    free(c);
}

const uint8_t *chunk_encoded(const struct chunk *c) { return c->body->bytes; }
const uint8_t *chunk_payload(const struct chunk *c) { return body_payload(c->body); }

const uint8_t *chunk_cell(const struct chunk *c, uint32_t index) {
    return chunk_payload(c) + (size_t)index * c->head->cell_size;
}

size_t chunk_size(const struct chunk *c) {
    return sizeof *c + sizeof *c->body + c->encoded_len + c->head->size;
}

int chunk_add_cell(struct chunk *c, uint32_t index, const void *payload, size_t len) {
    if (index >= head_cells(c->head)) return ERR_RANGE;
    uint64_t bit = 1ull << index;
    if (c->have & bit) return ERR_DUPLICATE;
    int err = head_check_cell(c->head, index, payload, len);
    if (err) return err;
    if (!(c->body->have & bit))
        memcpy(body_payload(c->body) + (size_t)index * c->head->cell_size, payload, len);
    c->body->have |= bit;
    c->have |= bit;
    return 0;
}

void chunk_fill(struct chunk *c, const void *payload) {
    if (c->head->size > 0) memcpy(body_payload(c->body), payload, c->head->size);
    c->body->have = c->have = c->all;
}
