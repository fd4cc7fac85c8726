#include "core/proto/holder.h"

#include <assert.h>
#include <string.h>

#include "core/base/err.h"
#include "core/proto/manifest.h"

#define RECORD_VERSION 1

/* Encoded, without the version. A record of another size cannot be of this version. */
#define HOLDER_BYTES_MAX                                                                           \
    (PUBLIC_KEY_BYTES + 8 + 8 + 4 + TRACKS_MAX * 5 + 1 + HOLDER_ENDPOINTS_MAX * ENDPOINT_WIRE +    \
     SIGNATURE_BYTES)
#define ENTRY_BYTES_MAX                                                                            \
    (8 + PUBLIC_KEY_BYTES + 8 + SIGNATURE_BYTES + 8 + 1 +                                          \
     ENTRY_HOLDERS_MAX * (PUBLIC_KEY_BYTES + ENDPOINT_WIRE) + SIGNATURE_BYTES)
static_assert(1 + HOLDER_BYTES_MAX <= HOLDER_SIZE_MAX, "every holder record can be written");
static_assert(1 + ENTRY_BYTES_MAX <= ENTRY_SIZE_MAX, "every entry record can be written");

struct record_key holder_record_key(const struct public_key *channel, uint64_t epoch) {
    uint8_t text[PUBLIC_KEY_BYTES + 8];
    struct writer w = writer_init(text, sizeof text);
    write_bytes(&w, channel->bytes, PUBLIC_KEY_BYTES);
    write_u64(&w, epoch);
    assert(w.err == 0 && writer_room(&w) == 0);
    struct record_key key;
    hash_context(key.bytes, sizeof key.bytes, "shoal holder key 1", text, sizeof text);
    return key;
}

struct record_key entry_record_key(const struct public_key *channel) {
    struct record_key key;
    hash_context(key.bytes, sizeof key.bytes, "shoal entry key 1", channel->bytes,
                 PUBLIC_KEY_BYTES);
    return key;
}

struct signed_record {
    uint8_t bytes[RECORD_KEY_BYTES + ENTRY_SIZE_MAX];
    size_t len;
};

static void join_record(struct signed_record *s, const struct record_key *key, const void *data,
                        size_t len) {
    assert(len <= ENTRY_SIZE_MAX);
    memcpy(s->bytes, key->bytes, RECORD_KEY_BYTES);
    memcpy(s->bytes + RECORD_KEY_BYTES, data, len);
    s->len = RECORD_KEY_BYTES + len;
}

/* Appends the signature to what `w` holds. Returns the record's length, or the writer's error. */
static int finish_record(struct writer *w, const char *context, const struct record_key *key,
                         const struct sign_key *signer) {
    size_t len = writer_len(w);
    uint8_t *signature = write_space(w, SIGNATURE_BYTES);
    if (w->err) return w->err;
    struct signed_record s;
    join_record(&s, key, w->start, len);
    sign_message(signer, context, s.bytes, s.len, signature);
    return (int)writer_len(w);
}

/* `len` is that of a record which was decoded: within the bounds, with room for a signature. */
static int verify_record(const uint8_t *data, size_t len, const char *context,
                         const struct record_key *key, const struct public_key *signer) {
    struct signed_record s;
    join_record(&s, key, data, len - SIGNATURE_BYTES);
    return sign_verify(signer, context, s.bytes, s.len, data + len - SIGNATURE_BYTES);
}

static void read_version(struct reader *r) {
    if (read_u8(r) != RECORD_VERSION) reader_fail(r, ERR_VERSION);
}

static uint8_t read_count(struct reader *r, size_t max) {
    uint8_t count = read_u8(r);
    if (count > max) reader_fail(r, ERR_RANGE);
    return r->err ? 0 : count;
}

static bool holder_is_valid(const struct holder *h) {
    if (h->role < ROLE_SOURCE || h->role > ROLE_RELAY) return false;
    if ((h->flags & ~PEER_FLAGS_ALL) != 0 || h->spare_class > HOLDER_SPARE_CLASS_MAX) return false;
    if (h->tracks_len > TRACKS_MAX || h->endpoints_len > HOLDER_ENDPOINTS_MAX) return false;
    for (size_t i = 0; i < h->tracks_len; i++)
        if (h->tracks[i].track >= TRACKS_MAX) return false;
    for (size_t i = 0; i < h->endpoints_len; i++)
        if (!endpoint_is_usable(&h->endpoints[i])) return false;
    return true;
}

static void holder_write(struct writer *w, const struct holder *h) {
    write_u8(w, RECORD_VERSION);
    write_bytes(w, h->peer.bytes, PUBLIC_KEY_BYTES);
    write_u64(w, h->issued_s);
    write_u64(w, h->broadcast);
    write_u8(w, h->role);
    write_u8(w, h->flags);
    write_u8(w, h->spare_class);
    write_u8(w, h->tracks_len);
    for (size_t i = 0; i < h->tracks_len; i++) {
        write_u8(w, h->tracks[i].track);
        write_u32(w, h->tracks[i].from);
    }
    write_u8(w, h->endpoints_len);
    for (size_t i = 0; i < h->endpoints_len; i++) endpoint_write(w, &h->endpoints[i]);
}

