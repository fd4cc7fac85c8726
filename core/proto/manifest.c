#include "core/proto/manifest.h"

#include <assert.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/proto/text.h"

#define MANIFEST_VERSION 1
#define DELEGATION_BYTES (8 + PUBLIC_KEY_BYTES + 8)

static_assert(MANIFEST_SIZE_MAX <= SIGN_MESSAGE_MAX, "a manifest is signed in one piece");

static void delegation_bytes(uint64_t broadcast, const struct public_key *broadcast_key,
                             uint64_t expires_s, uint8_t ret[DELEGATION_BYTES]) {
    struct writer w = writer_init(ret, DELEGATION_BYTES);
    write_u64(&w, broadcast);
    write_bytes(&w, broadcast_key->bytes, PUBLIC_KEY_BYTES);
    write_u64(&w, expires_s);
    assert(w.err == 0 && writer_room(&w) == 0);
}

void delegation_sign(const struct sign_key *channel_key, uint64_t broadcast,
                     const struct public_key *broadcast_key, uint64_t expires_s,
                     uint8_t ret[SIGNATURE_BYTES]) {
    uint8_t bytes[DELEGATION_BYTES];
    delegation_bytes(broadcast, broadcast_key, expires_s, bytes);
    sign_message(channel_key, DELEGATION_CONTEXT, bytes, sizeof bytes, ret);
}

int delegation_verify(const struct public_key *channel, uint64_t broadcast,
                      const struct public_key *broadcast_key, uint64_t expires_s,
                      const uint8_t signature[SIGNATURE_BYTES]) {
    uint8_t bytes[DELEGATION_BYTES];
    delegation_bytes(broadcast, broadcast_key, expires_s, bytes);
    return sign_verify(channel, DELEGATION_CONTEXT, bytes, sizeof bytes, signature);
}

/* A byte with the length, then the text without its zero. */
static void write_text(struct writer *w, const char *text, size_t size) {
    size_t len = strnlen(text, size);
    write_u8(w, (uint8_t)len);
    write_bytes(w, text, len);
}

/* `ret` is zeroed and has `size` bytes, the last of which stays zero. A zero within would end the
 * text early and give it a second encoding. */
static void read_text(struct reader *r, char *ret, size_t size) {
    size_t len = read_u8(r);
    if (len >= size) reader_fail(r, ERR_RANGE);
    const uint8_t *text = read_view(r, len);
    if (text == NULL) return;
    if (memchr(text, '\0', len) != NULL) reader_fail(r, ERR_RANGE);
    memcpy(ret, text, len);
}

static void write_track(struct writer *w, const struct track *t) {
    write_u8(w, t->kind);
    write_text(w, t->codec, sizeof t->codec);
    write_u32(w, t->bitrate_bps);
    write_u16(w, t->width);
    write_u16(w, t->height);
    write_u16(w, t->fps_num);
    write_u16(w, t->fps_den);
    write_u32(w, t->sample_rate);
    write_u8(w, t->channels);
    write_u16(w, t->init_len);
    write_bytes(w, t->init, t->init_len);
}

static void read_track(struct reader *r, struct track *t) {
    t->kind = read_u8(r);
    read_text(r, t->codec, sizeof t->codec);
    t->bitrate_bps = read_u32(r);
    t->width = read_u16(r);
    t->height = read_u16(r);
    t->fps_num = read_u16(r);
    t->fps_den = read_u16(r);
    t->sample_rate = read_u32(r);
    t->channels = read_u8(r);
    t->init_len = read_u16(r);
    if (t->init_len > sizeof t->init)
        reader_fail(r, ERR_RANGE);
    else
        read_copy(r, t->init, t->init_len);
}

