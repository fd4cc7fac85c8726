/* message.h - the swarm's messages: what two neighbours tell each other about a channel.
 *
 * One table a message, in wire order: its struct, writer and reader come from the table, and so do
 * the round-trip tests and fuzz seeds. All numbers are big-endian. A message starts with its type;
 * most go on with the slot, the number that the *sender* gave the channel on this link in HELLO.
 *
 * Two ways to travel (core/link/link.h): reliable, kept until acknowledged and delivered once but
 * in any order, so everything that a newer message could overtake carries a generation or is
 * idempotent; and unreliable, for what is stale by the time it could be sent again. Cells are not
 * messages: see cell.h. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/crypto/sign.h"
#include "core/proto/limits.h"
#include "core/proto/message_fields.h"
#include "core/proto/message_values.h"

#define MESSAGE_SIZE_MAX (MANIFEST_SIZE_MAX + 16)

/* Where another peer of the channel can be reached. */
#define PEER_FIELDS(F)                                                                             \
    F(public_key, peer)                                                                            \
    F(endpoint, endpoint)                                                                          \
    F(u8, flags) /* enum peer_flag */

/* From whom a parent has some substreams: itself and whoever is above it, 4 bytes of each id. Bit
 * SUBSTREAM_HEADS stands for the heads, which could run in a circle like any substream. */
#define ANCESTRY_FIELDS(F)                                                                         \
    F(u32, substreams)                                                                             \
    F(list, ids, u32, ANCESTORS_MAX)

/* What of one track is held: bit i of `complete` is chunk newest - i. A state, not a change, so a
 * lost one costs nothing. */
#define HELD_FIELDS(F)                                                                             \
    F(u8, track)                                                                                   \
    F(u32, newest)                                                                                 \
    F(u64, complete)

/* How late the sender has each substream of a track, then its heads: LAG_UNIT_US each, from their
 * publication at the source. LAG_NONE: it does not get it, or does not know. And how many have each
 * substream through it, as a power of two: the 4 bits from 4 s on of `below` are 0 for nobody, and
 * k for 2^(k-1) or more. */
#define LAGS_FIELDS(F)                                                                             \
    F(u8, track)                                                                                   \
    F(list, lags, u8, SUBSTREAMS_MAX + 1)                                                          \
    F(u64, below)

/* Opens a channel on a link, both ways. */
#define HELLO_FIELDS(F)                                                                            \
    F(u8, slot)                                                                                    \
    F(public_key, channel)                                                                         \
    F(u8, role)              /* enum peer_role */                                                  \
    F(u8, flags)             /* enum peer_flag */                                                  \
    F(u64, broadcast)        /* newest known, 0 for none */                                        \
    F(u32, manifest_version) /* of it, 0 for none */                                               \
    F(endpoint, observed)    /* the receiver's address as the sender sees it */

#define MANIFEST_FIELDS(F)                                                                         \
    F(u8, slot)                                                                                    \
    F(bytes, manifest, MANIFEST_SIZE_MAX)

/* The whole of what the sender wants of a track: the highest generation counts. No substreams and
 * no flags ends it. */
#define SUBSCRIBE_FIELDS(F)                                                                        \
    F(u8, slot)                                                                                    \
    F(u8, track)                                                                                   \
    F(u16, generation)                                                                             \
    F(u8, flags)       /* enum subscribe_flag */                                                   \
    F(u32, substreams) /* bit s: cells with (5 chunk + index) mod S = s */                         \
    F(u32, from)       /* first chunk wanted of substreams that are new in this generation */      \
    F(u32, until)      /* of those that end with it: the first that comes from elsewhere */

/* The answer to a SUBSCRIBE, and every later change: what the parent sends, and whence it has it.
 */
#define GRANT_FIELDS(F)                                                                            \
    F(u8, slot)                                                                                    \
    F(u8, track)                                                                                   \
    F(u16, generation) /* of the SUBSCRIBE that it answers */                                      \
    F(u16, revision)   /* of this answer: the highest counts */                                    \
    F(u8, flags)       /* SUBSCRIBE_HEADS where heads are granted */                               \
    F(u32, substreams)                                                                             \
    F(u32, excess) /* of these, the ones that the child should take elsewhere when it can */       \
    F(u32, from)   /* first chunk that will come */                                                \
    F(u16, spare)  /* as in an OFFER */                                                            \
    F(u8, heir)    /* 1: the first candidate takes the child's place in the excess */              \
    F(list, ancestry, ancestry, ANCESTRIES_MAX)                                                    \
    F(list, candidates, peer, PEERS_MAX) /* others to ask, where something was refused */

