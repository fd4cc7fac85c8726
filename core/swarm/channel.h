/* channel.h - one channel on this node: its manifest, streams, neighbours and timers.
 *
 * One file acts on it for each concern, and what others need of it is declared here: supply*.c
 * (whom we take from), repair.c, have.c, offer.c, gossip.c (HELLO, MANIFEST, PEERS), cells.c (heads
 * and cells as they come), play.c, count.c, announce.c. Whom we send to has headers of its own:
 * serve.h and admission.h. Only core/swarm includes this file. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "core/swarm/lag.h"
#include "core/swarm/neighbour.h"
#include "core/swarm/neighbour_set.h"
#include "core/swarm/node.h"
#include "core/swarm/rest.h"
#include "core/swarm/sampler.h"
#include "core/swarm/stream.h"
#include "core/swarm/tally.h"

/* An oracle mesh of 1,000 peers had a p99.9 of 3.9 s with 8 neighbours and of 0.53 s with 16. */
#define NEIGHBOURS_TARGET 16
#define DIALS_MAX 4 /* at once, */
#define DIALS_FEW 8 /* with fewer than NEIGHBOURS_FEW links, */
#define NEIGHBOURS_FEW 8
#define DIAL_BPS 150000                /* of uplink for each dial at a time */
#define DIALS_EAGER 12                 /* and as many more while no link is up, one each */
#define DIAL_SLOW_US (600 * US_PER_MS) /* without an answer: one more in its place */
#define DIAL_EAGER_US (100 * US_PER_MS)
#define TICK_US (25 * US_PER_MS) /* while media flows: a frame at 40/s */
#define TICK_IDLE_US (250 * US_PER_MS)
#define PENDING_WAIT_US (20 * US_PER_MS) /* of a cell, until its sender is asked for the head */
#define OFFSET_WINDOW_US (10 * US_PER_S) /* clocks drift, and are set */
#define ON_AIR_US (10 * US_PER_S)
#define CLOCK_ERROR_MAX_US (10ll * 60 * (int64_t)US_PER_S)

/* Of the manifest what is needed all the time; the rest is decoded when it is asked for. */
struct manifest_facts {
    uint64_t broadcast;
    uint64_t expires_s;
    uint32_t version;
    uint8_t flags;
    uint8_t tracks_len;
    struct public_key broadcast_key;
    uint8_t delegation[SIGNATURE_BYTES];
};

struct channel {
    struct node *node;
    uint8_t index; /* which is also our slot on every link */
    struct public_key key;
    bool has_read_key;
    struct read_key read_key;
    bool plays;
    bool is_source;

    bool has_manifest;
    struct manifest_facts manifest;
    uint8_t *manifest_bytes;
    uint16_t manifest_len;
    struct manifest *opened; /* NULL until it is asked for */

    size_t streams_len;
    struct stream *streams; /* by track; of the current broadcast */

    size_t neighbours_len, neighbours_capacity;
    struct neighbour **neighbours; /* the table grows up to NEIGHBOURS_MAX */
    uint64_t *have_us;             /* beside it: when each may be told again what we hold */
    struct neighbour_set waiting[SEND_CLASSES]; /* whose queue has something of the class, */
    struct neighbour_set pending;               /* who has sent cells that wait for their head */
    struct neighbour_set carriers; /* who passes on, or could, a good part of the stream, */
    struct neighbour_set behind;   /* whose fresh cells have waited for long, */
    struct neighbour_set paced;    /* and whose path lets nothing go before uplink.paced_until_us */
    struct tally tally;
    struct sampler sampler;

    /* The least of (local arrival - capture) of any head: time relative to the source. */
    bool has_offset;
    int64_t offset_us;        /* over the last one to two OFFSET_WINDOW_US */
    int64_t offset_recent_us; /* in the window that is being filled */
    uint64_t offset_since_us;
    uint64_t head_us;            /* when the newest head came */
    uint64_t media_us;           /* when a cell or head last came, from whomever */
    struct budget repairs, lost; /* cells that may be asked for, and go first once lost */
    bool clock_said, ended, end_said;
    struct rest rest;

    uint64_t have_version;             /* of what we hold: grows with it */
    bool have_behind;                  /* somebody may not know the newest */
    bool asks_changed, grants_changed; /* some neighbour's: to be sent with the next tick */
    uint64_t gossip_us;                /* when some neighbour is to hear of others */

    uint64_t worth_us, worth_bps; /* what we are worth to a parent, as reckoned then */
    uint64_t linked_us;           /* when a link to a neighbour was last up */
    uint64_t trim_us;             /* when memory that is idle is next given back */
    uint64_t tick_us, climb_us;   /* when channel_tick is due, and climb_tick */
    uint64_t eager_us;      /* when another neighbour may be asked before there is a manifest */
    uint64_t balance_us;    /* when the parents are next rebalanced */
    uint64_t find_us;       /* when holders were last looked up, */
    uint64_t find_pause_us; /* and for how long they are not again, with few neighbours; 0: never */
    uint8_t find_percent;   /* of the usual time, with more */
    uint64_t announce_us;   /* when the next record is due, 0: not planned */
    uint64_t announce_epoch;
    uint64_t entry_us;
    uint64_t shed_us;
    uint64_t told_us; /* when all neighbours were last told out of turn what we lack, */
    struct budget news, news_children; /* and how often they, and the children, may be */

    struct lag_samples lag;
    struct node_channel_stats stats;
};

