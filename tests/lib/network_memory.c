#include "tests/lib/network_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *network_block(size_t bytes) {
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : NETWORK_LINE;
    size_t rounded = (bytes + align - 1) / align * align;
    void *p = aligned_alloc(align, rounded);
    if (p == NULL) {
        fputs("network: out of memory\n", stderr);
        abort();
    }
    /* Tables that are read all over miss the TLB less; a kernel that refuses is only slower. */
    if (align == HUGE_PAGE) (void)madvise(p, rounded, MADV_HUGEPAGE);
    return p;
}

void *network_memory(size_t bytes) { return memset(network_block(bytes), 0, bytes); }

void *network_memory_grow(void *old, size_t old_bytes, size_t new_bytes) {
    void *p = network_memory(new_bytes);
    if (old_bytes > 0) memcpy(p, old, old_bytes);
    free(old);
    return p;
}
