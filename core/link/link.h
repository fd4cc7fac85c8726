/* link.h - sealed datagrams between two peers, sans-IO: one `struct links` is all of a node's
 * links, a `struct link` is the session with one peer.
 *
 * What it does: the Noise handshake with cookies under load, sealing and the replay window,
 * rekeying, acknowledgement and loss detection (RFC 9002's rules), reliable messages, path
 * validation when a peer's address changes, and a delay-driven pacer for each path. What it does
 * not do: sockets, clocks, allocation on the path of a datagram, and retransmitting cells: a cell
 * that is lost is reported, and the engine knows whether it is still wanted.
 *
 * The wire stands in core/PROTOCOL.md. Times are microseconds of one monotonic clock.
 * Invariant: until the initiator has proved its address, at most three times the bytes that came
 * from there have gone there. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/crypto/random.h"
#include "core/crypto/sign.h"

#define LINK_DATAGRAM_SIZE 1200 /* what every path carries (RFC 9000, 14) */
#define LINK_OVERHEAD 25        /* type, receiver index, counter, tag */
#define LINK_MESSAGE_MAX 8192   /* larger ones than a datagram travel in parts */
#define LINK_MESSAGES_MAX 256   /* reliable messages not yet acknowledged, to one peer */
#define LINKS_MAX_DEFAULT 64

struct links;
struct link;

enum link_state {
    LINK_DIALLING, /* message 1 sent or to be sent */
    LINK_UNPROVEN, /* message 1 taken: may send three times what came */
    LINK_UP,
    LINK_CLOSED, /* freed at the end of the call that closed it */
};

enum link_end {
    LINK_END_LOCAL = 1,  /* we closed it */
    LINK_END_REMOTE,     /* the peer closed it */
    LINK_END_TIMEOUT,    /* nothing came for LINK_IDLE_US although something was due */
    LINK_END_UNANSWERED, /* the dial had no answer */
    LINK_END_REPLACED,   /* a newer session with the peer, or the other of two dials at once */
    LINK_END_VERSION,    /* the peer speaks another version */
    LINK_END_PROTOCOL,   /* the peer sent what the protocol does not allow */
};

#define LINK_IDLE_US (4 * US_PER_S)
#define LINK_OUTAGE_US (30 * US_PER_S) /* while nobody is heard, and of a patient link */

struct link_train {
    unsigned sent, came; /* datagrams; at least 2 came */
    size_t bytes;
    uint64_t span_us;
};

/* What the links tell their owner, from inside links_receive and links_expire. The owner may send,
 * dial and close from there; a link that is closed stays readable until the outer call returns. */
struct link_handler {
    /* A dialled link is up, or a peer's first message was taken (state LINK_UNPROVEN): on a new
     * link, beside the one that stands with that peer until this is proven, or on the one that we
     * dial it with. Before any message of it, and once for each link. */
    void (*opened)(void *owner, struct link *link, uint64_t now_us);
    /* One whole message, reliable or not; borrowed bytes, at least one. */
    void (*message)(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us);
    /* A frame with the top bit of its first byte set: a cell. */
    void (*cell)(void *owner, struct link *link, const uint8_t *data, size_t len, uint64_t now_us);
    /* What was sent with this token (not 0) is taken for lost. */
    void (*lost)(void *owner, struct link *link, uint64_t token, uint64_t now_us);
    /* What became of link_send_train: of so many `bytes` (UDP payload, each) the later ones came
     * within `span_us` of the first. */
    void (*train)(void *owner, struct link *link, const struct link_train *train, uint64_t now_us);
    void (*closed)(void *owner, struct link *link, enum link_end end, uint64_t now_us);
    /* The answer to links_ask_identity. Not authenticated: good for a dial, which is. */
    void (*identity)(void *owner, const struct endpoint *from, const struct public_key *peer,
                     uint64_t now_us);
};

struct links_config {
    const struct sign_key *identity; /* borrowed for the life of the links */
    struct random random;            /* a generator of their own */
    unsigned links_max;              /* 0: LINKS_MAX_DEFAULT */
    unsigned handshakes_per_s;       /* above this rate a cookie is demanded; 0: 50 */
    const struct link_handler *handler;
    void *owner;
};

struct links *links_new(const struct links_config *config, uint64_t now_us); /* NULL: no memory */
void links_free(struct links *ls);

/* Datagrams are opened in place: their bytes are others afterwards. */
void links_receive(struct links *ls, const struct datagram *d, uint64_t now_us);
void links_expire(struct links *ls, uint64_t now_us);
/* When links_expire or links_transmit next has something to do; TIME_NEVER for nothing. */
uint64_t links_deadline(const struct links *ls);
/* The next datagram that is due without cells: handshakes, cookies, acknowledgements whose delay is
 * over, messages, probes. Fills ret->data (capacity at least LINK_DATAGRAM_SIZE), len and peer.
 * Returns the length, 0 when nothing is due. */
size_t links_transmit(struct links *ls, struct datagram *ret, uint64_t now_us);

/* How much of the queue on every path stands in front of what they share, and is its owner's to
 * drain: the paths' pacers see to the rest. */
void links_set_shared_queue(struct links *ls, uint64_t queue_us);

/* Asks an address for its peer id (a hint without one). Repeated by the caller where unanswered. */
void links_ask_identity(struct links *ls, const struct endpoint *to, uint64_t now_us);
/* Returns the link to the peer, new in LINK_DIALLING or the one that stands; NULL where links_max
 * is reached, the key is not valid or it is our own. Messages that are queued before the next
 * links_transmit travel in the first datagram, as far as they fit. */