#define REQUEST_FIELDS(F)                                                                          \
    F(u8, slot)                                                                                    \
    F(u8, track)                                                                                   \
    F(u32, number)                                                                                 \
    F(u64, cells)       /* bit i: cell i */                                                        \
    F(u8, flags)        /* enum request_flag */                                                    \
    F(u16, deadline_ms) /* from now, advisory */

#define CANCEL_FIELDS(F)                                                                           \
    F(u8, slot)                                                                                    \
    F(u8, track)                                                                                   \
    F(u32, number)                                                                                 \
    F(u64, cells)

/* "I do not have these either", to a REQUEST. */
#define GAP_FIELDS(F)                                                                              \
    F(u8, slot)                                                                                    \
    F(u8, track)                                                                                   \
    F(u32, number)                                                                                 \
    F(u64, cells)

#define PEERS_FIELDS(F)                                                                            \
    F(u8, slot)                                                                                    \
    F(list, peers, peer, PEERS_MAX)

#define BYE_FIELDS(F)                                                                              \
    F(u8, slot)                                                                                    \
    F(u8, reason) /* enum bye_reason */

#define HAVE_FIELDS(F)                                                                             \
    F(u8, slot)                                                                                    \
    F(u64, broadcast) /* that it speaks of: one of the old may come late */                        \
    F(list, held, held, TRACKS_MAX)

/* What the sender could do for others, and does. */
#define OFFER_FIELDS(F)                                                                            \
    F(u8, slot)                                                                                    \
    F(u64, broadcast)                                                                              \
    F(u16, spare)   /* upload that it could still give, OFFER_UNIT_BPS each */                     \
    F(u16, carried) /* and that it gives */                                                        \
    F(u16, bar)     /* a child that gives or could give more than this takes another's place */    \
    F(list, tracks, lags, TRACKS_MAX)

#define HEAD_MESSAGE_FIELDS(F)                                                                     \
    F(u8, slot)                                                                                    \
    F(bytes, head, HEAD_SIZE_MAX)

/* X(name, NAME, type on the wire, fields) */
#define MESSAGE_LIST(X)                                                                            \
    X(hello, HELLO, 0x10, HELLO_FIELDS)                                                            \
    X(manifest_message, MANIFEST, 0x11, MANIFEST_FIELDS)                                           \
    X(subscribe, SUBSCRIBE, 0x12, SUBSCRIBE_FIELDS)                                                \
    X(grant, GRANT, 0x13, GRANT_FIELDS)                                                            \
    X(request, REQUEST, 0x14, REQUEST_FIELDS)                                                      \
    X(cancel, CANCEL, 0x15, CANCEL_FIELDS)                                                         \
    X(gap, GAP, 0x16, GAP_FIELDS)                                                                  \
    X(peers, PEERS, 0x17, PEERS_FIELDS)                                                            \
    X(bye, BYE, 0x18, BYE_FIELDS)                                                                  \
    X(have, HAVE, 0x20, HAVE_FIELDS)                                                               \
    X(head_message, HEAD, 0x21, HEAD_MESSAGE_FIELDS)                                               \
    X(offer, OFFER, 0x22, OFFER_FIELDS)

enum message_type {
#define X(name, NAME, type, fields) MESSAGE_##NAME = type,
    MESSAGE_LIST(X)
#undef X
};

struct peer_entry {
    PEER_FIELDS(DECLARE_FIELD)
};
struct ancestry {
    ANCESTRY_FIELDS(DECLARE_FIELD)
};
struct held {
    HELD_FIELDS(DECLARE_FIELD)
};
struct track_lags {
    LAGS_FIELDS(DECLARE_FIELD)
};

/* struct hello, struct subscribe, ... */
#define X(name, NAME, type, fields)                                                                \
    struct name {                                                                                  \
        fields(DECLARE_FIELD)                                                                      \
    };
MESSAGE_LIST(X)
#undef X

/* hello_write(w, &m): the type and the fields; a list or view over its maximum fails the writer.
 * hello_read(data, len, &m): 0, or ERR_TRUNCATED, ERR_TRAILING, ERR_FORMAT (another type),
 * ERR_RANGE (a count over its maximum; a slot, track or flag that does not exist). */
#define X(name, NAME, type, fields)                                                                \
    void name##_write(struct writer *w, const struct name *m);                                     \
    MUST_CHECK int name##_read(const void *data, size_t len, struct name *ret);
MESSAGE_LIST(X)
#undef X

#endif
