#include "media/cmaf_box.h"

#include "core/base/err.h"

bool box_next(struct reader *parent, struct box *ret) {
    if (reader_left(parent) == 0) return false;
    const uint8_t *start = parent->at;
    uint64_t size = read_u32(parent);
    uint32_t type = read_u32(parent);
    size_t header = 8;
    if (size == 1) {
        size = read_u64(parent);
        header = 16;
    }
    if (size < header) reader_fail(parent, ERR_FORMAT);
    if (parent->err) return false;
    if (size - header > reader_left(parent)) {
        reader_fail(parent, ERR_TRUNCATED);
        return false;
    }
    size_t body_len = (size_t)(size - header);
    const uint8_t *body = read_view(parent, body_len);
    *ret = (struct box){
        .type = type, .start = start, .body = reader_init(body, body_len), .len = (size_t)size};
    return true;
}

int box_find(struct reader parent, uint32_t type, struct box *ret) {
    struct box b;
    while (box_next(&parent, &b)) {
        if (b.type != type) continue;
        *ret = b;
        return 0;
    }
    return parent.err ? parent.err : ERR_NOT_FOUND;
}

int box_find_path(struct reader parent, const uint32_t *path, size_t depth, struct box *ret) {
    struct box b = {.body = parent};
    for (size_t i = 0; i < depth; i++) {
        int err = box_find(b.body, path[i], &b);
        if (err) return err;
    }
    *ret = b;
    return 0;
}
