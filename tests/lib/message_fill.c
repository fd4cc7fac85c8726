#include "tests/lib/message_fill.h"

#include <string.h>

#include "core/proto/holder.h"

/* Fields of one name mean the same in every message; these have fewer values than their type. Flag
 * bit 0 exists in all of them. */
static const struct {
    const char *name;
    uint64_t least, most;
} bounded[] = {
    {"slot", 0, SLOTS_MAX - 1},
    {"track", 0, TRACKS_MAX - 1},
    {"role", ROLE_SOURCE, ROLE_RELAY},
    {"flags", 0, 1},
    {"reason", BYE_LEAVING, BYE_REASON_MAX},
    {"substreams", 0, (1u << SUBSTREAMS_MAX) - 1},
    {"excess", 0, (1u << SUBSTREAMS_MAX) - 1},
    {"heir", 0, 1},
};

static uint64_t number_fill(const char *name, struct rng *rng) {
    for (size_t i = 0; i < ARRAY_LEN(bounded); i++)
        if (strcmp(bounded[i].name, name) == 0)
            return bounded[i].least + rng_below(rng, bounded[i].most - bounded[i].least + 1);
    return rng_u64(rng);
}

static void bytes_fill(uint8_t *ret, size_t len, struct rng *rng) {
    for (size_t i = 0; i < len; i++) ret[i] = (uint8_t)rng_u64(rng);
}

static struct endpoint endpoint_fill(struct rng *rng) {
    struct endpoint e = {.port = (uint16_t)(1 + rng_below(rng, UINT16_MAX))};
    bytes_fill(e.ip, sizeof e.ip, rng);
    e.ip[0] = 0x20; /* neither multicast nor unspecified */
    return e;
}

static uint16_t len_fill(size_t most, struct rng *rng, bool full) {
    return (uint16_t)(full ? most : rng_below(rng, most + 1));
}

static struct bytes_view view_fill(size_t most, struct rng *rng, bool full) {
    static uint8_t bytes[MESSAGE_SIZE_MAX];
    struct rng constant = rng_init(1);
    if (bytes[0] == 0) bytes_fill(bytes, sizeof bytes, &constant);
    return (struct bytes_view){.data = bytes, .len = len_fill(most, rng, full)};
}

#define FILL_u8(name) m->name = (uint8_t)number_fill(#name, rng);
#define FILL_u16(name) m->name = (uint16_t)number_fill(#name, rng);
#define FILL_u32(name) m->name = (uint32_t)number_fill(#name, rng);
#define FILL_u64(name) m->name = number_fill(#name, rng);
#define FILL_public_key(name) bytes_fill(m->name.bytes, PUBLIC_KEY_BYTES, rng);
#define FILL_endpoint(name) m->name = endpoint_fill(rng);
#define FILL_bytes(name, max) m->name = view_fill(max, rng, full);
#define FILL_list(name, item, max)                                                                 \
    m->name##_len = (uint8_t)len_fill(max, rng, full);                                             \
    for (size_t i = 0; i < m->name##_len; i++) item##_item_fill(&m->name[i], rng, full);
#define FILL_FIELD(kind, ...) FILL_##kind(__VA_ARGS__)

static void u32_item_fill(uint32_t *ret, struct rng *rng, bool full) {
    (void)full;
    *ret = (uint32_t)rng_u64(rng);
}
static void peer_item_fill(struct peer_entry *m, struct rng *rng, bool full) {
    (void)full;
    PEER_FIELDS(FILL_FIELD)
}
static void ancestry_item_fill(struct ancestry *m, struct rng *rng, bool full) {
    ANCESTRY_FIELDS(FILL_FIELD)
}
static void held_item_fill(struct held *m, struct rng *rng, bool full) {
    (void)full;
    HELD_FIELDS(FILL_FIELD)
}
static void u8_item_fill(uint8_t *ret, struct rng *rng, bool full) {
    (void)full;
    *ret = (uint8_t)rng_u64(rng);
}
static void lags_item_fill(struct track_lags *m, struct rng *rng, bool full) {
    LAGS_FIELDS(FILL_FIELD)
}

#define SAME_u8(name)                                                                              \
    if (a->name != b->name) return false;
#define SAME_u16(name) SAME_u8(name)
#define SAME_u32(name) SAME_u8(name)
#define SAME_u64(name) SAME_u8(name)
#define SAME_public_key(name)                                                                      \
    if (!public_key_equal(&a->name, &b->name)) return false;
#define SAME_endpoint(name)                                                                        \
    if (!endpoint_equal(&a->name, &b->name)) return false;
#define SAME_bytes(name, max)                                                                      \
    if (a->name.len != b->name.len || memcmp(a->name.data, b->name.data, a->name.len) != 0)        \
        return false;
#define SAME_list(name, item, max)                                                                 \
    if (a->name##_len != b->name##_len) return false;                                              \
    for (size_t i = 0; i < a->name##_len; i++)                                                     \
        if (!item##_item_equal(&a->name[i], &b->name[i])) return false;
#define SAME_FIELD(kind, ...) SAME_##kind(__VA_ARGS__)

static bool u32_item_equal(const uint32_t *a, const uint32_t *b) { return *a == *b; }
static bool peer_item_equal(const struct peer_entry *a, const struct peer_entry *b) {
    PEER_FIELDS(SAME_FIELD)
    return true;
}
static bool ancestry_item_equal(const struct ancestry *a, const struct ancestry *b) {
    ANCESTRY_FIELDS(SAME_FIELD)
    return true;
}
static bool held_item_equal(const struct held *a, const struct held *b) {
    HELD_FIELDS(SAME_FIELD)
    return true;
}
static bool u8_item_equal(const uint8_t *a, const uint8_t *b) { return *a == *b; }
static bool lags_item_equal(const struct track_lags *a, const struct track_lags *b) {
    LAGS_FIELDS(SAME_FIELD)
    return true;
}

/* What one field's value says about another's. */
static void settle(uint8_t type, void *m) {
    struct grant *grant = m;
    if (type == MESSAGE_GRANT && grant->candidates_len == 0) grant->heir = 0;
}

#define X(name, NAME, type, fields)                                                                \
    void name##_fill(struct name *m, struct rng *rng, bool full) {                                 \
        (void)full;                                                                                \
        memset(m, 0, sizeof *m);                                                                   \
        fields(FILL_FIELD) settle(MESSAGE_##NAME, m);                                              \
    }                                                                                              \
    bool name##_equal(const struct name *a, const struct name *b) {                                \
        fields(SAME_FIELD) return true;                                                            \
    }
MESSAGE_LIST(X)
#undef X
