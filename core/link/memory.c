/* What links take: every allocation that they hold, without the allocator's own overhead. */
#include "core/link/link_internal.h"

static size_t replay_memory(const struct replay *r) { return r->more ? sizeof *r->more : 0; }

static size_t session_memory(const struct session *s) {
    size_t n = replay_memory(&s->window);
    if (s->past != NULL) n += sizeof *s->past + replay_memory(&s->past->window);
    return n;
}

static size_t inbox_memory(const struct inbox *b) {
    if (b->assemblies == NULL) return 0;
    size_t n = OUTBOX_PARTED_MAX * sizeof *b->assemblies;
    for (size_t i = 0; i < OUTBOX_PARTED_MAX; i++)
        if (b->assemblies[i].data != NULL) n += b->assemblies[i].total;
    return n;
}

static size_t link_memory(const struct link *l) {
    size_t n = sizeof *l + session_memory(&l->session) + inbox_memory(&l->inbox);
    if (l->dial != NULL) n += sizeof *l->dial;
    if (l->answer != NULL) n += sizeof *l->answer;
    if (l->path != NULL) n += sizeof *l->path;
    if (l->pace != NULL) n += sizeof *l->pace;
    n += l->outbox.bytes + l->outbox.capacity * sizeof *l->outbox.slots;
    n += l->unreliable.capacity;
    return n + l->sent.capacity * sizeof *l->sent.records;
}

size_t links_memory(const struct links *ls) {
    size_t n = sizeof *ls + ls->table.size * sizeof *ls->table.entries;
    n += (ls->expire.capacity + ls->transmit.capacity) * sizeof *ls->expire.heap;
    n += ls->ready.capacity * sizeof *ls->ready.entries;
    if (ls->asks != NULL) n += ASKS_MAX * sizeof *ls->asks;
    size_t at = 0;
    for (const struct link *l; (l = table_next(&ls->table, NULL, &at)) != NULL;)
        n += link_memory(l);
    return n;
}
