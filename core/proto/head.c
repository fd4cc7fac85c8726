#include "core/proto/head.h"

#include <assert.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define FIXED_BYTES 47

static_assert(FIXED_BYTES + CHUNK_CELLS_MAX * HASH_CELL_BYTES + SIGNATURE_BYTES == HEAD_SIZE_MAX,
              "limits.h knows the encoding's length");

uint32_t head_cells(const struct head *h) { return (h->size + h->cell_size - 1) / h->cell_size; }

uint32_t head_cell_len(const struct head *h, uint32_t index) {
    uint32_t cells = head_cells(h);
    assert(index < cells);
    return index + 1 < cells ? h->cell_size : h->size - index * h->cell_size;
}

uint64_t head_all_cells(const struct head *h) {
    uint32_t cells = head_cells(h);
    return cells == 0 ? 0 : UINT64_MAX >> (CHUNK_CELLS_MAX - cells);
}

static bool head_is_valid(const struct head *h) {
    if (h->number > HEAD_NUMBER_MAX) return false;
    if (h->track >= TRACKS_MAX || (h->flags & ~HEAD_FLAGS_ALL) != 0) return false;
    if (h->cell_size < 1 || h->cell_size > CELL_SIZE_MAX) return false;
    if (h->size > CHUNK_CELLS_MAX * (uint32_t)h->cell_size) return false;
    if ((h->size == 0) != ((h->flags & HEAD_END) != 0)) return false;
    return h->random_access <= h->number && h->duration_us <= HEAD_DURATION_MAX_US;
}

static void write_fields(struct writer *w, const struct head *h) {
    write_u64(w, h->broadcast);
    write_u32(w, h->number);
    write_u8(w, h->track);
    write_u8(w, h->flags);
    write_u8(w, h->init);
    write_u16(w, h->random_access);
    write_u64(w, h->pts_us);
    write_u32(w, h->duration_us);
    write_u64(w, h->capture_us);
    write_u32(w, h->manifest_version);
    write_u32(w, h->size);
    write_u16(w, h->cell_size);
    write_bytes(w, h->hashes, head_cells(h) * (size_t)HASH_CELL_BYTES);
}

static void read_fixed(struct reader *r, struct head *h) {
    h->broadcast = read_u64(r);
    h->number = read_u32(r);
    h->track = read_u8(r);
    h->flags = read_u8(r);
    h->init = read_u8(r);
    h->random_access = read_u16(r);
    h->pts_us = read_u64(r);
    h->duration_us = read_u32(r);
    h->capture_us = read_u64(r);
    h->manifest_version = read_u32(r);
    h->size = read_u32(r);
    h->cell_size = read_u16(r);
}

int head_sign(struct head *h, const struct sign_key *broadcast_key, uint8_t *ret, size_t capacity) {
    if (!head_is_valid(h)) return ERR_RANGE;
    struct writer w = writer_init(ret, capacity);
    write_fields(&w, h);
    size_t signed_len = writer_len(&w);
    uint8_t *signature = write_space(&w, SIGNATURE_BYTES);
    if (w.err) return w.err;
    sign_message(broadcast_key, HEAD_CONTEXT, ret, signed_len, h->signature);
    memcpy(signature, h->signature, SIGNATURE_BYTES);
    return (int)writer_len(&w);
}

int head_decode(const void *data, size_t len, struct head *ret) {
    struct reader r = reader_init(data, len);
    struct head h;
    memset(&h, 0, sizeof h);
    read_fixed(&r, &h);
    if (r.err) return r.err;
    if (!head_is_valid(&h)) return ERR_RANGE;
    read_copy(&r, h.hashes, head_cells(&h) * (size_t)HASH_CELL_BYTES);
    read_copy(&r, h.signature, sizeof h.signature);
    int err = reader_finish(&r);
    if (!err) *ret = h;
    return err;
}

int head_verify(const void *data, size_t len, const struct public_key *broadcast_key) {
    if (len < SIGNATURE_BYTES || len > HEAD_SIZE_MAX) return ERR_SIGNATURE;
    size_t signed_len = len - SIGNATURE_BYTES;
    return sign_verify(broadcast_key, HEAD_CONTEXT, data, signed_len,
                       (const uint8_t *)data + signed_len);
}

uint32_t head_tag(const void *data, size_t len) {
    uint8_t hash[16];
    size_t signed_len = len < SIGNATURE_BYTES ? 0 : len - SIGNATURE_BYTES;
    hash_context(hash, sizeof hash, "shoal head tag 1", data, signed_len);
    return load_u32(hash);
}

int head_check_cell(const struct head *h, uint32_t index, const void *payload, size_t len) {
    if (index >= head_cells(h) || len != head_cell_len(h, index)) return ERR_RANGE;
    uint8_t hash[HASH_CELL_BYTES];
    hash_cell(hash, payload, len);
    return hash_equal(hash, h->hashes[index], sizeof hash) ? 0 : ERR_HASH;
}
