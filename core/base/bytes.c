#include "core/base/bytes.h"

#include <string.h>

#include "core/base/err.h"

struct reader reader_init(const void *data, size_t len) {
    const uint8_t *bytes = data;
    return (struct reader){.at = bytes, .end = bytes == NULL ? NULL : bytes + len};
}

size_t reader_left(const struct reader *r) { return r->err ? 0 : (size_t)(r->end - r->at); }

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

static uint64_t read_number(struct reader *r, size_t len) {
    const uint8_t *p = read_view(r, len);
    uint64_t v = 0;
    for (size_t i = 0; p != NULL && i < len; i++) v = v << 8 | p[i];
    return v;
}

uint8_t read_u8(struct reader *r) { return (uint8_t)read_number(r, 1); }
uint16_t read_u16(struct reader *r) { return (uint16_t)read_number(r, 2); }
uint32_t read_u32(struct reader *r) { return (uint32_t)read_number(r, 4); }
uint64_t read_u64(struct reader *r) { return read_number(r, 8); }

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

static void write_number(struct writer *w, uint64_t v, size_t len) {
    uint8_t *p = write_space(w, len);
    for (size_t i = 0; p != NULL && i < len; i++) p[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

void write_u8(struct writer *w, uint8_t v) { write_number(w, v, 1); }
void write_u16(struct writer *w, uint16_t v) { write_number(w, v, 2); }
void write_u32(struct writer *w, uint32_t v) { write_number(w, v, 4); }
void write_u64(struct writer *w, uint64_t v) { write_number(w, v, 8); }

void write_bytes(struct writer *w, const void *data, size_t len) {
    uint8_t *p = write_space(w, len);
    if (p != NULL && len > 0) memcpy(p, data, len);
}

void write_zeros(struct writer *w, size_t len) {
    uint8_t *p = write_space(w, len);
    if (p != NULL && len > 0) memset(p, 0, len);
}

size_t writer_len(const struct writer *w) { return (size_t)(w->at - w->start); }
size_t writer_room(const struct writer *w) { return w->err ? 0 : (size_t)(w->end - w->at); }
