#include "core/proto/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/proto/holder.h"
#include "tests/lib/hex.h"
#include "tests/lib/message_fill.h"

#define ROUNDS 50

/* The functions of each message behind one type, so that a test is a loop over the table. */
struct message_kind {
    const char *name;
    uint8_t type;
    size_t size;
    void (*fill)(void *m, struct rng *rng, bool full);
    bool (*equal)(const void *a, const void *b);
    void (*write)(struct writer *w, const void *m);
    int (*read)(const void *data, size_t len, void *ret);
};

#define X(name, NAME, type, fields)                                                                \
    static void fill_##name(void *m, struct rng *rng, bool full) { name##_fill(m, rng, full); }    \
    static bool equal_##name(const void *a, const void *b) { return name##_equal(a, b); }          \
    static void write_##name(struct writer *w, const void *m) { name##_write(w, m); }              \
    static int read_##name(const void *data, size_t len, void *ret) {                              \
        return name##_read(data, len, ret);                                                        \
    }
MESSAGE_LIST(X)
#undef X

static const struct message_kind kinds[] = {
#define X(name, NAME, type, fields)                                                                \
    {#name,        MESSAGE_##NAME, sizeof(struct name), fill_##name,                               \
     equal_##name, write_##name,   read_##name},
    MESSAGE_LIST(X)
#undef X
};

union any_message {
#define X(name, NAME, type, fields) struct name name;
    MESSAGE_LIST(X)
#undef X
};

static size_t encode(const struct message_kind *k, const void *m, uint8_t *ret, size_t capacity) {
    struct writer w = writer_init(ret, capacity);
    k->write(&w, m);
    cr_assert_eq(w.err, 0, "%s", k->name);
    return writer_len(&w);
}

/* A copy of exactly `len` bytes is read, so that a sanitizer sees a step behind them; a refusal
 * must leave the struct alone. */
static int read_exactly(const struct message_kind *k, const uint8_t *data, size_t len) {
    union any_message got, before;
    memset(&got, 0xaa, sizeof got);
    memset(&before, 0xaa, sizeof before);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    int err = k->read(copy, len, &got);
    if (err) cr_assert_eq(memcmp(&got, &before, sizeof got), 0, "%s was changed", k->name);
    free(copy);
    return err;
}

static void round_trip(const struct message_kind *k, struct rng *rng, bool full) {
    union any_message m, got;
    uint8_t data[MESSAGE_SIZE_MAX], again[MESSAGE_SIZE_MAX];
    k->fill(&m, rng, full);
    size_t len = encode(k, &m, data, sizeof data);
    cr_assert_eq(data[0], k->type);
    cr_assert_eq(k->read(data, len, &got), 0, "%s", k->name);
    cr_assert(k->equal(&m, &got), "%s", k->name);
    cr_assert_eq(encode(k, &got, again, sizeof again), len);
    cr_assert_arr_eq(data, again, len, "%s", k->name);
}

Test(message, comes_back_as_it_was_written) {
    struct rng rng = rng_init(1);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (int round = 0; round < ROUNDS; round++) round_trip(&kinds[i], &rng, false);
}

Test(message, comes_back_with_every_list_at_its_maximum) {
    struct rng rng = rng_init(2);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) round_trip(&kinds[i], &rng, true);
}

Test(message, is_refused_when_cut_at_any_byte_or_longer_by_one) {
    struct rng rng = rng_init(3);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        union any_message m;
        uint8_t data[MESSAGE_SIZE_MAX + 1];
        kinds[i].fill(&m, &rng, true);
        size_t len = encode(&kinds[i], &m, data, MESSAGE_SIZE_MAX);
        for (size_t cut = 0; cut < len; cut++)
            cr_assert_eq(read_exactly(&kinds[i], data, cut), ERR_TRUNCATED, "%s cut at %zu",
                         kinds[i].name, cut);
        data[len] = 0;
        cr_assert_eq(read_exactly(&kinds[i], data, len + 1), ERR_TRAILING, "%s", kinds[i].name);
    }
}

Test(message, is_refused_under_any_other_type) {
    struct rng rng = rng_init(4);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        union any_message m;
        uint8_t data[MESSAGE_SIZE_MAX];
        kinds[i].fill(&m, &rng, false);
        size_t len = encode(&kinds[i], &m, data, sizeof data);
        for (unsigned type = 0; type < 256; type++) {
            data[0] = (uint8_t)type;
            cr_assert_eq(read_exactly(&kinds[i], data, len), type == kinds[i].type ? 0 : ERR_FORMAT,
                         "%s as %u", kinds[i].name, type);
        }
    }
}

