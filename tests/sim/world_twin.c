/* world_twin.c - a second node with the source's keys. It publishes what the source does, but for
 * some numbers it signs other bytes: the channel's own fault, for which nobody may be banned.
 *
 * Only fragments of one chunk have a variant: of a larger one a viewer could hold some chunks of
 * each, which no signature forbids and no figure here could tell from forged bytes. */
#include <string.h>

#include "tests/sim/world_internal.h"

static struct resident *twin_of(struct world *w) {
    for (unsigned i = 1; w->scenario.equivocation > 0 && i < w->places; i++)
        if (w->residents[i].kind == KIND_TWIN) return &w->residents[i];
    return NULL;
}

void twin_started(struct resident *p) { p->twin_broadcast = 0; }

/* The broadcast that is on air. */
static void take_manifest(struct resident *p) {
    struct world *w = p->world;
    if (p->twin_broadcast == w->manifest.broadcast) return;
    p->twin_broadcast = w->manifest.broadcast;
    if (node_set_manifest(p->node, p->channel, w->manifest_bytes, w->manifest_len,
                          network_now(w->network)))
        world_fail("the twin's manifest is refused");
}

static int emit(void *context, struct chunk *chunk) {
    struct resident *p = context;
    int err = node_publish(p->node, p->channel, chunk, network_now(p->world->network));
    chunk_unref(chunk);
    return err;
}

static struct fragment *variant_of(struct resident *p, const struct fragment *f) {
    if (f->len > (CHUNK_CELLS_MAX - 1) * CELL_SIZE) return NULL;
    if (rng_unit(&p->rng) >= p->world->scenario.equivocation) return NULL;
    struct fragment *other = fragment_new(f->len);
    if (other == NULL) world_fail("no memory");
    other->track = f->track;
    other->random_access = f->random_access;
    other->pts_us = f->pts_us;
    other->duration_us = f->duration_us;
    other->capture_us = f->capture_us;
    for (size_t i = 0; i < f->len; i++) other->data[i] = f->data[i] ^ 0xff;
    measure_also_genuine(p->world, other);
    return other;
}

void twin_publish(struct world *w, const struct fragment *f, const struct publisher *before) {
    struct resident *p = twin_of(w);
    if (p == NULL || !p->is_up) return;
    take_manifest(p);
    struct publisher publisher = *before;
    struct fragment *other = variant_of(p, f);
    if (publisher_cut(&publisher, other != NULL ? other : f, emit, p) < 0)
        world_fail("the twin cannot publish");
    fragment_unref(other);
    network_wake(w->network, p->number);
}
