/* static_list.h - records in memory instead of a DHT: for `--bootstrap none`, where peers are named
 * by hand, and for tests that shall not depend on a network.
 *
 * Nodes of one program that share a list find each other; a list of its own only gives a node back
 * what it has put. A full list forgets its oldest record. */
#ifndef STATIC_LIST_H
#define STATIC_LIST_H

#include "core/proto/holder.h"

#define STATIC_LIST_RECORDS_MAX 1024

struct static_list;

/* NULL: no memory. One thread uses a list. */
struct static_list *static_list_new(void);
void static_list_free(struct static_list *list);
/* Copies up to ENTRY_SIZE_MAX bytes. Returns 0 or ERR_RANGE. */
MUST_CHECK int static_list_add(struct static_list *list, const struct record_key *key,
                               const void *data, size_t len);

#endif