/* With a changed bit it is either refused or another message, of which there is one encoding. */
Test(message, has_one_encoding_whatever_bit_is_changed) {
    struct rng rng = rng_init(5);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        union any_message m, got;
        uint8_t data[MESSAGE_SIZE_MAX], again[MESSAGE_SIZE_MAX];
        kinds[i].fill(&m, &rng, false);
        size_t len = encode(&kinds[i], &m, data, sizeof data);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (kinds[i].read(data, len, &got) == 0) {
                cr_assert_eq(encode(&kinds[i], &got, again, sizeof again), len);
                cr_assert_arr_eq(data, again, len);
                cr_assert_not(kinds[i].equal(&m, &got), "%s bit %zu", kinds[i].name, bit);
            }
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

Test(message, fails_the_writer_that_has_no_room) {
    struct rng rng = rng_init(6);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        union any_message m;
        uint8_t data[MESSAGE_SIZE_MAX];
        kinds[i].fill(&m, &rng, true);
        size_t len = encode(&kinds[i], &m, data, sizeof data);
        struct writer w = writer_init(data, len - 1);
        kinds[i].write(&w, &m);
        cr_assert_eq(w.err, ERR_FULL, "%s", kinds[i].name);
    }
}

/* The wire, pinned: these bytes are the protocol's and change only with its version. */
Test(message, stands_on_the_wire_as_the_tables_say) {
    struct request m = {.slot = 1,
                        .track = 2,
                        .number = 0x01020304,
                        .cells = 0x8000000000000001,
                        .flags = REQUEST_HEAD,
                        .deadline_ms = 500};
    uint8_t data[64], expected[64];
    struct writer w = writer_init(data, sizeof data);
    request_write(&w, &m);
    int len = hex_read("14"
                       "01"
                       "02"
                       "01020304"
                       "8000000000000001"
                       "01"
                       "01f4",
                       expected, sizeof expected);
    cr_assert_eq(writer_len(&w), (size_t)len);
    cr_assert_arr_eq(data, expected, (size_t)len);
}

Test(message, has_a_count_before_each_list_and_a_length_before_bytes) {
    struct have have = {.slot = 3, .broadcast = 9, .held_len = 1, .held = {{4, 5, 6}}};
    struct head_message head = {.slot = 7, .head = {(const uint8_t *)"abc", 3}};
    uint8_t data[64], expected[64];
    struct writer w = writer_init(data, sizeof data);
    have_write(&w, &have);
    head_message_write(&w, &head);
    int len = hex_read("2003000000000000000901"
                       "04000000050000000000000006"
                       "21070003616263",
                       expected, sizeof expected);
    cr_assert_eq(writer_len(&w), (size_t)len);
    cr_assert_arr_eq(data, expected, (size_t)len);
}

Test(message, offers_lags_for_each_track_and_stays_below_a_datagram) {
    struct offer m = {
        .slot = 3,
        .broadcast = 9,
        .spare = 0x0102,
        .carried = 0x0304,
        .bar = 0x0506,
        .tracks_len = 1,
        .tracks = {{.track = 4, .lags_len = 3, .lags = {1, 2, LAG_NONE}, .below = 0x21}}};
    uint8_t data[1024], expected[64];
    struct writer w = writer_init(data, sizeof data);
    offer_write(&w, &m);
    int len = hex_read("22030000000000000009"
                       "010203040506"
                       "0104030102ff"
                       "0000000000000021",
                       expected, sizeof expected);
    cr_assert_eq(writer_len(&w), (size_t)len);
    cr_assert_arr_eq(data, expected, (size_t)len);
    struct rng rng = rng_init(10);
    offer_fill(&m, &rng, true);
    w = writer_init(data, sizeof data);
    offer_write(&w, &m);
    cr_assert_eq(w.err, 0);
    cr_assert_eq(writer_len(&w), 17 + TRACKS_MAX * (2 + SUBSTREAMS_MAX + 1 + 8));
}

