#include "core/base/bytes.h"

#include <string.h>

#include "core/base/err.h"

struct reader reader_init(const void *data, size_t len) {
    const uint8_t *bytes = data;
    return (struct reader){.at = bytes, .end = bytes == NULL ? NULL : bytes + len};
}

void reader_fail(struct reader *r, int err) {
    if (!r->err) r->err = err;
}

const uint8_t *read_view(struct reader *r, size_t len) {
    if (r->err) return NULL;
    if ((size_t)(r->end - r->at) < len) {
        reader_fail(r, ERR_TRUNCATED);
        return NULL;
    }
    const uint8_t *view = r->at;
    r->at += len;
    return view;
}

uint8_t read_u8(struct reader *r) {
    const uint8_t *p = read_view(r, 1);
    return p == NULL ? 0 : *p;
}

uint16_t read_u16(struct reader *r) {
    const uint8_t *p = read_view(r, 2);
    if (p == NULL) return 0;
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t read_u32(struct reader *r) {
    const uint8_t *p = read_view(r, 4);
    return p == NULL ? 0 : load_u32(p);
}

uint64_t read_u64(struct reader *r) {
    const uint8_t *p = read_view(r, 8);
    return p == NULL ? 0 : (uint64_t)load_u32(p) << 32 | load_u32(p + 4);
}

void read_copy(struct reader *r, void *ret, size_t len) {
    const uint8_t *p = read_view(r, len);
    if (len == 0) return;
    if (p == NULL)
        memset(ret, 0, len);
    else
        memcpy(ret, p, len);
}

int reader_finish(const struct reader *r) {
    if (r->err) return r->err;
    return r->at == r->end ? 0 : ERR_TRAILING;
}

struct writer writer_init(void *buffer, size_t capacity) {
    uint8_t *bytes = buffer;
    return (struct writer){.start = bytes, .at = bytes, .end = bytes + capacity};
}

void writer_fail(struct writer *w, int err) {
    if (!w->err) w->err = err;
}

uint8_t *write_space(struct writer *w, size_t len) {
    if (w->err) return NULL;
    if ((size_t)(w->end - w->at) < len) {
        writer_fail(w, ERR_FULL);
        return NULL;
    }
    uint8_t *space = w->at;
    w->at += len;
    return space;
}

void write_u8(struct writer *w, uint8_t v) {
    uint8_t *p = write_space(w, 1);
    if (p != NULL) *p = v;
}

void write_u16(struct writer *w, uint16_t v) {
    uint8_t *p = write_space(w, 2);
    if (p == NULL) return;
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void write_u32(struct writer *w, uint32_t v) {
    uint8_t *p = write_space(w, 4);
    if (p != NULL) store_u32(p, v);
}

void write_u64(struct writer *w, uint64_t v) {
    uint8_t *p = write_space(w, 8);
    if (p == NULL) return;
    store_u32(p, (uint32_t)(v >> 32));
    store_u32(p + 4, (uint32_t)v);
}

void write_bytes(struct writer *w, const void *data, size_t len) {
    uint8_t *p = write_space(w, len);
    if (p != NULL && len > 0) memcpy(p, data, len);
}

void write_zeros(struct writer *w, size_t len) {
    uint8_t *p = write_space(w, len);
    if (p != NULL && len > 0) memset(p, 0, len);
}
