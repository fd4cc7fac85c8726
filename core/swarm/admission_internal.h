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

#define PARTS_LEAST 2   /* of the source's substreams: no child has to make way for less, */
#define PARTS_MOST 2    /* parts: who has them takes no other's place, and more is too much; */
#define WIDE_PERCENT 20 /* neither where so much of its uplink is free */

/* A source with a crowd around it: what it gives to few reaches all. */
bool admission_saves(const struct channel *c);
/* Of a substream, that the source gives freely. */
unsigned admission_source_copies(const struct channel *c, const struct stream *s);
/* An uplink, as far as it is known, that carries the stream once and hardly more. */
bool admission_is_thin(const struct channel *c, const struct stream *s);
/* Of the source's substreams one child has no more than its part, where there are others: what all
 * have from one is lost to all with it. */
unsigned admission_part(const struct channel *c, const struct stream *s);
/* Who has so many takes no other's place. */
unsigned admission_part_most(const struct channel *c, const struct stream *s);
/* The source has room for giving a substream to one child before it leaves another, and chunks of
 * so many cells that who dies with few substreams costs less of them than who dies with many. */
bool admission_spreads_wide(const struct channel *c, const struct stream *s);
/* What the child has, and was not asked to take elsewhere. */
unsigned admission_has(const struct neighbour *nb, const struct stream *s);
/* Children that have it, are there, and were not asked to take it elsewhere. */
unsigned admission_copies(const struct channel *c, uint8_t track, unsigned index);
/* The same, and those that were. */
unsigned admission_holders(const struct channel *c, uint8_t track, unsigned index);
/* What all children of all channels take, if every granted substream flows. */
uint64_t admission_granted_bps(const struct node *n);
/* So much of what the uplink carries, or of twice what it is guessed to carry. */
uint64_t admission_most_bps(const struct node *n, unsigned percent);

/* The child has it, and is there. */
bool admission_holds(const struct neighbour *nb, const struct stream *s, unsigned index);
/* The source's child on which all others hang, or most: where it loses the substream everybody
 * does. */
bool admission_is_root(const struct channel *c, struct stream *s, const struct neighbour *child,
                       unsigned index);

/* One substream of one child. */
struct place {
    struct neighbour *nb; /* NULL: none */
    unsigned index;
};

/* Among which places the least is looked for. */
struct places {
    uint32_t substreams;
    const struct neighbour *except;
    uint64_t worth_most; /* none of who is worth more; 0: whoever it is */
    bool stays;          /* none that its child was asked to leave */
    bool with_root;      /* the source's root too */
    bool by_worth;       /* who is worth least, whoever hangs on it */
};

/* Where fewest hang on (below.h), and of equals who is worth least, the youngest. */
struct place admission_least(const struct channel *c, struct stream *s, const struct places *among);
/* Who comes first where there is not enough for all: who passes on most, and who lacks least. A
 * stream of which a part is missing is worth nothing, so it is better that some have all of it than
 * that all have most of it. */
unsigned admission_score(const struct stream *s, const struct neighbour *nb);
/* The child with the lowest score, and of what it has the substream that fewest others ask for in
 * vain. */
struct neighbour *admission_lowest(const struct channel *c, struct stream *s,
                                   const struct neighbour *except, unsigned except_index,
                                   unsigned *ret_index);

#endif
