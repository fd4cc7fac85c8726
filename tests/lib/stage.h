/* stage.h - a few nodes on a simulated network, and a source that publishes a known broadcast.
 *
 * A stage owns the network and everything on it. Node events are taken as they come and counted;
 * fragments are compared with the broadcast byte by byte. Virtual time, one seed: the same stage
 * gives the same run. */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include "core/swarm/node.h"
#include "tests/lib/broadcast.h"
#include "tests/lib/hostile_peer.h"
#include "tests/lib/network.h"

#define STAGE_HOSTS 40
#define STAGE_CHUNKS_MAX 4096            /* of a track, that a source remembers */
#define STAGE_UTC_US 1700000000000000ull /* at time 0 */

struct stage;

/* What a node handed out of one track. */
struct played {
    uint32_t fragments, first, last;
    unsigned wrong;      /* bytes are not the broadcast's */
    unsigned disordered; /* not after the one before */
    unsigned skipped;    /* numbers passed over */
    unsigned ends;
};

struct actor {
    struct stage *stage;
    unsigned host;
    struct sign_key identity;
    struct node *node;
    bool holds_events; /* leaves them in the node's ring */
    struct played played[TRACKS_MAX];
    unsigned expiries; /* times that a deadline woke it */
    unsigned manifests, broadcasts, ends, finds, announces, entries, peers_up, bans, clocks;
    struct public_key banned;
    int ban_err;
};

/* Publishes video of one size every 33 ms with a random access point every `keyint`, and audio. */
struct origin {
    struct stage *stage;
    struct actor *actor;
    struct broadcast broadcast;
    size_t video_len, audio_len;
    uint32_t keyint;
    uint32_t number; /* of the next fragment; the same for both tracks */
    bool is_stopped;
    int64_t clock_error_us; /* of its capture times */
    uint64_t sound_us;      /* from the capture of the sound to its publication */
    size_t chunks_len[2];
    struct chunk *chunks[2][STAGE_CHUNKS_MAX];
};

struct stage {
    struct network *network;
    uint64_t seed;
    struct actor actors[STAGE_HOSTS];
    struct hostile_peer hostiles[STAGE_HOSTS];
};

/* Every path has this delay one way and nothing else. */
void stage_init(struct stage *s, uint64_t seed, uint64_t delay_us);
void stage_release(struct stage *s);
uint64_t stage_now(const struct stage *s);
void stage_run(struct stage *s, uint64_t for_us);

/* A node on this host that joined b's channel, with the right time. `config` may be NULL or have
 * its identity, seeds and time left out: unlimited upload, a viewer. */
struct actor *stage_node(struct stage *s, unsigned host, const struct broadcast *b,
                         const struct node_config *config);
/* The same with everything chosen: a relay has no read key. */
struct actor *stage_node_as(struct stage *s, unsigned host, const struct broadcast *b,
                            const struct node_config *config, bool has_read_key, bool plays,
                            bool has_utc);
/* As if its process had been killed. */
void stage_kill(struct stage *s, struct actor *a);
void stage_introduce(struct actor *a, const struct actor *to);
struct node_channel_stats actor_stats(const struct actor *a);
struct hostile_peer *stage_hostile(struct stage *s, unsigned host);
/* Dials the node and joins the channel. */
void hostile_meet(struct hostile_peer *p, const struct actor *a, const struct broadcast *b);
void stage_introduce_hostile(struct actor *a, const struct hostile_peer *p);

/* Its node knows the manifest at once and publishes from now on. */
void origin_start(struct origin *src, struct stage *s, unsigned host, uint64_t id, bool is_private);
/* Publishes on a node that stands. */
void origin_start_on(struct origin *src, struct stage *s, struct actor *a, uint64_t id,
                     bool is_private);
/* Only cuts chunks: `n` fragments of each track, captured from `utc_us` on. */
void origin_record(struct origin *src, uint64_t id, uint32_t n, uint64_t utc_us);
/* Publishes the signed end of both tracks and nothing more. */
void origin_end(struct origin *src);
void origin_stop(struct origin *src); /* without an end */
void origin_resume(struct origin *src);
void origin_release(struct origin *src);

#endif