static void holder_read(struct reader *r, struct holder *h) {
    read_version(r);
    read_copy(r, h->peer.bytes, PUBLIC_KEY_BYTES);
    h->issued_s = read_u64(r);
    h->broadcast = read_u64(r);
    h->role = read_u8(r);
    h->flags = read_u8(r);
    h->spare_class = read_u8(r);
    h->tracks_len = read_count(r, TRACKS_MAX);
    for (size_t i = 0; i < h->tracks_len; i++) {
        h->tracks[i].track = read_u8(r);
        h->tracks[i].from = read_u32(r);
    }
    h->endpoints_len = read_count(r, HOLDER_ENDPOINTS_MAX);
    for (size_t i = 0; i < h->endpoints_len; i++) endpoint_read(r, &h->endpoints[i]);
}

int holder_sign(const struct holder *h, const struct record_key *key,
                const struct sign_key *peer_key, uint8_t *ret, size_t capacity) {
    assert(public_key_equal(&h->peer, &peer_key->public));
    if (!holder_is_valid(h)) return ERR_RANGE;
    struct writer w = writer_init(ret, capacity);
    holder_write(&w, h);
    return finish_record(&w, HOLDER_CONTEXT, key, peer_key);
}

int holder_open(const void *data, size_t len, const struct record_key *key, struct holder *ret) {
    struct reader r = reader_init(data, len);
    struct holder h;
    memset(&h, 0, sizeof h);
    holder_read(&r, &h);
    if (read_view(&r, SIGNATURE_BYTES) == NULL) return r.err;
    int err = reader_finish(&r);
    if (err) return err;
    if (!holder_is_valid(&h)) return ERR_RANGE;
    err = verify_record(data, len, HOLDER_CONTEXT, key, &h.peer);
    if (!err) *ret = h;
    return err;
}

static bool entry_is_valid(const struct entry *e) {
    if (e->holders_len > ENTRY_HOLDERS_MAX) return false;
    for (size_t i = 0; i < e->holders_len; i++)
        if (!endpoint_is_usable(&e->holders[i].endpoint)) return false;
    return true;
}

static void entry_write(struct writer *w, const struct entry *e) {
    write_u8(w, RECORD_VERSION);
    write_u64(w, e->broadcast);
    write_bytes(w, e->broadcast_key.bytes, PUBLIC_KEY_BYTES);
    write_u64(w, e->expires_s);
    write_bytes(w, e->delegation, SIGNATURE_BYTES);
    write_u64(w, e->issued_s);
    write_u8(w, e->holders_len);
    for (size_t i = 0; i < e->holders_len; i++) {
        write_bytes(w, e->holders[i].peer.bytes, PUBLIC_KEY_BYTES);
        endpoint_write(w, &e->holders[i].endpoint);
    }
}

static void entry_read(struct reader *r, struct entry *e) {
    read_version(r);
    e->broadcast = read_u64(r);
    read_copy(r, e->broadcast_key.bytes, PUBLIC_KEY_BYTES);
    e->expires_s = read_u64(r);
    read_copy(r, e->delegation, SIGNATURE_BYTES);
    e->issued_s = read_u64(r);
    e->holders_len = read_count(r, ENTRY_HOLDERS_MAX);
    for (size_t i = 0; i < e->holders_len; i++) {
        read_copy(r, e->holders[i].peer.bytes, PUBLIC_KEY_BYTES);
        endpoint_read(r, &e->holders[i].endpoint);
    }
}

int entry_sign(const struct entry *e, const struct public_key *channel,
               const struct sign_key *broadcast_key, uint8_t *ret, size_t capacity) {
    assert(public_key_equal(&e->broadcast_key, &broadcast_key->public));
    if (!entry_is_valid(e)) return ERR_RANGE;
    struct record_key key = entry_record_key(channel);
    struct writer w = writer_init(ret, capacity);
    entry_write(&w, e);
    return finish_record(&w, ENTRY_CONTEXT, &key, broadcast_key);
}

int entry_open(const void *data, size_t len, const struct public_key *channel, struct entry *ret) {
    struct reader r = reader_init(data, len);
    struct entry e;
    memset(&e, 0, sizeof e);
    entry_read(&r, &e);
    if (read_view(&r, SIGNATURE_BYTES) == NULL) return r.err;
    int err = reader_finish(&r);
    if (err) return err;
    if (!entry_is_valid(&e)) return ERR_RANGE;
    err = delegation_verify(channel, e.broadcast, &e.broadcast_key, e.expires_s, e.delegation);
    if (err) return err;
    struct record_key key = entry_record_key(channel);
    err = verify_record(data, len, ENTRY_CONTEXT, &key, &e.broadcast_key);
    if (!err) *ret = e;
    return err;
}
