/* neighbour.h - a peer that shares a channel with us, and what we know of it there.
 *
 * A peer has one link and a neighbour for each channel that both are in. Everything that the peer
 * can fill has a bound here. */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/swarm/neighbour_stream.h"
#include "core/swarm/send_queue.h"

struct link;
struct channel;
struct cell;

#define PENDING_CELLS_MAX 64 /* cells without their head, from one neighbour */
#define ASKED_CELLS_MAX 32   /* chunks with cells asked for one by one, from one neighbour */
#define PROVEN_CELLS 40      /* after which a neighbour's word counts: 2 s of one substream */
#define SILENT_US (500 * US_PER_MS)
#define REQUESTS_BURST 256  /* cells that a neighbour may ask for at once, */
#define REQUESTS_PER_S 1024 /* and a second */
#define BACKLOG_BURST 4096  /* cells of backlog that it may draw at once: 10 s of 3 Mb/s, */
#define BACKLOG_PER_S 512   /* and a second, by subscribing again and again */

/* Cells that came before their head, unverified: neither played nor forwarded. */
struct pending_cell {
    uint8_t *payload; /* own copy; NULL: free */
    uint16_t len;
    uint8_t track, index;
    uint16_t number_low;
    uint32_t tag;
    uint64_t came_us;
    bool head_asked;
};

/* Cells that we asked this neighbour for one by one. */
struct asked_cells {
    uint64_t cells;
    uint32_t number;
    uint8_t track;
    bool head;
    uint64_t asked_us;
    uint64_t until_us; /* 0: free */
};

/* A token bucket: what a neighbour may make us do. */
struct budget {
    double tokens;
    uint64_t filled_us;
};

/* Takes `cost` tokens of a bucket that holds `burst` and gets `per_s`. False: there are too few. */
bool budget_spend(struct budget *b, double cost, double burst, double per_s, uint64_t now_us);

/* In lines of the cache: what every cell asks of it, what is queued for it, what choices ask, and
 * the rest. */
struct neighbour {
    _Alignas(64) struct peer *peer;
    struct link *link; /* the peer's */
    struct channel *channel;
    struct neighbour_stream *streams;
    uint8_t streams_len; /* the broadcast's tracks; all that can be before there is a manifest */
    uint8_t at;          /* its place in the channel's table */
    uint8_t index;       /* the channel's */
    bool has_hello;      /* its HELLO came: `slot` is valid */
    bool hello_sent;
    uint8_t slot; /* its number for the channel */
    uint8_t role, flags;
    struct asked_cells *asked; /* grows up to ASKED_CELLS_MAX */
    uint8_t asked_capacity, pending_len;
    uint8_t proven; /* cells of it that were verified, up to PROVEN_CELLS */
    bool has_offer;
    uint32_t unsolicited; /* cells that we had not asked for */
    uint64_t follows;     /* the broadcast that it takes part in, by its own word */

    struct send_queue queue;

    /* Its newest OFFER, less what we have asked for since. */
    uint64_t spare_bps, carried_bps, bar_bps, offered_us;
    uint64_t offer_sent_us;
    uint64_t have_version; /* of what we hold, as it was told; 0: nothing yet */
    uint64_t peers_sent_us;
    uint64_t probed_us; /* when it was last asked whether it is there, */
    uint64_t lost_us;   /* and when it was taken for gone; 0: never */
    uint64_t dry_us;    /* since when it says that it lacks what we take from it; 0: it does not */
    uint64_t heir_until_us; /* its streams' `heir` counts until then */

    struct neighbour *peer_next;  /* of the same peer, for another channel */
    struct pending_cell *pending; /* PENDING_CELLS_MAX; NULL while there are none */
    struct budget requests, backlog;
    uint64_t since_us;
    uint64_t peers_taken_us, candidates_taken_us, candidates_sent_us;
    uint64_t broadcast; /* the newest that it knows, as far as we know: we may have told it */
    uint64_t manifest_sent_us;
    uint32_t manifest_version;
    uint32_t manifest_sent; /* version of the one that was sent to it */
};