/* Where a chunk stands in time relative to the source: how long after the earliest possible arrival
 * it is now. 0 before the first head. */
uint64_t channel_lateness_us(const struct channel *c, uint64_t capture_us, uint64_t now_us);
/* How often each neighbour is told what we have: with a thin stream that is a large part of it. */
uint64_t channel_tell_us(const struct channel *c);
struct stream *channel_stream(struct channel *c, uint8_t track); /* NULL: no such track */
void channel_wake(struct channel *c, uint64_t now_us);           /* a tick at once */
/* Links with neighbours that are up; those that may soon be. */
unsigned channel_links_up(struct channel *c, unsigned *ret_dialling, uint64_t now_us);
void channel_tick(struct channel *c, uint64_t now_us);
bool channel_add_neighbour(struct channel *c, struct neighbour *nb);
/* The neighbour that is this peer, or NULL. */
struct neighbour *channel_neighbour(const struct channel *c, const struct public_key *peer);
/* Takes it out everywhere and frees it. */
void channel_drop_neighbour(struct channel *c, struct neighbour *nb, uint64_t now_us);
/* The peer sent what it must not: its link ends, and it stays away. */
void channel_ban(struct channel *c, struct neighbour *nb, int err, uint64_t now_us);
const struct manifest *channel_manifest(struct channel *c); /* NULL: none, or no memory */
/* A later broadcast than ours, or a later version of it. */
bool channel_is_newer(const struct channel *c, const struct manifest *m);
/* Takes a manifest that is newer than ours; `data` was opened into `m`. */
void channel_take_manifest(struct channel *c, const struct manifest *m, const void *data,
                           size_t len, uint64_t now_us);

/* gossip.c */
void gossip_hello(struct neighbour *nb, uint64_t now_us);
void gossip_manifest(struct neighbour *nb, uint64_t now_us);
void gossip_peers(struct neighbour *nb, uint64_t now_us);
/* Others who look for neighbours are told of it. */
void gossip_note_turned_away(struct channel *c, const struct link *link, uint64_t now_us);
void gossip_bye(struct neighbour *nb, enum bye_reason reason, uint64_t now_us);
void gossip_tick(struct channel *c, uint64_t now_us);
void gossip_take_hello(struct neighbour *nb, const struct hello *m, uint64_t now_us);
void gossip_take_manifest(struct neighbour *nb, const struct manifest_message *m, uint64_t now_us);
void gossip_take_peers(struct neighbour *nb, const struct peers *m, uint64_t now_us);

/* supply.c: our parents. */
void supply_tick(struct channel *c, uint64_t now_us);
void supply_flush(struct channel *c, uint64_t now_us); /* SUBSCRIBEs that are to be sent */
void supply_take_grant(struct neighbour *nb, const struct grant *m, uint64_t now_us);
/* A cell or head came from a parent: it is alive. `delay_us` is how long after its head a cell
 * came, and how late a head is. */
void supply_arrived(struct stream *s, struct neighbour *nb, unsigned index, uint64_t delay_us,
                    uint64_t capture_us, uint64_t now_us);
/* How long after its head a cell of the substream may come before it counts as overdue: what is
 * usual for the parent, which there must be, and time for a repair of its own; at least this. */
#define SUPPLY_PATIENCE_US (50 * US_PER_MS)
uint64_t supply_patience_us(const struct supply *supply);
/* The earliest of the last few seconds. */
int64_t supply_least_arrival_us(const struct supply *supply);
/* The first head of the stream was verified: fixes where we start. */
void supply_set_start(struct stream *s, const struct neighbour *from, const struct head *h,
                      uint64_t now_us);

void first_tick(struct channel *c, uint64_t now_us); /* first.c, and below repair.c */
void repair_tick(struct channel *c, uint64_t now_us);
void repair_take_gap(struct neighbour *nb, const struct gap *m, uint64_t now_us);
void repair_arrived(struct channel *c, struct slot *slot, uint8_t track, uint32_t index,
                    struct neighbour *from, uint64_t now_us);

/* have.c */
void have_changed(struct channel *c); /* we hold more than before */
/* The neighbour knows nothing yet of what we hold: it is told with the next tick. */
void have_greet(struct neighbour *nb);
void have_ask(struct channel *c); /* tells all with the next tick; who has more says so */
void have_tick(struct channel *c, uint64_t now_us);
void have_take(struct neighbour *nb, const struct have *m, uint64_t now_us);

/* offer.c: how late we have what, and what we could give. */
void offer_tick(struct channel *c, uint64_t now_us);
void offer_take(struct neighbour *nb, const struct offer *m, uint64_t now_us);
uint16_t offer_spare(const struct channel *c);

/* cells.c: what comes. */
void cells_take_head(struct neighbour *nb, const struct head_message *m, uint64_t now_us);
void cells_take_cell(struct neighbour *nb, const struct cell *cell, uint64_t now_us);
void cells_tick(struct channel *c, uint64_t now_us); /* heads that pending cells wait for */
int cells_publish(struct channel *c, struct chunk *chunk, uint64_t now_us);

/* play.c and count.c */
void play_step(struct channel *c, uint64_t now_us);
void count_complete(struct channel *c, struct slot *slot, uint64_t now_us);
void count_tick(struct channel *c, uint64_t now_us);

/* announce.c */
void announce_tick(struct channel *c, uint64_t now_us);
void announce_describe(const struct channel *c, struct holder *ret);
void announce_describe_entry(const struct channel *c, struct entry *ret);

#endif
