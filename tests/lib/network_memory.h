/* network_memory.h - the large blocks of a simulated network. */
#ifndef NETWORK_MEMORY_H
#define NETWORK_MEMORY_H

#include <stddef.h>

#define NETWORK_LINE 64 /* of a cache; blocks start at one */

/* Never NULL: without memory the program ends. Freed by free(). */
void *network_block(size_t bytes);
/* A block of zeros. */
void *network_memory(size_t bytes);
/* The first `old_bytes` of `old`, which is freed, and zeros behind them. */
void *network_memory_grow(void *old, size_t old_bytes, size_t new_bytes);

#endif
