/* table.h - a node's links, by our index of them and by their peer.
 *
 * The low bits of an index are a place in the table, so what comes with an index finds its link by
 * one access; the table doubles as links come. Beside each link stands a word of its peer's key: a
 * search by key reads that, and the link only where it fits. Places are the only order, and come
 * from the seed. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/sign.h"

struct link;

struct table_entry {
    struct link *link; /* NULL: free */
    uint32_t index;    /* its low bits are this place */
    uint32_t key;
};

struct table {
    struct table_entry *entries;
    size_t size, len; /* a power of two, or 0; how many are taken */
};

void table_release(struct table *t);
/* Adds a link under `index` or the next whose place is free, and returns that in *ret_index.
 * Returns 0 or ERR_MEMORY. */
MUST_CHECK int table_add(struct table *t, struct link *l, const struct public_key *peer,
                         uint32_t index, uint32_t *ret_index);
void table_remove(struct table *t, uint32_t index);
/* The link with this index, or NULL. */
struct link *table_at(const struct table *t, uint32_t index);
/* Asks for where it stands. */
void table_prefetch(const struct table *t, uint32_t index);
/* Those that may be links with `peer` (NULL: all), one after the other: the next from place *at on,
 * which moves behind it; NULL behind the last. */
struct link *table_next(const struct table *t, const struct public_key *peer, size_t *at);

#endif
