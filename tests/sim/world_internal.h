/* world_internal.h - what the files of a simulated swarm share. */
#ifndef WORLD_INTERNAL_H
#define WORLD_INTERNAL_H

#include "core/base/rng.h"
#include "core/swarm/publisher.h"
#include "tests/sim/world.h"
#include "tests/sim/world_liars.h"

#define UTC_START_US 1700000000000000ull /* of virtual time 0 */
#define WORLD_CHUNKS_MAX 262144          /* of a track in one run */
#define WORLD_TRACKS 2
#define VIDEO 0
#define AUDIO 1
#define FETCHED_MAX 32 /* records that one look-up brings */

enum peer_kind {
    KIND_SOURCE,
    KIND_VIEWER,
    KIND_FREE_RIDER,
    KIND_POLLUTER,
    KIND_REPLAYER,
    KIND_TWIN,     /* a second source with the first one's keys, which signs other chunks */
    KIND_NEWCOMER, /* whom liars surround */
};

/* Which chunks of one track a peer has got, of those of the measured window: bit i is the window's
 * i-th chunk. */
struct taken {
    bool has_from;
    uint32_t from; /* the first chunk that counts: its first random access point */
    uint64_t *came, *on_time;
};

/* What nodes have sent: bytes with IP and UDP headers, payload of cells, and of what came, first
 * copies and duplicates. */
struct node_totals {
    uint64_t bytes, datagrams, media, cells, first, duplicate;
};

/* A place in the swarm. Who leaves it makes room for another peer, with an identity and an address
 * of its own. */
struct resident {
    struct world *world;
    uint32_t number, life;
    enum peer_kind kind;
    bool is_up, plays, is_leaving;
    double x, y;
    uint64_t uplink_bps;
    struct sign_key identity;
    struct node *node;
    int channel;
    struct rng rng;
    uint64_t started_us, ends_us, first_us; /* first_us: its first random access point; or NEVER */
    uint64_t honest_us;                     /* when it first met somebody honest; NEVER: not yet */
    uint64_t true_us;                       /* when it first had a chunk of the true broadcast */
    struct taken taken[WORLD_TRACKS];
    uint64_t fragments, fragments_wrong, discontinuities; /* handed out, as in world_peer */
    bool has_ended;
    uint64_t usual_lag_us; /* smoothed */
    /* A parent vanished: how much later than usual the latest chunk of the next second came. */
    uint64_t orphaned_us, orphan_usual_us, orphan_worst_us; /* orphaned_us 0: none did */
    bool is_exposed;         /* a polluter that is about to come back as another peer */
    struct replay replay;    /* of a replayer */
    uint64_t twin_broadcast; /* of which the twin has the manifest */
};

/* A holder's record in the model of the DHT. */
struct record {
    struct holder holder;
    uint32_t owner;
    uint64_t epoch, visible_us;
};
#define RECORDS_MAX 4096 /* the newest; an epoch of 1,000 peers is 1,000 of them */

struct lookup;

/* A fragment, by when it was captured: what a viewer is handed must be its bytes. */
struct genuine {
    uint64_t capture_us, mix;
    uint64_t other; /* of the variant that the twin signed, or 0 */
};

