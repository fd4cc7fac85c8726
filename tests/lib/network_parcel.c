#include "tests/lib/network_parcel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/network_memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAS_ASAN)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define SIZE_SHIFT 28 /* an index is the size's number above this, and its own below */

static const uint32_t bytes_of[NETWORK_PARCEL_SIZES] = {128, 512, 1536};

_Static_assert(sizeof(struct network_parcel) + DATAGRAM_MAX <= 1536, "the largest fits");
_Static_assert(NETWORK_PARCEL_BLOCKS_MAX <= (1u << SIZE_SHIFT) / NETWORK_PARCEL_BLOCK, "an index");

static size_t room(unsigned size) { return bytes_of[size] - sizeof(struct network_parcel); }

static unsigned size_for(size_t capacity) {
    unsigned size = 0;
    while (room(size) < capacity) size++;
    return size;
}

void network_parcels_release(struct network_parcels *p) {
    for (unsigned size = 0; size < NETWORK_PARCEL_SIZES; size++) {
        for (uint32_t i = 0; i < p->sizes[size].blocks_len; i++) {
            uint8_t *block = p->sizes[size].blocks[i];
            ASAN_UNPOISON_MEMORY_REGION(block, (size_t)NETWORK_PARCEL_BLOCK * bytes_of[size]);
            free(block);
        }
        free(p->sizes[size].blocks);
    }
}

struct network_parcel *network_parcel_at(const struct network_parcels *p, uint32_t index) {
    unsigned size = index >> SIZE_SHIFT;
    uint32_t number = index & ((1u << SIZE_SHIFT) - 1);
    uint8_t *block = p->sizes[size].blocks[number / NETWORK_PARCEL_BLOCK];
    return (struct network_parcel *)(void *)(block + (size_t)(number % NETWORK_PARCEL_BLOCK) *
                                                         bytes_of[size]);
}

static void block_add(struct network_parcels *p, unsigned size) {
    uint32_t len = p->sizes[size].blocks_len, max = p->sizes[size].blocks_max;
    if (len == max) {
        assert(max < NETWORK_PARCEL_BLOCKS_MAX);
        uint32_t more = max ? 2 * max : 16;
        p->sizes[size].blocks = network_memory_grow(p->sizes[size].blocks, max * sizeof(uint8_t *),
                                                    more * sizeof(uint8_t *));
        p->sizes[size].blocks_max = more;
    }
    uint8_t *block = network_block((size_t)NETWORK_PARCEL_BLOCK * bytes_of[size]);
    p->sizes[size].blocks[len] = block;
    p->sizes[size].blocks_len++;
}

struct network_parcel *network_parcel_new(struct network_parcels *p, size_t capacity) {
    assert(capacity <= DATAGRAM_MAX);
    unsigned size = size_for(capacity);
    struct network_parcel *parcel;
    if (p->sizes[size].free != 0) {
        parcel = network_parcel_at(p, p->sizes[size].free - 1);
        p->sizes[size].free = parcel->next;
    } else {
        uint32_t number = p->sizes[size].fresh++;
        if (number == p->sizes[size].blocks_len * NETWORK_PARCEL_BLOCK) block_add(p, size);
        uint32_t index = size << SIZE_SHIFT | number;
        parcel = network_parcel_at(p, index);
        parcel->index = index;
    }
    ASAN_UNPOISON_MEMORY_REGION(parcel->data, room(size));
    return parcel;
}

struct network_parcel *network_parcel_seal(struct network_parcels *p, struct network_parcel *parcel,
                                           size_t len) {
    unsigned size = size_for(len);
    if (size < parcel->index >> SIZE_SHIFT) {
        struct network_parcel *smaller = network_parcel_new(p, len);
        memcpy(smaller->data, parcel->data, len);
        network_parcel_free(p, parcel);
        parcel = smaller;
    }
    parcel->len = (uint16_t)len;
    ASAN_POISON_MEMORY_REGION(parcel->data + len, room(size) - len);
    return parcel;
}

void network_parcel_free(struct network_parcels *p, struct network_parcel *parcel) {
    unsigned size = parcel->index >> SIZE_SHIFT;
    parcel->next = p->sizes[size].free;
    p->sizes[size].free = parcel->index + 1;
    ASAN_POISON_MEMORY_REGION(parcel->data, room(size));
}