struct link *links_dial(struct links *ls, const struct public_key *peer, const struct endpoint *to,
                        uint64_t now_us);
struct link *links_find(struct links *ls, const struct public_key *peer);
size_t links_count(const struct links *ls, enum link_state state);
/* Grows whenever a link changes its state. */
uint32_t links_changes(const struct links *ls);
/* Its silence is borne for LINK_OUTAGE_US. From LINK_IDLE_US on links_dial makes another link
 * beside any that still stands; the one that is heard stays. */
void link_set_patient(struct link *l, bool is_patient, uint64_t now_us);
/* Tells the peer (when up) and calls closed with LINK_END_LOCAL. */
void link_close(struct link *l, uint64_t now_us);

/* Reliable, delivered once, in no order. `len` from 1 to LINK_MESSAGE_MAX, the first byte below
 * 0x80. Returns 0, ERR_RANGE, ERR_FULL (LINK_MESSAGES_MAX or 256 KiB wait already: the peer does
 * not acknowledge), ERR_STATE, ERR_MEMORY. */
MUST_CHECK int link_send_message(struct link *l, const void *data, size_t len, uint64_t now_us);
/* Sent once, with the next datagram, or by itself: at once with a token, within 25 ms without one
 * (a state that the next replaces). `len` at most 1,170. A token other than 0 is reported if lost.
 * Returns 0, ERR_RANGE, ERR_FULL or ERR_STATE. */
MUST_CHECK int link_send_unreliable(struct link *l, const void *data, size_t len, uint64_t token,
                                    uint64_t now_us);

void link_ping(struct link *l, uint64_t now_us); /* what is acknowledged within 25 ms */
/* Sends 2 to FRAME_TRAIN_MAX full datagrams without content at once, whatever the pacer says, to
 * see how fast they come: handler->train, where none of what matters is lost. Returns 0, or
 * ERR_STATE where the link is not up. */
MUST_CHECK int link_send_train(struct link *l, unsigned datagrams, uint64_t now_us);

/* Cells. A datagram is begun (with an acknowledgement and the messages that wait, where they fit),
 * takes cells while there is room, and is finished:
 *
 *     if (link_cell_time(l) <= now && link_begin(l, ret, now) == 0) {
 *         while (link_room(l) >= CELL_HEADER_BYTES + next.len) link_add_cell(...);
 *         return link_finish(l, now);
 *     }
 * A cell frame extends to the end of the datagram, so at most one is added to each. */
/* When the pacer and the window allow a full datagram; TIME_NEVER while the link may not send. */
uint64_t link_cell_time(const struct link *l);
void link_note_held(struct link *l); /* a cell waits for link_cell_time, which is later */
/* Returns 0, ERR_STATE or ERR_MEMORY. One datagram at a time: another one that was begun, of this
 * or another link of the node, is forgotten. */
MUST_CHECK int link_begin(struct link *l, struct datagram *ret, uint64_t now_us);
size_t link_room(const struct link *l); /* bytes that a cell frame may still take */
MUST_CHECK int link_add_cell(struct link *l, const void *header, size_t header_len,
                             const void *payload, size_t len, uint64_t token);
/* Seals. Returns the datagram's length (0 where nothing was put in: then nothing is sent). */
size_t link_finish(struct link *l, uint64_t now_us);

void link_set_data(struct link *l, void *data); /* the owner's; NULL at first */
void *link_data(const struct link *l);
enum link_state link_state(const struct link *l);
const struct public_key *link_peer(const struct link *l);
const struct endpoint *link_endpoint(const struct link *l);
bool link_is_initiator(const struct link *l);

struct link_stats {
    uint64_t rtt_us;     /* smoothed; 0 before the first sample */
    uint64_t rtt_min_us; /* over the last 10 s */
    uint64_t queue_us;   /* standing queue on the path out, by delay above its minimum */
    uint64_t rate_bps;   /* what the pacer allows */
    bool is_limited;     /* the pacer, not the application, bounds what is sent */
    uint64_t bytes_in_flight;
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out; /* UDP payload */
    uint64_t datagrams_lost;                                   /* of ours */
    uint64_t received_us; /* when the last authentic datagram came */
};
void link_stats(const struct link *l, struct link_stats *ret);
uint64_t link_rtt_us(const struct link *l); /* of these, what is asked again and again */
uint64_t link_received_us(const struct link *l);
uint64_t link_bytes_in_flight(const struct link *l);
uint64_t link_queue_us(const struct link *l);
uint64_t link_rtt_min_us(const struct link *l);

/* Datagrams that were refused, by reason, and handshakes. */
struct links_stats {
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
    uint64_t heard_us; /* when anybody was last heard */
    uint64_t refused_format, refused_index, refused_seal, refused_replay, refused_mac,
        refused_handshake, refused_full, cookies_sent, handshakes_in, handshakes_out;
};
void links_stats(const struct links *ls, struct links_stats *ret);
/* What the links, and the one that a datagram is for, will need of memory: asked for in calls some
 * time apart, with `stage` from 0 on (core/swarm/node.h). `data` is NULL for no datagram. Returns
 * the link's data from stage LINKS_PREFETCH_STAGES on; NULL: none, or it is too early to know. */
#define LINKS_PREFETCH_STAGES 3
const void *links_prefetch(const struct links *ls, unsigned stage, const uint8_t *data, size_t len);
/* Bytes that the links hold, all allocations together. Goes through every link. */
size_t links_memory(const struct links *ls);

#endif
