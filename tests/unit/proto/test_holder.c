#include "core/proto/holder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/proto/manifest.h"

static struct sign_key channel, broadcast, peer;
static struct record_key key, other_key;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    sign_key_from_seed(&channel, (const uint8_t[SIGN_SEED_BYTES]){1});
    sign_key_from_seed(&broadcast, (const uint8_t[SIGN_SEED_BYTES]){2});
    sign_key_from_seed(&peer, (const uint8_t[SIGN_SEED_BYTES]){3});
    key = holder_record_key(&channel.public, 100);
    other_key = holder_record_key(&channel.public, 101);
}

TestSuite(holder, .init = start);
TestSuite(entry, .init = start);

static struct endpoint endpoint(const char *text) {
    struct endpoint e;
    cr_assert_eq(endpoint_parse(text, &e), 0);
    return e;
}

static struct holder sample(void) {
    struct holder h;
    memset(&h, 0, sizeof h);
    h.peer = peer.public;
    h.issued_s = 1700000000;
    h.broadcast = 1700000000000;
    h.role = ROLE_RELAY;
    h.flags = PEER_REACHABLE | PEER_UPLOADS;
    h.spare_class = 5;
    h.tracks_len = 2;
    h.tracks[0].track = 0;
    h.tracks[0].from = 77;
    h.tracks[1].track = 7;
    h.tracks[1].from = UINT32_MAX;
    h.endpoints_len = 2;
    h.endpoints[0] = endpoint("192.0.2.1:7000");
    h.endpoints[1] = endpoint("[2001:db8::1]:7001");
    return h;
}

static size_t encode(const struct holder *h, uint8_t *ret) {
    int len = holder_sign(h, &key, &peer, ret, HOLDER_SIZE_MAX);
    cr_assert_gt(len, 0);
    return (size_t)len;
}

/* Signs the bytes again after a test has changed them, so that the decoder is what refuses. */
static void sign_again(uint8_t *data, size_t len, const char *context, const struct record_key *at,
                       const struct sign_key *signer) {
    uint8_t text[RECORD_KEY_BYTES + ENTRY_SIZE_MAX];
    size_t signed_len = len - SIGNATURE_BYTES;
    memcpy(text, at->bytes, RECORD_KEY_BYTES);
    memcpy(text + RECORD_KEY_BYTES, data, signed_len);
    sign_message(signer, context, text, RECORD_KEY_BYTES + signed_len, data + signed_len);
}

static int open_exactly(const uint8_t *data, size_t len) {
    struct holder got, before;
    memset(&got, 0xaa, sizeof got);
    memset(&before, 0xaa, sizeof before);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    int err = holder_open(copy, len, &key, &got);
    if (err) cr_assert_eq(memcmp(&got, &before, sizeof got), 0, "the struct was changed");
    free(copy);
    return err;
}

Test(holder, comes_back_as_it_was_signed) {
    struct holder h = sample(), got;
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    cr_assert_eq(data[0], 1);
    cr_assert_eq(holder_open(data, len, &key, &got), 0);
    cr_assert(public_key_equal(&got.peer, &h.peer));
    cr_assert_eq(got.issued_s, h.issued_s);
    cr_assert_eq(got.broadcast, h.broadcast);
    cr_assert_eq(got.role, h.role);
    cr_assert_eq(got.flags, h.flags);
    cr_assert_eq(got.spare_class, h.spare_class);
    cr_assert_eq(got.tracks_len, h.tracks_len);
    for (size_t i = 0; i < h.tracks_len; i++) {
        cr_assert_eq(got.tracks[i].track, h.tracks[i].track);
        cr_assert_eq(got.tracks[i].from, h.tracks[i].from);
    }
    cr_assert_eq(got.endpoints_len, h.endpoints_len);
    for (size_t i = 0; i < h.endpoints_len; i++)
        cr_assert(endpoint_equal(&got.endpoints[i], &h.endpoints[i]));
}

