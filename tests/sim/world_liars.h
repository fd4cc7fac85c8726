/* world_liars.h - peers that do not keep to the rules, and who falls for them.
 *
 * They are made of the program's own nodes; the engine has no attack code. A polluter's calls are
 * led astray by the linker (liars.symbols), a replayer and the source's twin are nodes that publish
 * what they should not. Who is a liar is known from its place: every identity that a place ever had
 * is kept, so that those that have left and come back are told apart too. */
#ifndef WORLD_LIARS_H
#define WORLD_LIARS_H

#include <stdbool.h>

#include "core/proto/fragment.h"
#include "core/swarm/publisher.h"

struct world;
struct resident;

/* world_liars.c */
void liars_prepare(struct world *w);
void liars_release(struct world *w);
bool liars_is_one(const struct resident *p); /* a polluter or a replayer */
void liars_started(struct resident *p);      /* it is up, and anybody may be a liar */
/* True while liars surround `p`: its look-up brought them and nobody else. */
bool liars_surround(struct resident *p);
/* A link came up, or was ended as hostile, with the peer of that identity. */
void liars_note_met(struct resident *p, const struct public_key *peer);
void liars_note_banned(struct resident *p, const struct public_key *peer);
/* Up to `max` liars that are up, from a random one on, to be named as if they were anybody. */
struct peer_entry;
size_t liars_name(struct resident *p, struct peer_entry *ret, size_t max);

/* world_polluters.c: the calls of the engine from here on are this peer's; NULL: nobody's. */
void liars_act(struct resident *p);
/* Its cells were refused: it comes back as another peer. */
void polluter_exposed(struct resident *p);

/* world_replay.c: broadcasts of the past, signed by the channel. */
struct recording;
struct recording *recording_new(struct world *w, uint64_t age_us);
void recording_free(struct recording *r);
/* Goes on air with it; `over` is called when all of it is published. */
struct replay {
    const struct recording *recording;
    uint64_t began_us;
    size_t next;
    void (*over)(struct resident *p);
};
void replay_begin(struct resident *p, const struct recording *r, void (*over)(struct resident *p));

/* world_twin.c: the source's keys in a second node. */
void twin_started(struct resident *p);
/* What the source is about to publish; `before` is the publisher as it was before it. */
void twin_publish(struct world *w, const struct fragment *f, const struct publisher *before);

#endif
