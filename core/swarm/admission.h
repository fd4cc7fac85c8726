/* admission.h - which children the uplink can carry, which come first where it cannot carry all,
 * and which should go elsewhere.
 *
 * Reckoned by what is granted, not by what flows: every granted substream at its full rate.
 * `index` is a substream, or SUPPLY_HEADS for a track's heads. Only core/swarm includes this file.
 */
#ifndef ADMISSION_H
#define ADMISSION_H

#include "core/swarm/channel.h"

/* Whoever is sent cells acknowledges them: a child that does not is gone. */
bool admission_is_there(const struct neighbour *nb);
/* There is room for one more child of the substream; for a starved one more of the uplink counts.
 */
bool admission_grants(const struct channel *c, const struct stream *s,
                      const struct neighbour *child, unsigned index, bool starved);
/* Granting it would put the child above itself. */
bool admission_makes_loop(const struct channel *c, const struct stream *s,
                          const struct neighbour *child, unsigned index);
/* Makes room for a child that is worth at least twice (what it passes on, and could) as much as one
 * that has the substream now: that one is asked to take it elsewhere, from its heir. */
bool admission_preempts(struct channel *c, struct stream *s, const struct neighbour *child,
                        unsigned index, uint64_t now_us);
/* Makes room for a starved child at the cost of one with a lower score (worth, and how much of the
 * stream it gets), which loses a substream at once. */
bool admission_yields(struct channel *c, struct stream *s, const struct neighbour *child,
                      unsigned index);
/* The source: makes room for a child that has less than its part of the substreams, at the cost of
 * one that has more, which is asked to take this one elsewhere. */
bool admission_spreads(struct channel *c, const struct stream *s, const struct neighbour *child,
                       unsigned index, uint64_t now_us);
/* What the neighbour passes on, and could, by its OFFER: what it would be worth near the source. */
uint64_t admission_worth_bps(const struct neighbour *nb);
/* Times another's worth: clearly more, so that even a place on which many hang changes hands. */
#define WORTH_CLEAR 4
/* It is worth so much of the stream that others hang on it. */
bool admission_is_carrier(const struct neighbour *nb);
/* Upload that could be given to more children. */
uint64_t admission_spare_bps(const struct node *n);
/* By its OFFER, that the neighbour would give to us: to those who have it from another less. */
uint64_t admission_spare_of_bps(const struct neighbour *nb, bool starved);
/* Media that is granted to children, at the full rate of each substream. */
uint64_t admission_carried_bps(const struct node *n);
/* Whoever is worth more than this takes the place of a child. */
uint64_t admission_bar_bps(const struct channel *c);
/* What one more child of a substream, or of the heads, takes. */
uint64_t admission_cost_bps(const struct stream *s, unsigned index);
/* Marks what children should take elsewhere (the source's copies beyond the free ones), ends what
 * they had time for, what the uplink does not carry, and what we have no supply of ourselves. */
void admission_mark_excess(struct channel *c, struct stream *s, uint64_t now_us);
/* What starved children of all channels asked for lately and could not have. */
uint64_t admission_refused_bps(const struct node *n, uint64_t now_us);

/* What comes to us, or will not change any more: who has neither would only promise. */
bool admission_has_supply(const struct channel *c, const struct stream *s, unsigned index);

#endif
