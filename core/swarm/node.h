/* node.h - the engine: one peer of any number of channels, sans-IO.
 *
 * Datagrams and time go in, datagrams, events and a deadline come out. The node has no socket,
 * clock, thread, file or log, and its randomness is a seed, so a simulation replays it exactly.
 * What it decides: whom to link with, whom to take each substream from, what to send to whom first,
 * what to repair, what to keep, when to play and when to skip.
 *
 * Invariant: nothing is forwarded or handed out that its broadcast key has not signed.
 *
 * Times are microseconds of one monotonic clock that never runs backwards; `now_us` is stored once
 * on entry. */
#ifndef NODE_H
#define NODE_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/crypto/random.h"
#include "core/crypto/read_key.h"
#include "core/crypto/sign.h"
#include "core/link/link.h"
#include "core/proto/fragment.h"
#include "core/proto/holder.h"
#include "core/proto/manifest.h"
#include "core/swarm/chunk.h"
#include "core/swarm/trace.h"

#define NODE_UPLOAD_UNLIMITED UINT64_MAX
#define NODE_CHANNELS_MAX SLOTS_MAX
#define NODE_NEIGHBOURS_DEFAULT 32
#define NODE_MEMORY_DEFAULT (64u << 20)

struct node;

struct node_config {
    const struct sign_key *identity; /* borrowed for the life of the node */
    struct random random;            /* for keys and nonces */
    uint64_t seed;                   /* for decisions */
    uint8_t role;                    /* enum peer_role */
    uint64_t max_upload_bps;         /* UDP payload and 28 bytes a datagram; 0: serve nobody */
    unsigned neighbours_max;         /* of one channel; 0: NODE_NEIGHBOURS_DEFAULT; most 128 */
    size_t memory_max;               /* bytes of chunks held; 0: NODE_MEMORY_DEFAULT */
    bool tells_chunks;               /* NODE_EVENT_CHUNK is wanted */
    struct chunk_pool *chunks;       /* borrowed, shared with other nodes; NULL: none */
    trace_sink *trace;               /* NULL: nobody reads along */
    void *trace_context;
};

struct node *node_new(const struct node_config *config, uint64_t now_us); /* NULL: no memory */
void node_free(struct node *n);

/* Takes part in a channel. `read_key` is NULL for a public channel or a relay; fragments are handed
 * out where `plays`. Returns the channel's index, or ERR_FULL, ERR_DUPLICATE, ERR_MEMORY. */
MUST_CHECK int node_join(struct node *n, const struct public_key *channel,
                         const struct read_key *read_key, bool plays, uint64_t now_us);
/* Says goodbye to the neighbours of every channel and closes the links: the datagrams are left for
 * node_transmit. */
void node_leave(struct node *n, uint64_t now_us);

/* The source's own: its manifest, signed (a new broadcast, or a new version of it), and its chunks
 * in order within a track. node_publish takes a reference. Returns 0, what manifest_open says,
 * ERR_STALE for a manifest that is not newer, ERR_STATE without a manifest, ERR_RANGE for a chunk
 * that does not belong to it. */
MUST_CHECK int node_set_manifest(struct node *n, int channel, const void *data, size_t len,
                                 uint64_t now_us);
MUST_CHECK int node_publish(struct node *n, int channel, struct chunk *chunk, uint64_t now_us);

void node_receive(struct node *n, const struct datagram *d, uint64_t now_us);
void node_expire(struct node *n, uint64_t now_us); /* call at node_deadline() */
uint64_t node_deadline(const struct node *n);
/* Fills ret->data (capacity at least LINK_DATAGRAM_SIZE), len and peer. 0 when idle or paced. */
size_t node_transmit(struct node *n, struct datagram *ret, uint64_t now_us);

/* Who may hold the channel, from discovery, memory or a hint. Candidates are dialled as needed. */
void node_holders_found(struct node *n, int channel, const struct holder *holders, size_t len,
                        uint64_t now_us);
void node_peer_found(struct node *n, int channel, const struct public_key *peer,
                     const struct endpoint *endpoint, uint64_t now_us);
/* An address without a peer id. */
void node_hint(struct node *n, int channel, const struct endpoint *endpoint, uint64_t now_us);
/* For epochs and freshness only. */
void node_set_utc(struct node *n, uint64_t utc_us, uint64_t now_us);
/* Endpoints under which holder records announce this node. */
void node_set_endpoints(struct node *n, const struct endpoint *endpoints, size_t len);

