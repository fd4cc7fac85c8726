#include "core/proto/manifest.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static struct sign_key channel, broadcast, stranger;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    sign_key_from_seed(&channel, (const uint8_t[SIGN_SEED_BYTES]){1});
    sign_key_from_seed(&broadcast, (const uint8_t[SIGN_SEED_BYTES]){2});
    sign_key_from_seed(&stranger, (const uint8_t[SIGN_SEED_BYTES]){3});
}

TestSuite(manifest, .init = start);

static struct manifest sample(void) {
    struct manifest m;
    memset(&m, 0, sizeof m);
    m.broadcast = 1700000000000;
    m.version = 2;
    m.broadcast_key = broadcast.public;
    m.expires_s = 1700003600;
    m.flags = MANIFEST_PRIVATE;
    strcpy(m.title, "caf\xc3\xa9");
    m.tracks_len = 2;
    m.tracks[0] = (struct track){.kind = TRACK_VIDEO,
                                 .codec = "avc1.64001f",
                                 .bitrate_bps = 2500000,
                                 .width = 1280,
                                 .height = 720,
                                 .fps_num = 30000,
                                 .fps_den = 1001,
                                 .init_len = 3,
                                 .init = {7, 8, 9}};
    m.tracks[1] = (struct track){.kind = TRACK_AUDIO,
                                 .codec = "mp4a.40.2",
                                 .bitrate_bps = 128000,
                                 .sample_rate = 48000,
                                 .channels = 2,
                                 .init_len = 1,
                                 .init = {1}};
    return m;
}

static size_t encode(struct manifest *m, uint8_t *ret) {
    int len = manifest_sign(m, &channel, ret, MANIFEST_SIZE_MAX);
    cr_assert_gt(len, 0);
    return (size_t)len;
}

/* Signs the bytes again after a test has changed them, so that the decoder is what refuses. */
static void sign_again(uint8_t *data, size_t len) {
    size_t signed_len = len - SIGNATURE_BYTES;
    sign_message(&channel, MANIFEST_CONTEXT, data, signed_len, data + signed_len);
}

static int open_exactly(const uint8_t *data, size_t len) {
    static struct manifest got, before;
    memset(&got, 0xaa, sizeof got);
    memset(&before, 0xaa, sizeof before);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data, len);
    int err = manifest_open(copy, len, &channel.public, &got);
    if (err) cr_assert_eq(memcmp(&got, &before, sizeof got), 0, "the struct was changed");
    free(copy);
    return err;
}

Test(manifest, comes_back_as_it_was_signed) {
    struct manifest m = sample(), got;
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    cr_assert_eq(manifest_open(data, len, &channel.public, &got), 0);
    cr_assert_eq(got.broadcast, m.broadcast);
    cr_assert_eq(got.version, m.version);
    cr_assert(public_key_equal(&got.broadcast_key, &m.broadcast_key));
    cr_assert_eq(got.expires_s, m.expires_s);
    cr_assert_eq(got.flags, m.flags);
    cr_assert_str_eq(got.title, m.title);
    cr_assert_arr_eq(got.delegation, m.delegation, SIGNATURE_BYTES);
    cr_assert_eq(got.tracks_len, m.tracks_len);
    for (size_t i = 0; i < m.tracks_len; i++) {
        const struct track *a = &m.tracks[i], *b = &got.tracks[i];
        cr_assert_eq(b->kind, a->kind);
        cr_assert_str_eq(b->codec, a->codec);
        cr_assert_eq(b->bitrate_bps, a->bitrate_bps);
        cr_assert_eq(b->width, a->width);
        cr_assert_eq(b->height, a->height);
        cr_assert_eq(b->fps_num, a->fps_num);
        cr_assert_eq(b->fps_den, a->fps_den);
        cr_assert_eq(b->sample_rate, a->sample_rate);
        cr_assert_eq(b->channels, a->channels);
        cr_assert_eq(b->init_len, a->init_len);
        cr_assert_arr_eq(b->init, a->init, a->init_len);
    }
}

Test(manifest, starts_with_its_version_and_refuses_others) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    cr_assert_eq(data[0], 1);
    for (unsigned version = 0; version < 256; version++) {
        data[0] = (uint8_t)version;
        sign_again(data, len);
        cr_assert_eq(open_exactly(data, len), version == 1 ? 0 : ERR_VERSION);
    }
}