/* Writes a message with one field out of range and expects its reader to say so. */
#define EXPECT_RANGE(name, statement)                                                              \
    do {                                                                                           \
        struct rng rng = rng_init(7);                                                              \
        struct name m, got;                                                                        \
        uint8_t data[MESSAGE_SIZE_MAX];                                                            \
        name##_fill(&m, &rng, true);                                                               \
        statement;                                                                                 \
        struct writer w = writer_init(data, sizeof data);                                          \
        name##_write(&w, &m);                                                                      \
        cr_assert_eq(w.err, 0);                                                                    \
        cr_assert_eq(name##_read(data, writer_len(&w), &got), ERR_RANGE, #name ": " #statement);   \
    } while (0)

Test(message, is_refused_with_a_slot_that_does_not_exist) {
#define X(name, NAME, type, fields)                                                                \
    EXPECT_RANGE(name, m.slot = SLOTS_MAX);                                                        \
    EXPECT_RANGE(name, m.slot = UINT8_MAX);
    MESSAGE_LIST(X)
#undef X
}

Test(message, is_refused_with_a_track_that_does_not_exist) {
    EXPECT_RANGE(subscribe, m.track = TRACKS_MAX);
    EXPECT_RANGE(grant, m.track = TRACKS_MAX);
    EXPECT_RANGE(request, m.track = TRACKS_MAX);
    EXPECT_RANGE(cancel, m.track = TRACKS_MAX);
    EXPECT_RANGE(gap, m.track = TRACKS_MAX);
    EXPECT_RANGE(have, m.held[TRACKS_MAX - 1].track = TRACKS_MAX);
    EXPECT_RANGE(offer, m.tracks[TRACKS_MAX - 1].track = TRACKS_MAX);
}

Test(message, is_refused_with_a_flag_that_does_not_exist) {
    EXPECT_RANGE(hello, m.flags = PEER_FLAGS_ALL + 1);
    EXPECT_RANGE(subscribe, m.flags = SUBSCRIBE_FLAGS_ALL + 1);
    EXPECT_RANGE(grant, m.flags = SUBSCRIBE_STARVED);
    EXPECT_RANGE(grant, m.candidates[PEERS_MAX - 1].flags = PEER_FLAGS_ALL + 1);
    EXPECT_RANGE(request, m.flags = REQUEST_FLAGS_ALL + 1);
    EXPECT_RANGE(peers, m.peers[0].flags = 0x80);
}

Test(message, is_refused_with_a_role_or_reason_that_does_not_exist) {
    EXPECT_RANGE(hello, m.role = 0);
    EXPECT_RANGE(hello, m.role = ROLE_RELAY + 1);
    EXPECT_RANGE(bye, m.reason = 0);
    EXPECT_RANGE(bye, m.reason = BYE_REASON_MAX + 1);
}

Test(message, is_refused_with_substreams_that_do_not_exist) {
    EXPECT_RANGE(subscribe, m.substreams = 1u << SUBSTREAMS_MAX);
    EXPECT_RANGE(grant, m.substreams = 1u << SUBSTREAMS_MAX);
    EXPECT_RANGE(grant, m.excess = 1u << SUBSTREAMS_MAX);
    EXPECT_RANGE(grant, m.ancestry[ANCESTRIES_MAX - 1].substreams = 1u << (SUBSTREAM_HEADS + 1));
}

Test(message, is_refused_with_peers_that_nobody_can_dial) {
    EXPECT_RANGE(peers, m.peers[PEERS_MAX - 1].endpoint.port = 0);
    EXPECT_RANGE(peers, m.peers[0].endpoint.ip[0] = 0xff);
    EXPECT_RANGE(peers, memset(m.peers[3].endpoint.ip, 0, 16));
    EXPECT_RANGE(grant, m.candidates[0].endpoint.port = 0);
}

Test(message, is_refused_with_an_heir_that_is_no_candidate) {
    EXPECT_RANGE(grant, m.heir = 2);
    EXPECT_RANGE(grant, m.heir = UINT8_MAX);
    EXPECT_RANGE(grant, (m.heir = 1, m.candidates_len = 0));
}

Test(message, takes_every_flag_role_and_reason_that_exists) {
    struct rng rng = rng_init(8);
    struct hello hello;
    struct subscribe subscribe;
    uint8_t data[MESSAGE_SIZE_MAX];
    hello_fill(&hello, &rng, true);
    subscribe_fill(&subscribe, &rng, true);
    for (uint8_t role = ROLE_SOURCE; role <= ROLE_RELAY; role++) {
        struct writer w = writer_init(data, sizeof data);
        hello.role = role;
        hello.flags = PEER_FLAGS_ALL;
        hello_write(&w, &hello);
        cr_assert_eq(hello_read(data, writer_len(&w), &hello), 0);
    }
    struct writer w = writer_init(data, sizeof data);
    subscribe.flags = SUBSCRIBE_FLAGS_ALL;
    subscribe.substreams = (1u << SUBSTREAMS_MAX) - 1;
    subscribe_write(&w, &subscribe);
    cr_assert_eq(subscribe_read(data, writer_len(&w), &subscribe), 0);
}

/* A HELLO says what its sender sees, which may be nothing yet. */
Test(message, takes_a_hello_without_an_observed_address) {
    struct rng rng = rng_init(9);
    struct hello m;
    uint8_t data[MESSAGE_SIZE_MAX];
    hello_fill(&m, &rng, true);
    memset(&m.observed, 0, sizeof m.observed);
    struct writer w = writer_init(data, sizeof data);
    hello_write(&w, &m);
    cr_assert_eq(hello_read(data, writer_len(&w), &m), 0);
}

static void expect_writer_range(const struct message_kind *k, const void *m) {
    uint8_t data[2 * MESSAGE_SIZE_MAX];
    struct writer w = writer_init(data, sizeof data);
    k->write(&w, m);
    cr_assert_eq(w.err, ERR_RANGE, "%s", k->name);
}

static const struct message_kind *kind_of(uint8_t type) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].type == type) return &kinds[i];
    cr_assert_fail("no message of type %u", type);
    return NULL;
}