enum node_event_type {
    NODE_EVENT_MANIFEST = 1,   /* a manifest was taken: a new broadcast, or a new version of it */
    NODE_EVENT_FRAGMENT,       /* in order within its track, verified and opened */
    NODE_EVENT_END,            /* the broadcast has ended, and all of it is handed out */
    NODE_EVENT_FIND,           /* wants holders: look them up */
    NODE_EVENT_ANNOUNCE,       /* put `holder` under `epoch` */
    NODE_EVENT_ANNOUNCE_ENTRY, /* (source) put `entry` */
    NODE_EVENT_PEER_UP,        /* a neighbour of the channel: worth remembering */
    NODE_EVENT_PEER_BANNED,    /* sent what it must not: `err` says what */
    NODE_EVENT_OUTBID,         /* (source) a broadcast with a higher id is in the swarm */
    NODE_EVENT_CLOCK,          /* the local clock is off the source's; once */
    NODE_EVENT_CHUNK,          /* (tells_chunks) a chunk that came is verified whole */
};

struct node_event {
    enum node_event_type type;
    int channel;
    struct fragment *fragment; /* FRAGMENT: one reference, the taker's */
    bool new_broadcast;        /* MANIFEST */
    uint64_t epoch;            /* ANNOUNCE */
    struct public_key peer;    /* PEER_UP, PEER_BANNED */
    struct endpoint endpoint;  /* PEER_UP */
    uint8_t role;              /* PEER_UP: enum peer_role */
    int err;                   /* PEER_BANNED */
    uint64_t broadcast;        /* OUTBID */
    int64_t clock_error_us;    /* CLOCK: local minus the source's, at least */
    uint8_t track;             /* CHUNK, as the three below */
    bool random_access;
    uint32_t number;
    uint64_t capture_us;  /* UTC */
    struct holder holder; /* ANNOUNCE; set in no other event, as the next */
    struct entry entry;   /* ANNOUNCE_ENTRY: not yet signed */
};

/* Takes the oldest event. False: none. To be drained after every call that takes `now_us`. */
bool node_next_event(struct node *n, struct node_event *ret);

/* The channel's manifest, or NULL before one was taken (or without memory to decode it). Valid
 * until the next call. */
const struct manifest *node_manifest(const struct node *n, int channel);
const struct public_key *node_channel_key(const struct node *n, int channel);

struct node_channel_stats {
    uint64_t broadcast; /* 0: none known */
    bool on_air;        /* a head less than 10 s old, and the source is not silent */
    bool ended;
    unsigned neighbours, parents, children;
    uint64_t chunks_ok, chunks_missed, chunks_repaired, skips;
    uint64_t lag_p50_us, lag_p95_us, lag_p99_us; /* of the chunks of the last second */
    unsigned lag_samples;
    uint64_t first_chunk_us; /* when a random access point was verified; 0: not yet */
    uint64_t buffer_us;      /* media verified and not yet handed out */
    uint64_t holders_found;  /* peers that discovery named */
    uint64_t media_in;       /* payload bytes, first copies, verified */
    uint64_t media_out;      /* payload bytes of cells sent */
    uint64_t duplicate_in;   /* payload bytes of cells that were there already */
    uint64_t refused_unsolicited, refused_cell, refused_head, refused_stale, refused_equivocation,
        refused_message, peers_banned;
    uint64_t cells_dropped;    /* a full queue to a neighbour lost its oldest */
    uint64_t messages_dropped; /* the peer did not acknowledge those before */
};

struct node_stats {
    struct links_stats links;
    unsigned links_up;
    uint64_t control_in, control_out; /* UDP payload bytes that are not cells' payload */
    uint64_t media_out;               /* of all channels */
    uint64_t cells_out;               /* datagrams that carried a cell */
    uint64_t uplink_bps;              /* what it carries, as far as is known; 0: not yet */
    uint64_t demand_bps;              /* what subscribers would take now */
    bool uplink_short; /* fresh cells wait, or children who had found nobody else were refused */
};

void node_channel_stats(const struct node *n, int channel, struct node_channel_stats *ret);
void node_stats(const struct node *n, struct node_stats *ret);
/* Where those are that the node serves; returns how many, at most `max`. */
size_t node_children(const struct node *n, int channel, struct endpoint *ret, size_t max);

/* Bytes that it holds, without its links and without fragments in events. */
struct node_memory {
    size_t chunks; /* and what is known of each */
    size_t rest;
};
struct node_memory node_memory(const struct node *n);

/* Where many nodes live in one process, as a simulation's do, none of them is in the cache when its
 * turn comes. Called with `stage` from 0 to NODE_PREFETCH_STAGES - 1, some time apart, it asks for
 * what a datagram needs (`data` is NULL: a tick); each stage reads what the one before has asked
 * for, and nothing is changed. */
#define NODE_PREFETCH_STAGES 8
void node_prefetch(const struct node *n, unsigned stage, const uint8_t *data, size_t len);

#endif