Test(manifest, is_refused_when_cut_at_any_byte_or_longer_by_one) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_eq(open_exactly(data, cut), ERR_TRUNCATED, "cut at %zu", cut);
    data[len] = 0;
    cr_assert_eq(open_exactly(data, len + 1), ERR_TRAILING);
}

Test(manifest, is_refused_when_longer_than_its_maximum) {
    static const uint8_t data[MANIFEST_SIZE_MAX + 1] = {1};
    cr_assert_eq(open_exactly(data, sizeof data), ERR_RANGE);
}

Test(manifest, is_refused_with_any_bit_changed) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_lt(open_exactly(data, len), 0, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(open_exactly(data, len), 0);
}

Test(manifest, is_refused_under_another_channel) {
    struct manifest m = sample(), got;
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    cr_assert_eq(manifest_open(data, len, &stranger.public, &got), ERR_SIGNATURE);
    cr_assert_eq(manifest_open(data, len, &broadcast.public, &got), ERR_SIGNATURE);
}

Test(manifest, is_refused_with_a_delegation_that_is_not_the_channels) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    delegation_sign(&stranger, m.broadcast, &m.broadcast_key, m.expires_s,
                    data + len - 2 * SIGNATURE_BYTES);
    sign_again(data, len);
    cr_assert_eq(open_exactly(data, len), ERR_SIGNATURE);
}

/* What manifest_open must not take, manifest_sign must not write. */
#define EXPECT_NOT_SIGNED(change)                                                                  \
    do {                                                                                           \
        struct manifest m = sample();                                                              \
        uint8_t data[MANIFEST_SIZE_MAX];                                                           \
        change;                                                                                    \
        cr_assert_eq(manifest_sign(&m, &channel, data, sizeof data), ERR_RANGE, #change);          \
    } while (0)

Test(manifest, is_not_signed_where_it_would_be_refused) {
    EXPECT_NOT_SIGNED(m.version = 0);
    EXPECT_NOT_SIGNED(m.flags = MANIFEST_FLAGS_ALL + 1);
    EXPECT_NOT_SIGNED(m.tracks_len = 0);
    EXPECT_NOT_SIGNED(m.tracks_len = TRACKS_MAX + 1);
    EXPECT_NOT_SIGNED(m.tracks[1].kind = 0);
    EXPECT_NOT_SIGNED(m.tracks[1].kind = TRACK_AUDIO + 1);
    EXPECT_NOT_SIGNED(m.tracks[0].init_len = INIT_SIZE_MAX + 1);
    EXPECT_NOT_SIGNED(m.tracks[0].fps_den = 0);
    EXPECT_NOT_SIGNED(strcpy(m.title, "two\nlines"));
    EXPECT_NOT_SIGNED(strcpy(m.title, "\xff"));
    EXPECT_NOT_SIGNED(memset(m.title, 'a', TITLE_MAX));
    EXPECT_NOT_SIGNED(strcpy(m.tracks[0].codec, "caf\xc3\xa9"));
    EXPECT_NOT_SIGNED(strcpy(m.tracks[0].codec, "\x1b[2J"));
    EXPECT_NOT_SIGNED(memset(m.tracks[0].codec, 'a', CODEC_MAX));
}

/* Offsets in the encoding of sample(). */
enum {
    VERSION_AT = 9,
    FLAGS_AT = 53,
    TITLE_AT = 54, /* its length, then 5 bytes */
    TRACKS_AT = 60,
    KIND_AT = 61,
    CODEC_AT = 62, /* its length, then 11 bytes */
    FPS_DEN_AT = 84,
    INIT_LEN_AT = 91,
};

static void expect_refused(size_t offset, const void *bytes, size_t bytes_len) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    cr_assert_neq(memcmp(data + offset, bytes, bytes_len), 0);
    memcpy(data + offset, bytes, bytes_len);
    sign_again(data, len);
    cr_assert_eq(open_exactly(data, len), ERR_RANGE, "at %zu", offset);
}

