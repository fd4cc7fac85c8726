/* hostile_peer.h - a peer that speaks the protocol by hand: real links, and whatever messages,
 * heads and cells a test wants to send on them, true or not.
 *
 * It lives on a host of a struct network. What comes back is kept, in order. Nothing is answered by
 * itself but what the links do, and what a test's `react` does. */
#ifndef HOSTILE_PEER_H
#define HOSTILE_PEER_H

#include "core/link/link.h"
#include "core/proto/cell.h"
#include "core/proto/holder.h"
#include "core/proto/message.h"
#include "core/swarm/chunk.h"
#include "tests/lib/broadcast.h"
#include "tests/lib/network.h"

#define HOSTILE_KEPT_MAX 20000 /* received messages and cells; the test fails beyond */

struct hostile_kept {
    uint64_t at_us;
    bool is_cell;
    size_t len;
    uint8_t *data;
};

struct hostile_cell {
    size_t len;
    uint8_t data[CELL_HEADER_BYTES + CELL_SIZE_MAX];
};

struct hostile_peer {
    struct network *network;
    unsigned host;
    struct sign_key identity;
    struct links *links;
    struct link *link; /* dialled, or the first stranger's; others are let in and ignored */
    bool dials;        /* has dialled: then no stranger's link counts */
    unsigned opened;   /* all links */
    unsigned closed;   /* of those that were `link` */
    enum link_end end; /* of the newest of them */
    size_t kept_len;
    struct hostile_kept *kept;
    size_t cells_len, cells_sent, cells_max; /* a queue of cells to send */
    struct hostile_cell *cells;
    uint64_t cells_retry_us; /* one did not fit beside what else was due */
    /* Called for each message (not cell) that comes; may send. */
    void (*react)(struct hostile_peer *p, const uint8_t *data, size_t len);
    void *context;  /* for react */
    bool is_inside; /* of a call of the links: what is sent leaves after it */
    uint16_t revision;
};

/* A `react`: grants whatever is subscribed to, and serves nothing by itself. */
void hostile_grants_all(struct hostile_peer *p, const uint8_t *data, size_t len);

void hostile_init(struct hostile_peer *p, uint64_t seed, struct network *network, unsigned host);
void hostile_release(struct hostile_peer *p);
/* A new link: what is sent before it is up travels in the first datagram. */
void hostile_dial(struct hostile_peer *p, const struct public_key *peer, unsigned host);
bool hostile_is_up(const struct hostile_peer *p);

/* Reliable, any bytes. False where there is no link that takes it. */
bool hostile_send(struct hostile_peer *p, const void *data, size_t len);
bool hostile_send_unreliable(struct hostile_peer *p, const void *data, size_t len);
/* hostile_send_hello(p, &m) and so on, for every message, reliable. */
#define X(name, NAME, type, fields)                                                                \
    bool hostile_send_##name(struct hostile_peer *p, const struct name *m);
MESSAGE_LIST(X)
#undef X
/* HELLO of slot 0 as an uploading viewer that knows the broadcast, and its manifest. */
void hostile_join(struct hostile_peer *p, const struct broadcast *b);
void hostile_send_chunk_head(struct hostile_peer *p, const struct chunk *c);
/* Queued for when the link's pacer allows it. Copies the payload. */
void hostile_send_cell(struct hostile_peer *p, const struct cell *cell);
/* The true cell, with `flip` of its byte in the middle. */
void hostile_send_chunk_cell(struct hostile_peer *p, const struct chunk *c, uint32_t index,
                             uint8_t flip);
/* Head and all cells. */
void hostile_send_chunk(struct hostile_peer *p, const struct chunk *c);

/* How many messages of this type came. */
size_t hostile_count(const struct hostile_peer *p, enum message_type type);
size_t hostile_count_cells(const struct hostile_peer *p);
/* hostile_last_hello(p, &m) and so on: the newest that came; views borrow what is kept. */
#define X(name, NAME, type, fields)                                                                \
    bool hostile_last_##name(const struct hostile_peer *p, struct name *ret);
MESSAGE_LIST(X)
#undef X
void hostile_forget(struct hostile_peer *p); /* what came so far */

#endif
