#include "core/link/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define SIZE_MIN 8

void table_release(struct table *t) {
    free(t->entries);
    *t = (struct table){0};
}

static struct table_entry *entry_of(const struct table *t, uint32_t index) {
    return &t->entries[index & (t->size - 1)];
}

static uint32_t key_of(const struct public_key *peer) {
    uint32_t key;
    memcpy(&key, peer->bytes, sizeof key);
    return key;
}

/* Indices that differ in their low bits differ in more of them, so none meet in a larger table. */
static int grow(struct table *t) {
    struct table grown = {.size = size_max(2 * t->size, SIZE_MIN), .len = t->len};
    grown.entries = calloc(grown.size, sizeof *grown.entries);
    if (grown.entries == NULL) return ERR_MEMORY;
    for (size_t i = 0; i < t->size; i++)
        if (t->entries[i].link != NULL) *entry_of(&grown, t->entries[i].index) = t->entries[i];
    free(t->entries);
    *t = grown;
    return 0;
}

int table_add(struct table *t, struct link *l, const struct public_key *peer, uint32_t index,
              uint32_t *ret_index) {
    if (4 * (t->len + 1) > 3 * t->size && grow(t) != 0) return ERR_MEMORY;
    uint32_t mask = (uint32_t)(t->size - 1);
    while (entry_of(t, index)->link != NULL) index = (index & ~mask) | ((index + 1) & mask);
    *entry_of(t, index) = (struct table_entry){l, index, key_of(peer)};
    t->len++;
    *ret_index = index;
    return 0;
}

void table_remove(struct table *t, uint32_t index) {
    assert(table_at(t, index) != NULL);
    *entry_of(t, index) = (struct table_entry){0};
    t->len--;
}

struct link *table_at(const struct table *t, uint32_t index) {
    if (t->size == 0) return NULL;
    const struct table_entry *e = entry_of(t, index);
    return e->index == index ? e->link : NULL;
}

void table_prefetch(const struct table *t, uint32_t index) {
    if (t->size > 0) __builtin_prefetch(entry_of(t, index));
}

struct link *table_next(const struct table *t, const struct public_key *peer, size_t *at) {
    uint32_t key = peer == NULL ? 0 : key_of(peer);
    while (*at < t->size) {
        const struct table_entry *e = &t->entries[(*at)++];
        if (e->link != NULL && (peer == NULL || e->key == key)) return e->link;
    }
    return NULL;
}
