#include "tests/sim/content.h"

#include "core/base/rng.h"

static struct rng content_of(const struct fragment *f) {
    return rng_init(f->pts_us * 2 + f->track);
}

void content_fill(struct fragment *f) {
    struct rng r = content_of(f);
    for (size_t i = 0; i < f->len; i++) f->data[i] = (uint8_t)rng_u64(&r);
}

bool content_is_genuine(const struct fragment *f) {
    struct rng r = content_of(f);
    for (size_t i = 0; i < f->len; i++)
        if (f->data[i] != (uint8_t)rng_u64(&r)) return false;
    return true;
}
