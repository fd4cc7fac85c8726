/* Every reader of message.h, chosen by the first byte, and that of cells. */
#include "core/proto/cell.h"
#include "core/proto/message.h"
#include "tests/fuzz/fuzz.h"

#define X(name, NAME, type, fields)                                                                \
    static void try_##name(const uint8_t *data, size_t size) {                                     \
        static uint8_t again[MESSAGE_SIZE_MAX];                                                    \
        struct name m;                                                                             \
        if (name##_read(data, size, &m) != 0) return;                                              \
        struct writer w = writer_init(again, sizeof again);                                        \
        name##_write(&w, &m);                                                                      \
        assert(w.err == 0 && writer_len(&w) == size && memcmp(again, data, size) == 0);            \
    }
MESSAGE_LIST(X)
#undef X

static void try_cell(const uint8_t *data, size_t size) {
    uint8_t header[CELL_HEADER_BYTES];
    struct cell c;
    if (cell_read(data, size, &c) != 0) return;
    assert(c.len == size - CELL_HEADER_BYTES && c.payload == data + CELL_HEADER_BYTES);
    cell_write_header(&c, header);
    assert(memcmp(header, data, sizeof header) == 0);
    uint32_t number = chunk_number_expand((uint16_t)c.number, c.head_tag);
    assert((uint16_t)number == c.number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0 && cell_is(data[0])) try_cell(data, size);
#define X(name, NAME, type, fields)                                                                \
    if (size > 0 && data[0] == MESSAGE_##NAME) try_##name(data, size);
    MESSAGE_LIST(X)
#undef X
    return 0;
}
