#include "core/proto/cell.h"

#include <assert.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/proto/limits.h"

static_assert(SLOTS_MAX == 1 << 4 && TRACKS_MAX == 1 << 3, "slot and track share one byte");
static_assert(CHUNK_CELLS_MAX == 1 << 6, "an index has 6 bits");

void cell_write_header(const struct cell *c, uint8_t ret[CELL_HEADER_BYTES]) {
    assert(c->slot < SLOTS_MAX && c->track < TRACKS_MAX && c->index < CHUNK_CELLS_MAX);
    struct writer w = writer_init(ret, CELL_HEADER_BYTES);
    write_u8(&w, (uint8_t)(CELL_TYPE_BIT | c->slot << 3 | c->track));
    write_u8(&w, c->index);
    write_u16(&w, (uint16_t)c->number);
    write_u32(&w, c->head_tag);
    assert(w.err == 0);
}

int cell_read(const void *data, size_t len, struct cell *ret) {
    struct reader r = reader_init(data, len);
    uint8_t type = read_u8(&r);
    if (r.err == 0 && !cell_is(type)) return ERR_FORMAT;
    struct cell c = {.slot = type >> 3 & (SLOTS_MAX - 1), .track = type & (TRACKS_MAX - 1)};
    c.index = read_u8(&r);
    c.number = read_u16(&r);
    c.head_tag = read_u32(&r);
    if (reader_left(&r) == 0) return ERR_TRUNCATED;
    if (c.index >= CHUNK_CELLS_MAX || reader_left(&r) > CELL_SIZE_MAX) return ERR_RANGE;
    c.len = (uint16_t)reader_left(&r);
    c.payload = read_view(&r, c.len);
    *ret = c;
    return 0;
}

uint32_t chunk_number_expand(uint16_t low, uint32_t near) {
    int64_t distance = (int64_t)low - (uint16_t)near;
    if (distance > INT16_MAX) distance -= 1 << 16;
    if (distance < INT16_MIN) distance += 1 << 16;
    /* Numbers start at 0 and do not wrap: at both ends the nearest one is on the inner side. */
    int64_t number = near + distance;
    if (number < 0) number += 1 << 16;
    if (number > UINT32_MAX) number -= 1 << 16;
    return (uint32_t)number;
}