static void write_fields(struct writer *w, const struct manifest *m) {
    write_u8(w, MANIFEST_VERSION);
    write_u64(w, m->broadcast);
    write_u32(w, m->version);
    write_bytes(w, m->broadcast_key.bytes, PUBLIC_KEY_BYTES);
    write_u64(w, m->expires_s);
    write_u8(w, m->flags);
    write_text(w, m->title, sizeof m->title);
    write_u8(w, m->tracks_len);
    for (size_t i = 0; i < m->tracks_len; i++) write_track(w, &m->tracks[i]);
    write_bytes(w, m->delegation, SIGNATURE_BYTES);
}

static void read_fields(struct reader *r, struct manifest *m) {
    m->broadcast = read_u64(r);
    m->version = read_u32(r);
    read_copy(r, m->broadcast_key.bytes, PUBLIC_KEY_BYTES);
    m->expires_s = read_u64(r);
    m->flags = read_u8(r);
    read_text(r, m->title, sizeof m->title);
    m->tracks_len = read_u8(r);
    if (m->tracks_len > TRACKS_MAX) reader_fail(r, ERR_RANGE);
    for (size_t i = 0; r->err == 0 && i < m->tracks_len; i++) read_track(r, &m->tracks[i]);
    read_copy(r, m->delegation, SIGNATURE_BYTES);
}

static bool track_is_valid(const struct track *t) {
    size_t codec_len = strnlen(t->codec, sizeof t->codec);
    if (t->kind != TRACK_VIDEO && t->kind != TRACK_AUDIO) return false;
    if (codec_len == sizeof t->codec || !text_is_ascii(t->codec, codec_len)) return false;
    if (t->fps_den == 0 && t->fps_num != 0) return false; /* 0/0 says that it is not known */
    return t->init_len <= sizeof t->init;
}

static bool manifest_is_valid(const struct manifest *m) {
    size_t title_len = strnlen(m->title, sizeof m->title);
    if (m->version == 0 || (m->flags & ~MANIFEST_FLAGS_ALL) != 0) return false;
    if (title_len == sizeof m->title || !text_is_utf8(m->title, title_len)) return false;
    if (m->tracks_len < 1 || m->tracks_len > TRACKS_MAX) return false;
    for (size_t i = 0; i < m->tracks_len; i++)
        if (!track_is_valid(&m->tracks[i])) return false;
    return true;
}

int manifest_sign(struct manifest *m, const struct sign_key *channel_key, uint8_t *ret,
                  size_t capacity) {
    if (!manifest_is_valid(m)) return ERR_RANGE;
    delegation_sign(channel_key, m->broadcast, &m->broadcast_key, m->expires_s, m->delegation);
    struct writer w = writer_init(ret, size_min(capacity, MANIFEST_SIZE_MAX));
    write_fields(&w, m);
    size_t signed_len = writer_len(&w);
    uint8_t *signature = write_space(&w, SIGNATURE_BYTES);
    if (w.err) return w.err;
    sign_message(channel_key, MANIFEST_CONTEXT, ret, signed_len, signature);
    return (int)writer_len(&w);
}

int manifest_open(const void *data, size_t len, const struct public_key *channel,
                  struct manifest *ret) {
    if (len > MANIFEST_SIZE_MAX) return ERR_RANGE;
    struct reader r = reader_init(data, len);
    uint8_t version = read_u8(&r);
    if (r.err == 0 && version != MANIFEST_VERSION) return ERR_VERSION;
    struct manifest m;
    memset(&m, 0, sizeof m);
    read_fields(&r, &m);
    const uint8_t *signature = read_view(&r, SIGNATURE_BYTES);
    int err = reader_finish(&r);
    if (err) return err;
    if (!manifest_is_valid(&m)) return ERR_RANGE;
    err = sign_verify(channel, MANIFEST_CONTEXT, data, len - SIGNATURE_BYTES, signature);
    if (err) return err;
    err = delegation_verify(channel, m.broadcast, &m.broadcast_key, m.expires_s, m.delegation);
    if (!err) *ret = m;
    return err;
}

int manifest_compare(const struct manifest *a, const struct manifest *b) {
    if (a->broadcast != b->broadcast) return a->broadcast < b->broadcast ? -1 : 1;
    return (a->version > b->version) - (a->version < b->version);
}
