/* head.h - the signed header of a chunk, from which each of its cells is verified alone.
 *
 * A chunk is (broadcast, track, number from 0): one CMAF fragment, or a part of a large one. Its
 * payload is cut into cells of `cell_size` bytes, the last one shorter. The head carries a hash for
 * each cell and the broadcast key's signature over everything before it. */
#ifndef HEAD_H
#define HEAD_H

#include <stdbool.h>

#include "core/base/base.h"
#include "core/crypto/hash.h"
#include "core/crypto/sign.h"
#include "core/proto/limits.h"

#define HEAD_CONTEXT "shoal head 1"
#define HEAD_NUMBER_MAX (UINT32_MAX - 1)     /* so that the number behind it is one too */
#define HEAD_DURATION_MAX_US (10 * US_PER_S) /* of a fragment; a hundred times the usual one */

enum head_flag {
    HEAD_RANDOM_ACCESS = 1 << 0, /* decoding can start with this fragment */
    HEAD_FIRST = 1 << 1,         /* first chunk of its fragment */
    HEAD_LAST = 1 << 2,          /* last chunk of its fragment */
    HEAD_END = 1 << 3,           /* the broadcast ends: no payload, no chunk of the track follows */
    HEAD_FLAGS_ALL = (1 << 4) - 1,
};

struct head {
    uint64_t broadcast; /* UTC ms of its start */
    uint32_t number;
    uint8_t track;
    uint8_t flags;          /* enum head_flag */
    uint8_t init;           /* which initialisation segment of the track applies */
    uint16_t random_access; /* this number minus that of the newest random access chunk at or
                               before it, so that a newcomer finds where to start */
    uint64_t
        pts_us; /* presentation time of the fragment's first frame, from the broadcast's start */
    uint32_t duration_us; /* of the whole fragment */
    uint64_t capture_us;  /* UTC of the capture of its first frame */
    uint32_t manifest_version;
    uint32_t size; /* of this chunk's payload, bytes */
    uint16_t cell_size;
    uint8_t hashes[CHUNK_CELLS_MAX][HASH_CELL_BYTES]; /* head_cells() of them */
    uint8_t signature[SIGNATURE_BYTES];
};

/* Cells in the chunk: size / cell_size, rounded up; 0 for an end. */
uint32_t head_cells(const struct head *h);
/* Payload bytes of cell `index`. */
uint32_t head_cell_len(const struct head *h, uint32_t index);
/* One bit for each cell. */
uint64_t head_all_cells(const struct head *h);

/* Encodes and signs: fills `h->signature`. Returns the length, at most HEAD_SIZE_MAX,
 * ERR_FULL, or ERR_RANGE for what head_decode would refuse. */
MUST_CHECK int head_sign(struct head *h, const struct sign_key *broadcast_key, uint8_t *ret,
                         size_t capacity);
/* Checks everything but the signature. Returns 0, ERR_TRUNCATED, ERR_TRAILING or ERR_RANGE. */
MUST_CHECK int head_decode(const void *data, size_t len, struct head *ret);
/* The signature of an encoded head. Returns 0 or ERR_SIGNATURE. */
MUST_CHECK int head_verify(const void *data, size_t len, const struct public_key *broadcast_key);
/* The 4 bytes by which a cell names its head: of BLAKE2b over the encoded head without signature.
 */
uint32_t head_tag(const void *data, size_t len);
/* Returns 0, ERR_RANGE for an index or length that the head does not have, or ERR_HASH. */
MUST_CHECK int head_check_cell(const struct head *h, uint32_t index, const void *payload,
                               size_t len);

#endif
