/* engine.h - the node's inside: what its files share. Only core/swarm includes it. */
#ifndef ENGINE_H
#define ENGINE_H

#include "core/base/rng.h"
#include "core/swarm/capacity.h"
#include "core/swarm/channel.h"

#define EVENTS_MAX 512
#define BANS_MAX 64
#define NODE_LINKS_MAX 1024 /* over all channels */
#define PEER_IDLE_US (10 * US_PER_S)
#define BAN_US (5 * 60 * US_PER_S)
#define HINTS_MAX 16
#define HINT_PERIOD_US (2 * US_PER_S)
#define NODE_ENDPOINTS_MAX HOLDER_ENDPOINTS_MAX

struct ban {
    struct public_key peer;
    uint64_t until_us; /* 0: free */
};

/* What node_event says, but for the records: those are made when the event is taken. */
struct queued_event {
    uint8_t type; /* enum node_event_type */
    uint8_t channel;
    uint8_t role;
    bool new_broadcast;
    uint8_t track;
    bool random_access;
    uint32_t number;
    uint64_t capture_us;
    int err;
    uint64_t epoch;
    uint64_t broadcast;
    int64_t clock_error_us;
    struct fragment *fragment;
    struct public_key peer;
    struct endpoint endpoint;
};

/* An address whose peer id is not known yet. */
struct hint {
    struct endpoint endpoint;
    uint8_t channel;
    bool is_answered;
    uint64_t ask_us; /* when to ask (again) */
    uint64_t pause_us;
};

/* Trains of datagrams that are sent to see what the uplink carries. */
struct uplink_probe {
    uint8_t trains, results, datagrams; /* of the next train */
    bool is_waiting;
    uint32_t asked; /* id4 of the neighbour that the last one went to */
    uint64_t sent_us;
};

/* The node's uplink: one token bucket over every datagram, and the turn of each neighbour. */
struct uplink {
    struct capacity capacity;
    struct uplink_probe probe;
    uint64_t control_bps; /* of what went out, what was not cells: smoothed */
    uint64_t cell_bytes;  /* in this window, with all headers */
    uint64_t rate_bps;    /* NODE_UPLOAD_UNLIMITED: none set */
    int64_t tokens;       /* bits times US_PER_S; below 0 after control that could not wait */
    uint64_t tokens_us;
    uint64_t paced_until_us; /* when the first of the channels' `paced` may send */
    unsigned turn;           /* neighbour to serve next */
    unsigned burst;          /* datagrams to it in this turn */
    uint64_t second_us;      /* start of the current second */
    uint64_t sent_bytes;     /* in it */
    uint64_t sent_bps;       /* of the second before */
    uint64_t queued_bytes;   /* fresh cells queued in it */
    uint64_t queued_bps;
    uint64_t short_us;      /* since when fresh cells wait too long; 0: they don't */
    uint64_t short_seen_us; /* when last they did */
    uint64_t carried_bps;   /* what went out while it was short; 0: never short */
};

struct node {
    struct links *links;
    struct public_key id;
    uint8_t role;
    unsigned neighbours_max;
    size_t memory_max;
    bool tells_chunks;
    struct chunk_pool *chunks;
    trace_sink *trace; /* or NULL */
    void *trace_context;
    struct rng rng;
    uint64_t now_us;
    bool has_utc;
    int64_t utc_offset_us; /* UTC - the monotonic clock */
    size_t endpoints_len;
    struct endpoint endpoints[NODE_ENDPOINTS_MAX];
    size_t channels_len;
    struct channel *channels[NODE_CHANNELS_MAX];
    struct uplink uplink;
    struct ban *bans; /* BANS_MAX, from the first ban on */
    struct hint hints[HINTS_MAX];
    size_t hints_len;
    uint64_t idle_us;   /* when links without a channel are next looked for */
    struct peer *peers; /* all of them, also those that share no channel (yet, or any more) */
    uint64_t control_in, control_out, media_out, cells_out;
    bool is_leaving;
    bool has_doomed;                        /* links wait to be closed at the end of the step */
    uint64_t cell_bytes_in, cell_bytes_out; /* payload of cells, all of them */

