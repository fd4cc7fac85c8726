/* link_internal.h - what the files of core/link share: the two structs and the steps between files.
 *
 * A link has up to two handshakes under way: a dial of ours, and an answer to the peer's. That is
 * how simultaneous dials, and replayed first messages, end with one link: whichever is proven
 * first makes the session. Invariant: a session is proven (LINK_UP) by a sealed datagram from the
 * address that it is sent to, or by the answer to our own dial. */
#ifndef LINK_INTERNAL_H
#define LINK_INTERNAL_H

#include "core/link/guard.h"
#include "core/link/handshake.h"
#include "core/link/inbox.h"
#include "core/link/link.h"
#include "core/link/outbox.h"
#include "core/link/pace.h"
#include "core/link/path.h"
#include "core/link/ready.h"
#include "core/link/received.h"
#include "core/link/rtt.h"
#include "core/link/schedule.h"
#include "core/link/sent.h"
#include "core/link/session.h"
#include "core/link/table.h"
#include "core/link/train.h"
#include "core/link/unreliable.h"

#define LINK_PING_US (1500 * US_PER_MS)
#define LINK_AMPLIFICATION 3
#define LINK_PACE_IDLE_US (30 * US_PER_S) /* the pacer has forgotten its minima after 10 s */
#define LINK_CELL_RESERVE 32              /* sent records that cells leave to messages */
#define ASKS_MAX 32
#define ASK_US (5 * US_PER_S)

/* The datagram between link_begin and link_finish: one at a time, of all links. */
struct build {
    struct link *link;
    struct datagram *out; /* NULL: none is begun */
    struct endpoint to;
    struct writer w;
    struct sent record;
    unsigned tokens_len;
    bool has_ack, is_eliciting, is_prompt, has_other;
};

struct link_counts {
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
};

#define LINK_LINE 64 /* of the cache */

/* What an established link has while nothing is on its way; the rest is on the heap while it is
 * needed (NULL otherwise, where nothing else is said). In lines of the cache: first what the owner
 * and the timers ask of every link again and again, then sending, then receiving, then the rest. */
struct link {
    _Alignas(LINK_LINE) struct links *links;
    void *data;
    struct link *touched_next; /* in links->touched */
    uint8_t state;             /* enum link_state */
    bool is_initiator : 1, is_opened : 1, is_touched : 1;
    bool ping_is_due : 1, probe_is_due : 1;
    bool is_prompt : 1;  /* what was sent last is acknowledged promptly */
    bool is_patient : 1; /* link_set_patient */
    uint16_t probes;
    uint32_t index; /* ours */
    struct due expire_due, transmit_due;
    uint64_t received_us; /* when the last authentic datagram came */
    struct rtt rtt;
    uint64_t loss_us;          /* when the next record is lost by time */
    uint64_t waiting_since_us; /* first question since anything came; TIME_NEVER for none */

    struct sent_ring sent;
    uint64_t probe_base_us;
    struct dial *dial;
    struct answer *answer;
    struct path *path;
    struct pace *pace; /* from the first cell, until none was sent for LINK_PACE_IDLE_US */
    struct unreliable_queue unreliable;
    struct train train;
    struct outbox outbox;
    uint64_t cell_us;        /* when the last cell was sent */
    uint64_t acked_end;      /* the sequence behind the highest acknowledged */
    uint32_t acked_sent_us;  /* when that was sent, low bits */
    uint32_t datagrams_lost; /* of ours */

    struct session session;
    struct received received;
    struct endpoint endpoint;
    uint32_t clock_us; /* the peer's clock less ours, or anything near it modulo 2^24 */
    struct link_counts counts;

    struct inbox inbox;
    struct public_key peer;
    uint64_t up_us;
    uint8_t mac1[PACKET_MAC_BYTES]; /* of the message 1 that it answered */
};

_Static_assert(sizeof(struct link) == 10 * LINK_LINE, "a node has many");

struct ask {
    struct endpoint to;
    uint8_t nonce[8];
    uint64_t until_us;
};

