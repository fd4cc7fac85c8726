/* message_fields.h - what a field of a message's table (message.h) is in its struct. */
#ifndef MESSAGE_FIELDS_H
#define MESSAGE_FIELDS_H

#include "core/base/endpoint.h"
#include "core/crypto/sign.h"

/* A `bytes` field borrows the buffer that was read, or that the writer's caller owns. */
struct bytes_view {
    const uint8_t *data;
    uint16_t len;
};

#define DECLARE_u8(name) uint8_t name;
#define DECLARE_u16(name) uint16_t name;
#define DECLARE_u32(name) uint32_t name;
#define DECLARE_u64(name) uint64_t name;
#define DECLARE_public_key(name) struct public_key name;
#define DECLARE_endpoint(name) struct endpoint name;
#define DECLARE_bytes(name, max) struct bytes_view name;
#define DECLARE_list(name, item, max)                                                              \
    uint8_t name##_len; /* on the wire: this count, then the items */                              \
    LIST_ITEM_##item name[max];
#define LIST_ITEM_u32 uint32_t
#define LIST_ITEM_peer struct peer_entry
#define LIST_ITEM_ancestry struct ancestry
#define LIST_ITEM_held struct held
#define LIST_ITEM_u8 uint8_t
#define LIST_ITEM_lags struct track_lags
#define DECLARE_FIELD(kind, ...) DECLARE_##kind(__VA_ARGS__)

#endif
