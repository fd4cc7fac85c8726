/* world.h - a simulated swarm: the program's own nodes on a simulated network, in virtual time.
 *
 * Peer 0 is the source. The others come and go as the scenario says; each has a place in a plane
 * (which gives its delays), an uplink, a clock, and a generator of its own. Discovery is a model of
 * the DHT (world_dht.c), the media is made up (world_media.c).
 * Invariant: the same scenario and seed give the same run, which its trace tells. */
#ifndef WORLD_H
#define WORLD_H

#include "core/swarm/node.h"
#include "tests/lib/network.h"
#include "tests/sim/report.h"
#include "tests/sim/scenario.h"

struct world;

/* The scenario is copied. Fails loudly: a simulation that lacks memory has no result. */
struct world *world_new(const struct scenario *scenario, uint64_t seed);
void world_free(struct world *w);

/* Virtual time from the start of the warm-up. */
void world_run(struct world *w, uint64_t until_us);
/* The whole run: warm-up, then the measured window. */
void world_run_all(struct world *w);
/* Fills all but what only the caller knows (processor time). */
void world_report(struct world *w, struct report *ret);

uint64_t world_now(const struct world *w);
struct network *world_network(struct world *w);
unsigned world_peers(const struct world *w); /* places, the source's among them */
bool world_is_up(const struct world *w, unsigned peer);
/* NULL while it is down. Its channel is 0. */
struct node *world_node(struct world *w, unsigned peer);
/* A viewer with children, at random; 0: there is none. */
unsigned world_serving_peer(struct world *w);
/* Writes from now on what the node at that place decides, or what all do, each line with the place
 * before it, in words; asked for before the node starts. */
#define WORLD_TELL_ALL UINT_MAX
void world_tell(struct world *w, unsigned peer, FILE *to);
/* Writes a line each second about all nodes: what they lack, and what their uplinks do. */
void world_census(struct world *w, FILE *to);
/* Gone from one moment to the next: no goodbye, nobody comes in its place. */
void world_kill(struct world *w, unsigned peer);
/* Kills it where it is up, and starts another in its place: a new identity and address, and of the
 * source a new broadcast. */
void world_restart(struct world *w, unsigned peer);
/* The source, which is up, ends the broadcast, signed. */
void world_end(struct world *w);
/* Payload that the source has published so far, over all broadcasts. */
uint64_t world_media_bytes(const struct world *w);
/* A hash over all that has happened: equal for the same scenario, seed and calls. */
uint64_t world_trace(const struct world *w);

struct world_peer {
    uint64_t chunks, missed; /* counted so far in the measured window; missed among them */
    uint64_t usual_lag_us;   /* smoothed; 0: none yet */
    uint64_t start_us; /* from its start to its first random access point; TIME_NEVER: not yet */
    uint64_t uplink_bps;
    /* Handed out to be played; those whose bytes are not what the source made; breaks. */
    uint64_t fragments, fragments_wrong, discontinuities;
    bool uploads;
    bool has_ended; /* it has played to the signed end */
};
struct world_peer world_peer(const struct world *w, unsigned peer);

#endif
