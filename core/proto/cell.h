/* cell.h - the frame that carries a cell: 8 bytes, then the payload to the end of the datagram.
 *
 * One byte holds 1, the slot (4 bits) and the track (3 bits); then the cell's index (a byte, at
 * most 63), the low 16 bits of the chunk's number, and the head's tag. The receiver takes the
 * number nearest to the newest it knows. Types with the top bit set are cells, so a cell is told
 * from a message by one bit. */
#ifndef CELL_H
#define CELL_H

#include <stdbool.h>

#include "core/base/base.h"

#define CELL_HEADER_BYTES 8
#define CELL_TYPE_BIT 0x80

struct cell {
    uint8_t slot;
    uint8_t track;
    uint8_t index;
    uint32_t number;
    uint32_t head_tag;
    const uint8_t *payload; /* borrowed */
    uint16_t len;
};

static inline bool cell_is(uint8_t type) { return (type & CELL_TYPE_BIT) != 0; }

void cell_write_header(const struct cell *c, uint8_t ret[CELL_HEADER_BYTES]);
/* `ret->number` is the low 16 bits alone. Returns 0, ERR_TRUNCATED (no payload), ERR_FORMAT or
 * ERR_RANGE (payload over CELL_SIZE_MAX, index bits that are reserved). */
MUST_CHECK int cell_read(const void *data, size_t len, struct cell *ret);
/* The number with these low 16 bits that is nearest to `near`. */
uint32_t chunk_number_expand(uint16_t low, uint32_t near);

#endif
