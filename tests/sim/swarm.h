/* swarm.h - a simulated swarm: the program's own nodes on a simulated network, in virtual time.
 *
 * One source, some viewers; discovery is a model: a node that asks for holders gets those that have
 * announced themselves, after a delay. The media is made up (random bytes in real chunks, signed by
 * real keys), at the rate, frame rate and keyframe size that the scenario says.
 * Invariant: the same scenario and seed give the same run, which swarm_trace tells. */
#ifndef SWARM_H
#define SWARM_H

#include <stdbool.h>

#include "core/swarm/node.h"
#include "tests/lib/network.h"

#define SWARM_PEERS_MAX 100

struct swarm_scenario {
    unsigned peers; /* the source among them, as peer 0 */
    uint64_t seed;
    uint64_t delay_least_us, delay_most_us; /* one way, uniform over pairs */
    uint64_t jitter_us;
    double loss;
    uint64_t source_upload_bps, upload_bps; /* 0: no limit but the node's own */
    uint32_t bitrate_bps;
    unsigned fps;
    unsigned keyframe_ratio; /* size of a keyframe against the mean */
    bool has_audio;
    bool is_private;
    uint64_t join_spread_us; /* viewers start at random within it */
    uint64_t find_us;        /* what a look-up takes */
};

struct swarm;

struct swarm_scenario swarm_scenario_default(void);
struct swarm *swarm_new(const struct swarm_scenario *scenario);
void swarm_free(struct swarm *s);

void swarm_run(struct swarm *s, uint64_t for_us);
uint64_t swarm_now(const struct swarm *s);
struct network *swarm_network(struct swarm *s);
/* Gone from one moment to the next: no goodbye. */
void swarm_kill(struct swarm *s, unsigned peer);
/* The same peer again, with a new node and, for the source, a new broadcast. */
void swarm_restart(struct swarm *s, unsigned peer);
bool swarm_is_up(const struct swarm *s, unsigned peer);
/* The source ends the broadcast. */
void swarm_end(struct swarm *s);

struct node *swarm_node(struct swarm *s, unsigned peer);
/* A peer with children, at random, other than the source; 0: there is none. */
unsigned swarm_serving_peer(struct swarm *s);

struct swarm_peer {
    struct node_channel_stats stats;
    struct node_stats node;
    uint64_t fragments;       /* handed out */
    uint64_t fragments_wrong; /* their bytes are not what the source made */
    uint64_t discontinuities;
    uint64_t start_us; /* from its start to the first fragment; 0: none yet */
    bool has_ended;
};
struct swarm_peer swarm_peer(struct swarm *s, unsigned peer);
/* Media payload bytes that the source has made. */
uint64_t swarm_media_bytes(const struct swarm *s);
uint64_t swarm_trace(const struct swarm *s);

#endif
