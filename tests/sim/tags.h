/* tags.h - keyed tags in place of cryptography, for large simulations.
 *
 * The program's object files call core/crypto as always; the linker leads those calls here
 * (--wrap, for each function of tags.symbols), and they go on to the real functions or to tags of
 * a few nanoseconds. A tag is checked at the same places and refuses what the real check would
 * refuse in a simulation: another key, another context, changed bytes (all of a short message;
 * head, middle and end of a long one). What the real work would have cost is added up, for the
 * simulator to charge as time. Tags protect nothing: they exist in tests/sim alone. */
#ifndef TAGS_H
#define TAGS_H

#include <stdbool.h>

#include "core/base/base.h"

/* From now on: real cryptography, or tags (at first: real). Before any key is made: what was made
 * in one way does not open in the other. */
void tags_use(bool real);
/* What the work since the last call would have cost, in nanoseconds (0 with real cryptography). */
uint64_t tags_take_cost_ns(void);

#endif