struct links {
    const struct sign_key *identity;
    struct dh_key dh;
    struct random random;
    const struct link_handler *handler;
    void *owner;
    unsigned links_max;
    struct guard guard;
    struct rate version_rate, identity_rate, cookie_rate;
    struct session_periods periods;
    struct table table;
    unsigned active_max;
    unsigned counts[LINK_CLOSED + 1]; /* by state */
    uint32_t changes;                 /* of states */
    struct schedule expire, transmit; /* of the links' expire_due and transmit_due */
    struct link *touched;             /* whose times may have changed, or that are closed */
    unsigned depth; /* calls inside of each other: at 0 the touched ones are seen to */
    uint64_t now_us, heard_us, resumed_us; /* when anybody was last heard, and at last again */
    uint32_t shared_us;                    /* of queue in front of all paths */
    struct ready_ring ready;
    struct ask *asks; /* ASKS_MAX of them, NULL while none waits */
    unsigned asks_next;
    struct links_stats stats;
    struct build build;
    uint8_t *plain; /* DATAGRAM_MAX bytes for a handshake's payload, during links_receive */
};

/* links.c */
struct link *links_new_link(struct links *ls, const struct public_key *peer,
                            const struct endpoint *to, enum link_state state, uint64_t now_us);
struct link *links_at(struct links *ls, uint32_t index); /* NULL where there is none */
/* The next link with a peer, closed ones too: see table_next. */
struct link *links_next(const struct links *ls, const struct public_key *peer, size_t *at);
void links_enter(struct links *ls, uint64_t now_us);
void links_leave(struct links *ls);
/* To be called wherever a link has changed: what it waits for is judged again, at once or when the
 * outermost call returns. */
void links_touch(struct link *l);
/* For tests: when keys change. Before the first session. */
void links_set_periods(struct links *ls, const struct session_periods *periods);

/* link.c */
void link_enter(struct link *l, enum link_state state);
void link_end(struct link *l, enum link_end end, uint64_t now_us);
void link_tell_opened(struct link *l, uint64_t now_us);
void link_tell_message(struct link *l, const uint8_t *data, size_t len, uint64_t now_us);
void link_tell_lost(struct link *l, uint64_t token, uint64_t now_us);
/* Begins a session with the keys of a finished handshake. */
void link_start_session(struct link *l, const struct noise *noise, uint32_t remote_index,
                        uint64_t now_us);
/* The session is the peer's: LINK_UP, and every other link with it is replaced. */
void link_come_up(struct link *l, uint64_t now_us);
/* When link_expire, and when link_transmit, has something to do; any time that is past for now. */
uint64_t link_expire_time(const struct link *l);
uint64_t link_transmit_time(const struct link *l);
void link_expire(struct link *l, uint64_t now_us);
size_t link_transmit(struct link *l, struct datagram *ret, uint64_t now_us);

/* silence.c */
uint64_t silence_end(const struct link *l); /* when the link ends if nothing comes */
bool silence_is_long(const struct link *l, uint64_t now_us); /* others had ended */
void silence_heard(struct link *l, uint64_t now_us);         /* something authentic came */

/* stranger.c */
void stranger_send_version(struct links *ls, const struct datagram *d, uint64_t now_us);
void stranger_send_cookie(struct links *ls, const struct datagram *d, uint64_t now_us);
void stranger_take_ask(struct links *ls, const struct datagram *d, uint64_t now_us);
void stranger_take_identity(struct links *ls, const struct datagram *d, uint64_t now_us);

/* receive.c */
void receive_data(struct links *ls, const struct datagram *d, uint64_t now_us);
/* Whether a handshake's payload is well formed and holds only what it may. */
bool receive_handshake_is_valid(struct reader r);
/* Acts on the frames; stops where the link ends. Returns how they are to be acknowledged. */
enum received_kind receive_frames(struct link *l, struct reader *r, const struct endpoint *from,
                                  uint64_t now_us);

/* recovery.c */
void recovery_take_ack(struct link *l, const struct ack_frame *f, uint64_t now_us);
/* All that is in flight is lost: another session, and other keys. */
void recovery_reset(struct link *l, uint64_t now_us);
uint64_t recovery_deadline(const struct link *l);
void recovery_expire(struct link *l, uint64_t now_us);

/* transmit.c */
uint64_t transmit_deadline(const struct link *l);
size_t transmit_data(struct link *l, struct datagram *ret, uint64_t now_us);
void transmit_start(struct link *l, struct datagram *ret, const struct endpoint *to);
size_t transmit_finish(struct link *l, uint64_t now_us);
/* The next datagram of a train. */
size_t transmit_train(struct link *l, struct datagram *ret, uint64_t now_us);
/* Seals a CLOSE into links->ready. */
void transmit_close(struct link *l, enum link_end end, uint64_t now_us);

#endif
