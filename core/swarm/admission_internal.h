/* admission_internal.h - what admission.c reckons by and admission_excess.c acts on. Nobody else
 * includes it. */
#ifndef ADMISSION_INTERNAL_H
#define ADMISSION_INTERNAL_H

#include "core/swarm/admission.h"

#define SOURCE_COPIES 1         /* of a substream, that the source gives freely */
#define SOURCE_COPIES_MOST 4    /* where its uplink is wide: */
#define COPY_PERCENT 40         /* as many as so much of it carries, */
#define COPY_NEIGHBOURS 4       /* and one for so many neighbours */
#define SOURCE_COPIES_STARVED 2 /* and so many more to those that have it from nobody */
#define SOURCE_HEADS_THIN 2     /* children with heads, where its uplink has room for little else */
#define CROWD 4                 /* neighbours from which on the source saves */
#define ADMIT_STARVED_PERCENT 97 /* of the uplink, to those who have the substream from nobody */
#define WORTH_RATIO 2            /* for which a child takes another's place */
#define WORTH_LEAST 4 /* substreams: whoever passes on less does not take others' places */

/* What the child passes on, and could: what it would be worth near the source. */
uint64_t admission_worth_bps(const struct neighbour *nb);
/* A source with a crowd around it: what it gives to few reaches all. */
bool admission_saves(const struct channel *c);
/* Of a substream, that the source gives freely. */
unsigned admission_source_copies(const struct channel *c, const struct stream *s);
/* An uplink, as far as it is known, that carries the stream once and hardly more. */
bool admission_is_thin(const struct channel *c, const struct stream *s);
/* Children that have it, are there, and were not asked to take it elsewhere. */
unsigned admission_copies(const struct channel *c, uint8_t track, unsigned index);
/* The same, and those that were. */
unsigned admission_holders(const struct channel *c, uint8_t track, unsigned index);
/* What all children of all channels take, if every granted substream flows. */
uint64_t admission_granted_bps(const struct node *n);
/* So much of what the uplink carries, or of twice what it is guessed to carry. */
uint64_t admission_most_bps(const struct node *n, unsigned percent);

#endif