/* A linked peer: the link's owner data. */
struct peer {
    struct node *node;
    struct peer *next; /* of the node's */
    struct link *link;
    struct neighbour *neighbours; /* in the order of their channels: one, nearly always */
    uint64_t since_us;
    uint8_t turned_away;        /* 1 + the channel that had no room for it */
    bool was_up;                /* the link has been open */
    bool is_doomed;             /* its link is closed at the end of the step */
    uint8_t by_slot[SLOTS_MAX]; /* by the peer's slot: 1 + our channel index */
};

/* By our channel index, which is our slot; NULL: there is none. */
static inline struct neighbour *peer_neighbour(const struct peer *p, unsigned index) {
    struct neighbour *nb = p->neighbours;
    while (nb != NULL && nb->index != index) nb = nb->peer_next;
    return nb;
}

/* The neighbour that the peer said HELLO for with this slot; NULL: it did not. */
static inline struct neighbour *peer_at_slot(const struct peer *p, uint8_t slot) {
    return p->by_slot[slot] == 0 ? NULL : peer_neighbour(p, p->by_slot[slot] - 1u);
}

/* Each knows the other; the peer has none for that channel. */
void peer_add_neighbour(struct peer *p, struct neighbour *nb);
void peer_remove_neighbour(struct peer *p, const struct neighbour *nb);

struct neighbour *neighbour_new(struct peer *peer, struct channel *channel, uint64_t now_us);
/* The manifest says how many tracks there are. False: no memory for more than there were. */
MUST_CHECK bool neighbour_set_tracks(struct neighbour *nb, size_t tracks);
void neighbour_free(struct neighbour *nb);
/* It has delivered: claims cost nothing. */
static inline bool neighbour_is_proven(const struct neighbour *nb) {
    return nb->proven >= PROVEN_CELLS;
}
/* Gives back memory of what is over. */
void neighbour_trim(struct neighbour *nb, uint64_t now_us);
/* Nothing has come from it for SILENT_US and two round trips. */
bool neighbour_is_silent(const struct neighbour *nb, uint64_t now_us);
/* It has nothing to acknowledge, or something came from it within so long and a round trip. */
bool neighbour_acknowledges(const struct neighbour *nb, uint64_t within_us, uint64_t now_us);
uint64_t neighbour_rtt_us(const struct neighbour *nb);
uint64_t neighbour_received_us(const struct neighbour *nb); /* the newest authentic datagram */
/* It was taken for gone, and nothing has come from it since. */
bool neighbour_is_lost(const struct neighbour *nb);
uint32_t neighbour_id4(const struct neighbour *nb);
/* Told us that it holds the whole chunk. */
bool neighbour_holds(const struct neighbour *nb, uint8_t track, uint32_t number);
void neighbour_take_held(struct neighbour *nb, const struct held *held, uint64_t now_us);

/* Keeps an unverified cell. False: its PENDING_CELLS_MAX are there already, or no memory. */
bool neighbour_keep_pending(struct neighbour *nb, const struct pending_cell *cell,
                            const uint8_t *payload);
void neighbour_drop_pending(struct neighbour *nb, struct pending_cell *cell);
void neighbour_drop_all_pending(struct neighbour *nb);

/* Remembers what was asked; false where the table is full. */
bool neighbour_ask(struct neighbour *nb, uint8_t track, uint32_t number, uint64_t cells, bool head,
                   uint64_t until_us, uint64_t now_us);
struct asked_cells *neighbour_asked(struct neighbour *nb, uint8_t track, uint32_t number);
/* Whether this cell, or head, was asked of it: standing or one by one. */
bool neighbour_expects_cell(struct neighbour *nb, uint8_t track, uint32_t number, uint8_t index,
                            uint8_t substream, uint64_t now_us);
bool neighbour_expects_head(struct neighbour *nb, uint8_t track, uint32_t number, uint64_t now_us);
/* Takes `cells` from the budget of what it may request. False: too much. */
bool neighbour_spend_requests(struct neighbour *nb, unsigned cells, uint64_t now_us);
/* One cell of backlog. False: it has drawn too much. */
bool neighbour_spend_backlog(struct neighbour *nb, uint64_t now_us);
/* Marks the head as sent to it; false where it was marked already. */
bool neighbour_mark_head(struct neighbour *nb, uint8_t track, uint32_t number);
/* For a new broadcast: all of the old is void, on both sides. */
void neighbour_reset_streams(struct neighbour *nb);

#endif
