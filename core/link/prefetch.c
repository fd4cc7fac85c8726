/* What links need of memory next, asked for ahead of time. */
#include "core/base/bytes.h"
#include "core/link/link_internal.h"

static void fetch(const void *from, size_t len) {
    for (size_t at = 0; at < len; at += LINK_LINE) __builtin_prefetch((const char *)from + at);
}

static void fetch_schedule(const struct schedule *s) {
    if (s->heap != NULL) __builtin_prefetch(s->heap);
}

const void *links_prefetch(const struct links *ls, unsigned stage, const uint8_t *data,
                           size_t len) {
    if (stage == 0) fetch(&ls->table, sizeof *ls - offsetof(struct links, table));
    if (stage == 1) fetch_schedule(&ls->expire);
    if (stage == 1) fetch_schedule(&ls->transmit);
    bool has_index = stage > 0 && data != NULL && len > LINK_OVERHEAD && data[0] == PACKET_DATA;
    if (!has_index) return NULL;
    uint32_t index = load_u32(data + 1);
    if (stage == 1) table_prefetch(&ls->table, index);
    const struct link *l = stage > 1 ? table_at(&ls->table, index) : NULL;
    if (l != NULL && stage == 2) fetch(l, offsetof(struct link, inbox));
    return l != NULL && stage >= LINKS_PREFETCH_STAGES ? l->data : NULL;
}
