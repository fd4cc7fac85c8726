#include "core/proto/fragment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct fragment *fragment_new(size_t len) {
    if (len > FRAGMENT_SIZE_MAX) return NULL;
    struct fragment *f = calloc(1, sizeof *f + len);
    if (f == NULL) return NULL;
    atomic_init(&f->references, 1);
    f->len = len;
    return f;
}

struct fragment *fragment_ref(struct fragment *f) {
    unsigned before = atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
    assert(before > 0 && before < UINT32_MAX);
    return f;
}

void fragment_unref(struct fragment *f) {
    if (f == NULL) return;
    /* Acquire and release: whoever frees sees what every other holder did before it let go. */
    unsigned before = atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) free(f);
}