Test(message, fails_the_writer_where_a_list_or_view_is_over_its_maximum) {
    static const uint8_t bytes[MANIFEST_SIZE_MAX + 1];
    struct peers peers = {.peers_len = PEERS_MAX + 1};
    struct have have = {.held_len = TRACKS_MAX + 1};
    struct grant grant = {.ancestry_len = ANCESTRIES_MAX + 1};
    struct grant ids = {.ancestry_len = 1, .ancestry = {{.ids_len = ANCESTORS_MAX + 1}}};
    struct offer offer = {.tracks_len = TRACKS_MAX + 1};
    struct offer lags = {.tracks_len = 1, .tracks = {{.lags_len = SUBSTREAMS_MAX + 2}}};
    struct manifest_message manifest = {.manifest = {bytes, MANIFEST_SIZE_MAX + 1}};
    struct head_message head = {.head = {bytes, HEAD_SIZE_MAX + 1}};
    expect_writer_range(kind_of(MESSAGE_PEERS), &peers);
    expect_writer_range(kind_of(MESSAGE_HAVE), &have);
    expect_writer_range(kind_of(MESSAGE_GRANT), &grant);
    expect_writer_range(kind_of(MESSAGE_GRANT), &ids);
    expect_writer_range(kind_of(MESSAGE_OFFER), &offer);
    expect_writer_range(kind_of(MESSAGE_OFFER), &lags);
    expect_writer_range(kind_of(MESSAGE_MANIFEST), &manifest);
    expect_writer_range(kind_of(MESSAGE_HEAD), &head);
}

Test(message, is_refused_where_a_count_is_over_its_maximum) {
    static uint8_t data[2 * MESSAGE_SIZE_MAX];
    data[0] = MESSAGE_PEERS;
    data[2] = PEERS_MAX + 1;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_PEERS), data, 3 + (PEERS_MAX + 1) * 51), ERR_RANGE);
    data[0] = MESSAGE_HAVE;
    data[2] = 0;
    data[10] = TRACKS_MAX + 1;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_HAVE), data, 11 + (TRACKS_MAX + 1) * 13), ERR_RANGE);
    data[0] = MESSAGE_OFFER;
    data[10] = 0;
    data[16] = TRACKS_MAX + 1;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_OFFER), data, 17 + (TRACKS_MAX + 1) * 2), ERR_RANGE);
    data[16] = 1;
    data[18] = SUBSTREAMS_MAX + 2;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_OFFER), data, 19 + SUBSTREAMS_MAX + 2), ERR_RANGE);
    data[16] = data[18] = 0;
    data[0] = MESSAGE_HEAD;
    data[2] = (HEAD_SIZE_MAX + 1) >> 8;
    data[3] = (HEAD_SIZE_MAX + 1) & 0xff;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_HEAD), data, 4 + HEAD_SIZE_MAX + 1), ERR_RANGE);
    data[0] = MESSAGE_MANIFEST;
    data[2] = (MANIFEST_SIZE_MAX + 1) >> 8;
    data[3] = (MANIFEST_SIZE_MAX + 1) & 0xff;
    cr_assert_eq(read_exactly(kind_of(MESSAGE_MANIFEST), data, 4 + MANIFEST_SIZE_MAX + 1),
                 ERR_RANGE);
}
