/* bytes.h - reading and writing big-endian fields over a bounded buffer.
 *
 * The first error sticks: later reads give zeros, later writes do nothing, and the caller checks
 * once at the end. A reader never looks past its end, whatever the lengths inside claim. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>

#include "core/base/base.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    int err; /* 0, or the first error */
};

struct writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    int err; /* 0, or ERR_FULL or the first error set by writer_fail */
};

struct reader reader_init(const void *data, size_t len);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* Copies `len` bytes, or zeros after an error. */
void read_copy(struct reader *r, void *ret, size_t len);
/* Borrows `len` bytes of the buffer, or NULL after an error (also where len is 0 then). */
const uint8_t *read_view(struct reader *r, size_t len);
static inline size_t reader_left(const struct reader *r) {
    return r->err ? 0 : (size_t)(r->end - r->at);
}
/* Keeps the first error. */
void reader_fail(struct reader *r, int err);
/* 0, the error that stuck, or ERR_TRAILING where bytes are left. */
MUST_CHECK int reader_finish(const struct reader *r);

struct writer writer_init(void *buffer, size_t capacity);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, const void *data, size_t len);
void write_zeros(struct writer *w, size_t len);
/* Reserves `len` bytes to be filled by the caller; NULL after an error. */
uint8_t *write_space(struct writer *w, size_t len);
static inline size_t writer_len(const struct writer *w) { return (size_t)(w->at - w->start); }
static inline size_t writer_room(const struct writer *w) {
    return w->err ? 0 : (size_t)(w->end - w->at);
}
void writer_fail(struct writer *w, int err);

static inline uint32_t load_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_u32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

#endif