struct world {
    struct scenario scenario;
    uint64_t seed;
    struct network *network;
    struct rng rng;
    struct random random;
    struct chunk_pool *pool;
    uint64_t stream_bps;
    uint64_t heard_us;          /* the source's network is back since then */
    uint64_t window_us, end_us; /* the measured window */
    unsigned places;
    struct resident *residents;
    uint64_t pair_key; /* from which pairs that cannot connect follow */
    bool is_parted, is_source_cut, is_measuring;
    /* the channel */
    struct sign_key channel_key, broadcast_key;
    struct read_key read_key;
    struct manifest manifest;
    uint8_t manifest_bytes[MANIFEST_SIZE_MAX];
    size_t manifest_len;
    struct publisher publisher;
    uint64_t broadcast_us, frame, audio_frame;
    uint8_t audio_track;
    bool has_ended; /* the broadcast on air */
    struct rng media_rng;
    /* When each chunk was published, by its place in the run: the numbers of a broadcast start at
     * `number_base`. */
    uint64_t *published_us[WORLD_TRACKS];
    uint32_t published_len[WORLD_TRACKS], number_base[WORLD_TRACKS];
    uint32_t window_first[WORLD_TRACKS]; /* first one of the measured window */
    struct genuine *genuine[WORLD_TRACKS];
    uint32_t genuine_len[WORLD_TRACKS];
    /* the DHT */
    struct record *records;
    size_t records_len, records_next;
    struct lookup *lookups, *lookups_idle;
    struct entry entry;
    uint64_t entry_us;
    struct liars *liars;
    unsigned told; /* whose decisions are written, and where to; NULL: nobody's */
    FILE *tell_to;
    FILE *census_to;              /* where the state of all is written; NULL: nowhere */
    uint64_t census[TRACE_KINDS]; /* decisions in this second */
    /* the measurement */
    struct report report;
    struct lag_histogram *second_lag; /* by the second of publication */
    uint64_t window_chunks_max;       /* of a track: the size of the bitmaps */
    struct lag_histogram free_rider_lag;
    struct node_totals ended;     /* of nodes that have ended */
    struct node_totals at_window; /* of all, when the measured window began */
    struct node_totals at_second; /* when this second began */
    struct node_totals source_ended, source_at_window, source_at_second;
    uint64_t media_bytes, media_at_window; /* that the source has published */
    uint64_t *startups_us, *failovers_us;
    size_t startups_len, failovers_len, startups_max, failovers_max;
    uint64_t counted, on_time;                 /* chunks x peers */
    uint64_t settled_counted, settled_on_time; /* of peers that were there before a crowd came */
};

_Noreturn void world_fail(const char *what);
void *world_allocate(size_t count, size_t size);

/* world_plan.c: places, uplinks, paths. */
void plan_lay_out(struct world *w);

/* world_peers.c */
void peers_start(struct resident *p);
void peers_schedule(struct world *w);
void peers_stop(struct resident *p, bool says_goodbye);
void peers_take_events(struct resident *p);

/* world_tell.c: context is the resident. */
void tell_decision(void *context, const struct trace_event *e);

/* world_census.c */
void census_decision(void *context, const struct trace_event *e);
void census_second(struct world *w);

/* world_media.c */
void media_describe(struct world *w);
void media_go_on_air(struct world *w);
/* Fragment `k` of a track, of bytes that are drawn; when it follows on the broadcast's start. */
struct fragment *media_fragment(struct world *w, uint8_t track, uint64_t k, uint64_t capture_us);
/* From a fragment's capture to its publication. */
uint64_t media_delay_us(const struct world *w, uint8_t track);
uint64_t media_at_us(const struct world *w, uint8_t track, uint64_t k);

/* world_dht.c */
void records_announce(struct resident *p, const struct holder *holder, uint64_t epoch);
void records_announce_entry(struct world *w, const struct entry *entry);
void records_look_up(struct resident *p);
void records_release(struct world *w);

/* world_measure.c: what is counted while it happens. */
void measure_start(struct world *w);
void measure_release(struct world *w);
void measure_new_broadcast(struct world *w);
void measure_source_heard(struct world *w); /* again: its network was down */
void measure_published(struct world *w, const struct head *h);
void measure_genuine(struct world *w, const struct fragment *f);
/* As genuine as the latest of its track, whose capture time it has. */
void measure_also_genuine(struct world *w, const struct fragment *f);
void measure_began(struct resident *p);
void measure_chunk(struct resident *p, const struct node_event *e);
void measure_fragment(struct resident *p, const struct fragment *f);
void measure_ends(struct resident *p);     /* its node is about to end */
void measure_vanishes(struct resident *p); /* without goodbye */
void measure_finish(struct world *w);      /* those that are up at the end */

/* world_bytes.c: who has sent how much, of what. */
struct node_totals bytes_of(const struct resident *p);
void bytes_begin(struct world *w); /* the measured window */
void bytes_end(struct resident *p);
void bytes_second(struct world *w, struct report_second *ret);
void bytes_report(struct world *w);

#endif
