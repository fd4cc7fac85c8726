/* Writers and readers are made from the tables of message.h; what a table cannot say (which values
 * a field may have) stands here in one small function for each message. */
#include "core/proto/message.h"

#include <string.h>

#include "core/base/err.h"
#include "core/proto/holder.h"

#define SUBSTREAMS_ALL ((UINT32_C(1) << SUBSTREAMS_MAX) - 1)

static void write_view(struct writer *w, const struct bytes_view *view, size_t max) {
    if (view->len > max) writer_fail(w, ERR_RANGE);
    write_u16(w, view->len);
    write_bytes(w, view->data, view->len);
}

/* The count in front of a list. Returns how many items follow. */
static size_t write_count(struct writer *w, uint8_t count, size_t max) {
    if (count > max) writer_fail(w, ERR_RANGE);
    write_u8(w, count);
    return w->err ? 0 : count;
}

#define WRITE_u8(name) write_u8(w, m->name);
#define WRITE_u16(name) write_u16(w, m->name);
#define WRITE_u32(name) write_u32(w, m->name);
#define WRITE_u64(name) write_u64(w, m->name);
#define WRITE_public_key(name) write_bytes(w, m->name.bytes, PUBLIC_KEY_BYTES);
#define WRITE_endpoint(name) endpoint_write(w, &m->name);
#define WRITE_bytes(name, max) write_view(w, &m->name, max);
#define WRITE_list(name, item, max)                                                                \
    for (size_t i = 0, n = write_count(w, m->name##_len, max); i < n; i++)                         \
        write_item_##item(w, &m->name[i]);
#define WRITE_FIELD(kind, ...) WRITE_##kind(__VA_ARGS__)

static void write_item_u32(struct writer *w, const uint32_t *v) { write_u32(w, *v); }
static void write_item_peer(struct writer *w, const struct peer_entry *m) {
    PEER_FIELDS(WRITE_FIELD)
}
static void write_item_ancestry(struct writer *w, const struct ancestry *m) {
    ANCESTRY_FIELDS(WRITE_FIELD)
}
static void write_item_held(struct writer *w, const struct held *m) { HELD_FIELDS(WRITE_FIELD) }
static void write_item_u8(struct writer *w, const uint8_t *v) { write_u8(w, *v); }
static void write_item_lags(struct writer *w, const struct track_lags *m) {
    LAGS_FIELDS(WRITE_FIELD)
}

static struct bytes_view read_bytes_view(struct reader *r, size_t max) {
    struct bytes_view view = {.len = read_u16(r)};
    if (view.len > max) reader_fail(r, ERR_RANGE);
    view.data = read_view(r, view.len);
    return view;
}

static uint8_t read_count(struct reader *r, size_t max) {
    uint8_t count = read_u8(r);
    if (count > max) reader_fail(r, ERR_RANGE);
    return r->err ? 0 : count;
}

#define READ_u8(name) m->name = read_u8(r);
#define READ_u16(name) m->name = read_u16(r);
#define READ_u32(name) m->name = read_u32(r);
#define READ_u64(name) m->name = read_u64(r);
#define READ_public_key(name) read_copy(r, m->name.bytes, PUBLIC_KEY_BYTES);
#define READ_endpoint(name) endpoint_read(r, &m->name);
#define READ_bytes(name, max) m->name = read_bytes_view(r, max);
#define READ_list(name, item, max)                                                                 \
    m->name##_len = read_count(r, max);                                                            \
    for (size_t i = 0; i < m->name##_len; i++) read_item_##item(r, &m->name[i]);
#define READ_FIELD(kind, ...) READ_##kind(__VA_ARGS__)

static void read_item_u32(struct reader *r, uint32_t *ret) { *ret = read_u32(r); }
static void read_item_peer(struct reader *r, struct peer_entry *m) { PEER_FIELDS(READ_FIELD) }
static void read_item_ancestry(struct reader *r, struct ancestry *m) { ANCESTRY_FIELDS(READ_FIELD) }
static void read_item_held(struct reader *r, struct held *m) { HELD_FIELDS(READ_FIELD) }
static void read_item_u8(struct reader *r, uint8_t *ret) { *ret = read_u8(r); }
static void read_item_lags(struct reader *r, struct track_lags *m) { LAGS_FIELDS(READ_FIELD) }

static bool flags_are_known(uint8_t flags, int all) { return (flags & ~all) == 0; }

static bool is_in_tracks(uint8_t slot, uint8_t track) {
    return slot < SLOTS_MAX && track < TRACKS_MAX;
}

static bool peers_are_valid(const struct peer_entry *peers, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!endpoint_is_usable(&peers[i].endpoint) ||
            !flags_are_known(peers[i].flags, PEER_FLAGS_ALL))
            return false;
    return true;
}

static bool hello_is_valid(const struct hello *m) {
    return m->slot < SLOTS_MAX && m->role >= ROLE_SOURCE && m->role <= ROLE_RELAY &&
           flags_are_known(m->flags, PEER_FLAGS_ALL);
}

static bool manifest_message_is_valid(const struct manifest_message *m) {
    return m->slot < SLOTS_MAX;
}

static bool subscribe_is_valid(const struct subscribe *m) {
    return is_in_tracks(m->slot, m->track) && flags_are_known(m->flags, SUBSCRIBE_FLAGS_ALL) &&
           m->substreams <= SUBSTREAMS_ALL;
}

static bool grant_is_valid(const struct grant *m) {
    for (size_t i = 0; i < m->ancestry_len; i++)
        if (m->ancestry[i].substreams > (SUBSTREAMS_ALL | 1u << SUBSTREAM_HEADS)) return false;
    return is_in_tracks(m->slot, m->track) && flags_are_known(m->flags, SUBSCRIBE_HEADS) &&
           m->substreams <= SUBSTREAMS_ALL && m->excess <= SUBSTREAMS_ALL &&
           m->heir <= (m->candidates_len > 0 ? 1 : 0) &&
           peers_are_valid(m->candidates, m->candidates_len);
}

static bool request_is_valid(const struct request *m) {
    return is_in_tracks(m->slot, m->track) && flags_are_known(m->flags, REQUEST_FLAGS_ALL);
}

static bool cancel_is_valid(const struct cancel *m) { return is_in_tracks(m->slot, m->track); }

static bool gap_is_valid(const struct gap *m) { return is_in_tracks(m->slot, m->track); }

static bool peers_is_valid(const struct peers *m) {
    return m->slot < SLOTS_MAX && peers_are_valid(m->peers, m->peers_len);
}

static bool bye_is_valid(const struct bye *m) {
    return m->slot < SLOTS_MAX && m->reason >= BYE_LEAVING && m->reason <= BYE_REASON_MAX;
}

static bool have_is_valid(const struct have *m) {
    for (size_t i = 0; i < m->held_len; i++)
        if (m->held[i].track >= TRACKS_MAX) return false;
    return m->slot < SLOTS_MAX;
}

static bool offer_is_valid(const struct offer *m) {
    for (size_t i = 0; i < m->tracks_len; i++)
        if (m->tracks[i].track >= TRACKS_MAX) return false;
    return m->slot < SLOTS_MAX;
}

static bool head_message_is_valid(const struct head_message *m) { return m->slot < SLOTS_MAX; }

#define X(name, NAME, type, fields)                                                                \
    void name##_write(struct writer *w, const struct name *m) {                                    \
        write_u8(w, MESSAGE_##NAME);                                                               \
        fields(WRITE_FIELD)                                                                        \
    }                                                                                              \
    static void name##_read_fields(struct reader *r, struct name *m) { fields(READ_FIELD) }        \
    int name##_read(const void *data, size_t len, struct name *ret) {                              \
        struct reader r = reader_init(data, len);                                                  \
        struct name m;                                                                             \
        memset(&m, 0, sizeof m);                                                                   \
        if (read_u8(&r) != MESSAGE_##NAME) reader_fail(&r, ERR_FORMAT);                            \
        name##_read_fields(&r, &m);                                                                \
        if (r.err == 0 && !name##_is_valid(&m)) return ERR_RANGE;                                  \
        int err = reader_finish(&r);                                                               \
        if (!err) *ret = m;                                                                        \
        return err;                                                                                \
    }
MESSAGE_LIST(X)
#undef X
