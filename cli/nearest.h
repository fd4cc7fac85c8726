/* nearest.h - which of some names somebody meant who mistyped one: the smallest number of letters
 * changed, left out, put in or swapped with their neighbour (Damerau 1964). */
#ifndef NEAREST_H
#define NEAREST_H

#include "core/base/base.h"

#define NEAREST_NAME_MAX 32   /* longer names are near to nothing */
#define NEAREST_CHANGES_MAX 3 /* more than these, or half of the letters, is another word */

struct nearest {
    const char *typed;
    const char *name; /* the best so far, NULL while none is near */
    size_t changes;
};

struct nearest nearest_init(const char *typed);
/* `name` is borrowed. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
