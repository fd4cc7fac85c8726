/* network_parcel.h - datagrams on their way: written once by the sender, read in place by the
 * receiver.
 *
 * Buffers of three sizes, kept in blocks and used again, the last one first: it is still in the
 * cache. With AddressSanitizer what lies behind a datagram's end is poisoned, and so is a buffer
 * that is free. */
#ifndef NETWORK_PARCEL_H
#define NETWORK_PARCEL_H

#include "core/base/endpoint.h"

#define NETWORK_PARCEL_SIZES 3
#define NETWORK_PARCEL_BLOCK 4096        /* parcels that are allocated together */
#define NETWORK_PARCEL_BLOCKS_MAX 65536u /* of one size: 400 GB of the largest */

struct network_parcel {
    uint32_t index;
    uint32_t next; /* of a list that it stands in */
    uint16_t len;
    struct endpoint peer; /* whom it comes from */
    uint8_t data[];
};

struct network_parcels {
    struct {
        uint8_t **blocks;
        uint32_t blocks_len, blocks_max;
        uint32_t fresh; /* parcels of the blocks that were ever used */
        uint32_t free;  /* a list of those that are free: index + 1, 0 ends it */
    } sizes[NETWORK_PARCEL_SIZES];
};

void network_parcels_release(struct network_parcels *p);
/* Room for `capacity` bytes, at most DATAGRAM_MAX. */
struct network_parcel *network_parcel_new(struct network_parcels *p, size_t capacity);
struct network_parcel *network_parcel_at(const struct network_parcels *p, uint32_t index);
/* It has its length: moved to a smaller buffer where it fits one. */
struct network_parcel *network_parcel_seal(struct network_parcels *p, struct network_parcel *parcel,
                                           size_t len);
void network_parcel_free(struct network_parcels *p, struct network_parcel *parcel);

#endif