    struct queued_event *events; /* a ring that grows up to EVENTS_MAX */
    size_t events_capacity, events_head, events_len;
};

/* Appends an event; a fragment that finds no room is dropped with its reference. */
void node_emit(struct node *n, const struct queued_event *e);
bool node_is_banned(const struct node *n, const struct public_key *peer, uint64_t now_us);
void node_ban(struct node *n, const struct public_key *peer, uint64_t now_us);
uint64_t node_utc_us(const struct node *n, uint64_t now_us); /* 0: not known */
/* Dials a candidate for a channel. */
void node_dial(struct channel *c, struct candidate *candidate, uint64_t now_us);
unsigned channel_count_up(struct channel *c); /* links with its neighbours */
/* May this peer be another neighbour of the channel? */
bool node_has_room(struct channel *c);
/* Drops the oldest chunks while over memory_max. */
void node_trim_memory(struct node *n);

/* peers.c: the links' handler. */
extern const struct link_handler peers_link_handler;
/* The peer's neighbour for the channel, made where there is none. NULL: no room, no memory. */
struct neighbour *peers_neighbour(struct link *link, struct channel *c, uint64_t now_us);
/* Takes it off the link and the node, and frees it: it has no neighbours any more. */
void peers_free(struct peer *peer);
/* Its link ends with this step. */
static inline bool neighbour_is_doomed(const struct neighbour *nb) {
    return nb->channel->node->has_doomed && nb->peer->is_doomed; /* in most steps none is */
}
/* Links that share no channel with us for PEER_IDLE_US. */
void peers_end_idle(struct node *n, uint64_t now_us);

/* trace.c: tells a decision about a neighbour where somebody reads along. */
void trace_peer(const struct neighbour *nb, enum trace_decision decision);
void trace_supply(const struct neighbour *nb, enum trace_decision decision, uint8_t track,
                  unsigned index);
void trace_repair(const struct neighbour *nb, uint8_t track, uint32_t number, uint64_t cells);
void trace_chunk(const struct channel *c, enum trace_decision decision, uint8_t track,
                 uint32_t number);

/* uplink.c */
void uplink_init(struct uplink *u, uint64_t max_upload_bps, uint64_t now_us);
void uplink_charge(struct node *n, size_t datagram_len, uint64_t now_us);
/* A datagram with a cell or head did not come. */
void uplink_lost(struct node *n);
/* Something of the class is in its queue. */
void uplink_wants(struct neighbour *nb, enum send_class class);
/* Its queue was emptied. */
void uplink_forget(struct neighbour *nb);
/* Fresh bytes for a child were queued: what demand is reckoned by. */
void uplink_queued(struct node *n, size_t bytes);
void uplink_tick(struct node *n, uint64_t now_us);
size_t uplink_transmit(struct node *n, struct datagram *ret, uint64_t now_us);
uint64_t uplink_deadline(const struct node *n);
/* uplink_turn.c */
/* What it passes on has changed. */
void uplink_turn_note_worth(struct neighbour *nb);
/* Datagrams came, or timers ran out: paths that were full may not be. */
void uplink_paths_changed(struct node *n);
/* uplink_probe.c */
void uplink_probe_tick(struct node *n, uint64_t now_us);
void uplink_probe_take(struct node *n, struct link *link, const struct link_train *train,
                       uint64_t now_us);
/* Bits per second that it is taken to carry. */
uint64_t uplink_capacity_bps(const struct node *n);

/* A send item's index for the chunk's head. */
#define SEND_HEAD UINT8_MAX

/* What a link gives back when it was lost. Never 0. SEND_ASKED marks what was
 * asked for by number, a backlog or the answer to a REQUEST: it is owed whatever is granted since.
 */
#define SEND_ASKED (1ull << 62)
#define SEND_TOKEN(channel, track, index, number)                                                  \
    (1ull << 63 | (uint64_t)(channel) << 56 | (uint64_t)(track) << 48 | (uint64_t)(index) << 32 |  \
     (number))

#endif
