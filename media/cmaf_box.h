/* cmaf_box.h - walking the boxes of an ISO base media file (ISO/IEC 14496-12, 4.2) that lies in
 * memory. Bytes come from strangers: a box never reaches beyond its parent, and the reader's error
 * sticks. Boxes that extend "to the end of the file" (size 0) do not occur in CMAF and are refused.
 */
#ifndef CMAF_BOX_H
#define CMAF_BOX_H

#include "core/base/bytes.h"

#define BOX_TYPE(a, b, c, d)                                                                       \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct box {
    uint32_t type;
    const uint8_t *start; /* of the header */
    struct reader body;   /* behind the header */
    size_t len;           /* with the header */
};

/* The next box of `parent`; false at its end and on an error, which sticks in `parent`. */
bool box_next(struct reader *parent, struct box *ret);
/* The first box of that type inside `parent` (a copy: the caller's reader stays where it is).
 * Returns 0, ERR_NOT_FOUND, ERR_TRUNCATED or ERR_FORMAT. */
MUST_CHECK int box_find(struct reader parent, uint32_t type, struct box *ret);
/* The box at the end of a path of types, `depth` of them. Errors as box_find. */
MUST_CHECK int box_find_path(struct reader parent, const uint32_t *path, size_t depth,
                             struct box *ret);

#endif