Test(manifest, is_refused_with_fields_out_of_range) {
    expect_refused(VERSION_AT, "\0\0\0\0", 4);
    expect_refused(FLAGS_AT, "\2", 1);
    expect_refused(TITLE_AT, "\x80", 1);
    expect_refused(TITLE_AT, "\xff", 1);
    expect_refused(TITLE_AT + 1, "\n", 1);
    expect_refused(TITLE_AT + 1, "\x80", 1);
    expect_refused(TITLE_AT + 1, "", 1); /* a zero within */
    expect_refused(TRACKS_AT, "\x9", 1);
    expect_refused(KIND_AT, "", 1);
    expect_refused(KIND_AT, "\3", 1);
    expect_refused(CODEC_AT, "\x28", 1);
    expect_refused(CODEC_AT + 1, "\x7f", 1);
    expect_refused(CODEC_AT + 1, "", 1);
    expect_refused(FPS_DEN_AT, "\0\0", 2);
    expect_refused(INIT_LEN_AT, "\x05\xdd", 2);
}

Test(manifest, takes_fields_at_their_limits) {
    struct manifest m = sample(), got;
    uint8_t data[MANIFEST_SIZE_MAX];
    memset(m.title, 'a', TITLE_MAX - 1);
    memset(m.tracks[0].codec, 'b', CODEC_MAX - 1);
    m.tracks[0].init_len = INIT_SIZE_MAX;
    m.tracks[1].codec[0] = '\0';
    m.tracks[1].init_len = 0;
    m.tracks_len = TRACKS_MAX;
    for (size_t i = 2; i < TRACKS_MAX; i++) m.tracks[i] = (struct track){.kind = TRACK_AUDIO};
    m.version = UINT32_MAX;
    m.broadcast = m.expires_s = UINT64_MAX;
    size_t len = encode(&m, data);
    cr_assert_eq(manifest_open(data, len, &channel.public, &got), 0);
    cr_assert_eq(strlen(got.title), TITLE_MAX - 1);
    cr_assert_eq(strlen(got.tracks[0].codec), CODEC_MAX - 1);
    cr_assert_eq(got.tracks[0].init_len, INIT_SIZE_MAX);
    cr_assert_eq(got.tracks_len, TRACKS_MAX);
}

Test(manifest, is_not_written_where_there_is_no_room) {
    struct manifest m = sample();
    uint8_t data[MANIFEST_SIZE_MAX];
    size_t len = encode(&m, data);
    for (size_t capacity = 0; capacity < len; capacity += 7)
        cr_assert_eq(manifest_sign(&m, &channel, data, capacity), ERR_FULL);
    cr_assert_eq(manifest_sign(&m, &channel, data, len - 1), ERR_FULL);
    cr_assert_eq(manifest_sign(&m, &channel, data, len), (int)len);
}

Test(manifest, over_its_maximum_is_not_written_whatever_the_room) {
    struct manifest m = sample();
    static uint8_t data[2 * MANIFEST_SIZE_MAX];
    m.tracks_len = TRACKS_MAX;
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        m.tracks[i].kind = TRACK_VIDEO;
        m.tracks[i].init_len = INIT_SIZE_MAX;
    }
    cr_assert_eq(manifest_sign(&m, &channel, data, sizeof data), ERR_FULL);
}

Test(manifest, is_later_by_broadcast_then_by_version) {
    struct manifest a = sample(), b = sample();
    cr_assert_eq(manifest_compare(&a, &b), 0);
    b.version++;
    cr_assert_lt(manifest_compare(&a, &b), 0);
    cr_assert_gt(manifest_compare(&b, &a), 0);
    a.broadcast++;
    cr_assert_gt(manifest_compare(&a, &b), 0);
    cr_assert_lt(manifest_compare(&b, &a), 0);
}

Test(manifest, delegation_is_for_one_broadcast_key_and_expiry) {
    uint8_t s[SIGNATURE_BYTES];
    delegation_sign(&channel, 7, &broadcast.public, 9, s);
    cr_assert_eq(delegation_verify(&channel.public, 7, &broadcast.public, 9, s), 0);
    cr_assert_eq(delegation_verify(&stranger.public, 7, &broadcast.public, 9, s), ERR_SIGNATURE);
    cr_assert_eq(delegation_verify(&channel.public, 8, &broadcast.public, 9, s), ERR_SIGNATURE);
    cr_assert_eq(delegation_verify(&channel.public, 7, &stranger.public, 9, s), ERR_SIGNATURE);
    cr_assert_eq(delegation_verify(&channel.public, 7, &broadcast.public, 10, s), ERR_SIGNATURE);
    s[0] ^= 1;
    cr_assert_eq(delegation_verify(&channel.public, 7, &broadcast.public, 9, s), ERR_SIGNATURE);
}