Test(holder, fits_its_maximum_with_every_list_full_and_may_have_none) {
    struct holder h = sample(), got;
    uint8_t data[HOLDER_SIZE_MAX];
    h.tracks_len = TRACKS_MAX;
    h.endpoints_len = HOLDER_ENDPOINTS_MAX;
    for (size_t i = 0; i < HOLDER_ENDPOINTS_MAX; i++) h.endpoints[i] = h.endpoints[0];
    h.spare_class = HOLDER_SPARE_CLASS_MAX;
    size_t len = encode(&h, data);
    cr_assert_eq(holder_open(data, len, &key, &got), 0);
    h.tracks_len = h.endpoints_len = 0;
    len = encode(&h, data);
    cr_assert_eq(holder_open(data, len, &key, &got), 0);
}

Test(holder, is_refused_when_cut_at_any_byte_or_longer_by_one) {
    struct holder h = sample();
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_eq(open_exactly(data, cut), ERR_TRUNCATED, "cut at %zu", cut);
    data[len] = 0;
    cr_assert_eq(open_exactly(data, len + 1), ERR_TRAILING);
}

Test(holder, is_refused_with_any_bit_changed) {
    struct holder h = sample();
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_lt(open_exactly(data, len), 0, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(open_exactly(data, len), 0);
}

Test(holder, is_refused_under_another_epoch_or_channel) {
    struct holder h = sample(), got;
    struct record_key stranger = holder_record_key(&peer.public, 100);
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    cr_assert_eq(holder_open(data, len, &other_key, &got), ERR_SIGNATURE);
    cr_assert_eq(holder_open(data, len, &stranger, &got), ERR_SIGNATURE);
}

Test(holder, is_refused_when_signed_by_another_peer_or_for_another_purpose) {
    struct holder h = sample();
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    sign_again(data, len, HOLDER_CONTEXT, &key, &channel);
    cr_assert_eq(open_exactly(data, len), ERR_SIGNATURE);
    sign_again(data, len, ENTRY_CONTEXT, &key, &peer);
    cr_assert_eq(open_exactly(data, len), ERR_SIGNATURE);
    sign_again(data, len, HOLDER_CONTEXT, &key, &peer);
    cr_assert_eq(open_exactly(data, len), 0);
}

/* Offsets in the encoding of sample(). */
enum {
    ROLE_AT = 49,
    FLAGS_AT = 50,
    SPARE_AT = 51,
    TRACKS_AT = 52,
    TRACK_AT = 53,
    ENDPOINTS_AT = 63,
    PORT_AT = 80,
};

static void expect_refused(size_t offset, const void *bytes, size_t bytes_len, int expected) {
    struct holder h = sample();
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    memcpy(data + offset, bytes, bytes_len);
    sign_again(data, len, HOLDER_CONTEXT, &key, &peer);
    cr_assert_eq(open_exactly(data, len), expected, "at %zu", offset);
}

Test(holder, is_refused_with_fields_out_of_range) {
    expect_refused(0, "", 1, ERR_VERSION);
    expect_refused(0, "\2", 1, ERR_VERSION);
    expect_refused(ROLE_AT, "", 1, ERR_RANGE);
    expect_refused(ROLE_AT, "\4", 1, ERR_RANGE);
    expect_refused(FLAGS_AT, "\4", 1, ERR_RANGE);
    expect_refused(SPARE_AT, "\x20", 1, ERR_RANGE);
    expect_refused(TRACKS_AT, "\x9", 1, ERR_RANGE);
    expect_refused(TRACK_AT, "\x8", 1, ERR_RANGE);
    expect_refused(ENDPOINTS_AT, "\5", 1, ERR_RANGE);
    expect_refused(ENDPOINTS_AT + 1, "\xff\x02", 2, ERR_RANGE); /* multicast */
    expect_refused(ENDPOINTS_AT + 13, "\xe0", 1, ERR_RANGE);    /* 224.0.2.1 */
    expect_refused(PORT_AT, "\0\0", 2, ERR_RANGE);
}

#define EXPECT_NOT_SIGNED(change)                                                                  \
    do {                                                                                           \
        struct holder h = sample();                                                                \
        uint8_t data[HOLDER_SIZE_MAX];                                                             \
        change;                                                                                    \
        cr_assert_eq(holder_sign(&h, &key, &peer, data, sizeof data), ERR_RANGE, #change);         \
    } while (0)

Test(holder, is_not_signed_where_it_would_be_refused) {
    EXPECT_NOT_SIGNED(h.role = 0);
    EXPECT_NOT_SIGNED(h.role = ROLE_RELAY + 1);
    EXPECT_NOT_SIGNED(h.flags = PEER_FLAGS_ALL + 1);
    EXPECT_NOT_SIGNED(h.spare_class = HOLDER_SPARE_CLASS_MAX + 1);
    EXPECT_NOT_SIGNED(h.tracks_len = TRACKS_MAX + 1);
    EXPECT_NOT_SIGNED(h.tracks[1].track = TRACKS_MAX);
    EXPECT_NOT_SIGNED(h.endpoints_len = HOLDER_ENDPOINTS_MAX + 1);
    EXPECT_NOT_SIGNED(h.endpoints[1].port = 0);
}

Test(holder, is_not_written_where_there_is_no_room) {
    struct holder h = sample();
    uint8_t data[HOLDER_SIZE_MAX];
    size_t len = encode(&h, data);
    for (size_t capacity = 0; capacity < len; capacity++)
        cr_assert_eq(holder_sign(&h, &key, &peer, data, capacity), ERR_FULL);
}

Test(holder, stands_under_a_key_of_channel_and_epoch) {
    struct record_key again = holder_record_key(&channel.public, 100);
    struct record_key stranger = holder_record_key(&peer.public, 100);
    struct record_key entry = entry_record_key(&channel.public);
    cr_assert_arr_eq(again.bytes, key.bytes, RECORD_KEY_BYTES);
    cr_assert_neq(memcmp(other_key.bytes, key.bytes, RECORD_KEY_BYTES), 0);
    cr_assert_neq(memcmp(stranger.bytes, key.bytes, RECORD_KEY_BYTES), 0);
    cr_assert_neq(memcmp(entry.bytes, key.bytes, RECORD_KEY_BYTES), 0);
}

Test(holder, epoch_lasts_thirty_seconds) {
    cr_assert_eq(epoch_at(0), 0);
    cr_assert_eq(epoch_at(30 * US_PER_S - 1), 0);
    cr_assert_eq(epoch_at(30 * US_PER_S), 1);
}

static struct entry entry_sample(size_t holders) {
    struct entry e;
    memset(&e, 0, sizeof e);
    e.broadcast = 1700000000000;
    e.broadcast_key = broadcast.public;
    e.expires_s = 1700003600;
    delegation_sign(&channel, e.broadcast, &e.broadcast_key, e.expires_s, e.delegation);
    e.issued_s = 1700000010;
    e.holders_len = (uint8_t)holders;
    for (size_t i = 0; i < holders && i < ENTRY_HOLDERS_MAX; i++) {
        e.holders[i].peer = peer.public;
        e.holders[i].endpoint = endpoint("192.0.2.1:7000");
        e.holders[i].endpoint.port = (uint16_t)(7000 + i);
    }
    return e;
}

static size_t entry_encode(const struct entry *e, uint8_t *ret) {
    int len = entry_sign(e, &channel.public, &broadcast, ret, ENTRY_SIZE_MAX);
    cr_assert_gt(len, 0);
    return (size_t)len;
}

static int entry_open_exactly(const uint8_t *data, size_t len) {
    struct entry got, before;
    memset(&got, 0xaa, sizeof got);
    memset(&before, 0xaa, sizeof before);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    int err = entry_open(copy, len, &channel.public, &got);
    if (err) cr_assert_eq(memcmp(&got, &before, sizeof got), 0, "the struct was changed");
    free(copy);
    return err;
}

Test(entry, comes_back_as_it_was_signed) {
    for (size_t holders = 0; holders <= ENTRY_HOLDERS_MAX; holders++) {
        struct entry e = entry_sample(holders), got;
        uint8_t data[ENTRY_SIZE_MAX];
        size_t len = entry_encode(&e, data);
        cr_assert_eq(entry_open(data, len, &channel.public, &got), 0);
        cr_assert_eq(got.broadcast, e.broadcast);
        cr_assert(public_key_equal(&got.broadcast_key, &e.broadcast_key));
        cr_assert_eq(got.expires_s, e.expires_s);
        cr_assert_arr_eq(got.delegation, e.delegation, SIGNATURE_BYTES);
        cr_assert_eq(got.issued_s, e.issued_s);
        cr_assert_eq(got.holders_len, holders);
        for (size_t i = 0; i < holders; i++) {
            cr_assert(public_key_equal(&got.holders[i].peer, &e.holders[i].peer));
            cr_assert(endpoint_equal(&got.holders[i].endpoint, &e.holders[i].endpoint));
        }
    }
}

Test(entry, is_refused_when_cut_at_any_byte_or_longer_by_one) {
    struct entry e = entry_sample(2);
    uint8_t data[ENTRY_SIZE_MAX];
    size_t len = entry_encode(&e, data);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_eq(entry_open_exactly(data, cut), ERR_TRUNCATED, "cut at %zu", cut);
    data[len] = 0;
    cr_assert_eq(entry_open_exactly(data, len + 1), ERR_TRAILING);
}

Test(entry, is_refused_with_any_bit_changed) {
    struct entry e = entry_sample(2);
    uint8_t data[ENTRY_SIZE_MAX];
    size_t len = entry_encode(&e, data);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_lt(entry_open_exactly(data, len), 0, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(entry, is_refused_under_another_channel) {
    struct entry e = entry_sample(2), got;
    uint8_t data[ENTRY_SIZE_MAX];
    size_t len = entry_encode(&e, data);
    cr_assert_eq(entry_open(data, len, &peer.public, &got), ERR_SIGNATURE);
}

/* Anyone can make a broadcast key: what counts is the channel's word for it. */
Test(entry, is_refused_without_the_channels_delegation) {
    struct entry e = entry_sample(2);
    uint8_t data[ENTRY_SIZE_MAX];
    delegation_sign(&peer, e.broadcast, &e.broadcast_key, e.expires_s, e.delegation);
    size_t len = entry_encode(&e, data);
    cr_assert_eq(entry_open_exactly(data, len), ERR_SIGNATURE);
}

Test(entry, is_refused_when_another_key_than_the_broadcasts_signed) {
    struct entry e = entry_sample(2);
    struct record_key at = entry_record_key(&channel.public);
    uint8_t data[ENTRY_SIZE_MAX];
    size_t len = entry_encode(&e, data);
    sign_again(data, len, ENTRY_CONTEXT, &at, &channel);
    cr_assert_eq(entry_open_exactly(data, len), ERR_SIGNATURE);
    sign_again(data, len, ENTRY_CONTEXT, &at, &broadcast);
    cr_assert_eq(entry_open_exactly(data, len), 0);
}

Test(entry, is_refused_with_fields_out_of_range) {
    enum { COUNT_AT = 121, PORT_AT_FIRST = 122 + 32 + 16 };
    static const struct {
        size_t offset;
        const char *bytes;
        size_t len;
        int expected;
    } changes[] = {
        {0, "\2", 1, ERR_VERSION},
        {COUNT_AT, "\x11", 1, ERR_RANGE},
        {PORT_AT_FIRST, "\0\0", 2, ERR_RANGE},
    };
    struct record_key at = entry_record_key(&channel.public);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct entry e = entry_sample(2);
        uint8_t data[ENTRY_SIZE_MAX];
        size_t len = entry_encode(&e, data);
        memcpy(data + changes[i].offset, changes[i].bytes, changes[i].len);
        sign_again(data, len, ENTRY_CONTEXT, &at, &broadcast);
        cr_assert_eq(entry_open_exactly(data, len), changes[i].expected, "change %zu", i);
    }
}

Test(entry, is_not_signed_where_it_would_be_refused_or_has_no_room) {
    struct entry e = entry_sample(ENTRY_HOLDERS_MAX + 1);
    uint8_t data[ENTRY_SIZE_MAX];
    cr_assert_eq(entry_sign(&e, &channel.public, &broadcast, data, sizeof data), ERR_RANGE);
    e = entry_sample(2);
    e.holders[1].endpoint.port = 0;
    cr_assert_eq(entry_sign(&e, &channel.public, &broadcast, data, sizeof data), ERR_RANGE);
    e = entry_sample(2);
    size_t len = entry_encode(&e, data);
    for (size_t capacity = 0; capacity < len; capacity++)
        cr_assert_eq(entry_sign(&e, &channel.public, &broadcast, data, capacity), ERR_FULL);
}
