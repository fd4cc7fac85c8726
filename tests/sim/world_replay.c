/* world_replay.c - an older broadcast of the channel, validly signed, published once more. Only its
 * times tell it from one that is on air: a signature cannot be made again for another time. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world_internal.h"

#define RECORDED_US (10 * US_PER_S)
#define TRACK_CHUNKS_MAX 8192u

struct recording {
    uint64_t since_us; /* UTC of its start */
    uint8_t manifest[MANIFEST_SIZE_MAX];
    size_t manifest_len, len;
    struct chunk *chunks[TRACK_CHUNKS_MAX]; /* by capture */
};

static int keep(void *context, struct chunk *chunk) {
    struct recording *r = context;
    if (r->len == TRACK_CHUNKS_MAX) world_fail("too many chunks to replay");
    r->chunks[r->len++] = chunk;
    return 0;
}

static void record_track(struct world *w, struct recording *r, struct publisher *publisher,
                         uint8_t track) {
    uint64_t at_us = 0;
    for (uint64_t k = 0; at_us < RECORDED_US; at_us = media_at_us(w, track, ++k)) {
        struct fragment *f = media_fragment(w, track, k, r->since_us + at_us);
        measure_genuine(w, f);
        if (publisher_cut(publisher, f, keep, r) < 0) world_fail("cannot record");
        fragment_unref(f);
    }
}

static int compare_chunks(const void *a, const void *b) {
    const struct head *x = (*(struct chunk *const *)a)->head,
                      *y = (*(struct chunk *const *)b)->head;
    if (x->capture_us != y->capture_us) return x->capture_us < y->capture_us ? -1 : 1;
    if (x->track != y->track) return x->track < y->track ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

struct recording *recording_new(struct world *w, uint64_t age_us) {
    struct recording *r = world_allocate(1, sizeof *r);
    struct manifest *m = world_allocate(1, sizeof *m);
    struct sign_key key;
    struct publisher publisher;
    r->since_us = UTC_START_US - age_us;
    sign_key_generate(&key, &w->random);
    *m = w->manifest;
    m->broadcast = r->since_us / US_PER_MS;
    m->broadcast_key = key.public;
    int len = manifest_sign(m, &w->channel_key, r->manifest, sizeof r->manifest);
    if (len < 0) world_fail("no manifest to replay");
    r->manifest_len = (size_t)len;
    publisher_init(&publisher, m->broadcast, &key, w->scenario.private ? &w->read_key : NULL);
    for (uint8_t t = 0; t < m->tracks_len; t++) record_track(w, r, &publisher, t);
    qsort(r->chunks, r->len, sizeof r->chunks[0], compare_chunks);
    publisher_release(&publisher);
    free(m);
    return r;
}

void recording_free(struct recording *r) {
    for (size_t i = 0; r != NULL && i < r->len; i++) chunk_unref(r->chunks[i]);
    free(r);
}

static uint64_t due_us(const struct replay *at) {
    const struct recording *r = at->recording;
    return at->began_us + (r->chunks[at->next]->head->capture_us - r->since_us);
}

static void on_due(void *context) {
    struct resident *p = context;
    struct replay *at = &p->replay;
    struct network *n = p->world->network;
    if (!p->is_up || network_now(n) < due_us(at)) return;
    while (at->next < at->recording->len && due_us(at) <= network_now(n))
        if (node_publish(p->node, p->channel, at->recording->chunks[at->next++], network_now(n)))
            world_fail("a recording cannot be published");
    network_wake(n, p->number);
    if (at->next < at->recording->len)
        network_at(n, due_us(at), on_due, p);
    else if (at->over != NULL)
        at->over(p);
}

void replay_begin(struct resident *p, const struct recording *r, void (*over)(struct resident *p)) {
    struct network *n = p->world->network;
    p->replay = (struct replay){.recording = r, .began_us = network_now(n), .over = over};
    if (node_set_manifest(p->node, p->channel, r->manifest, r->manifest_len, network_now(n)))
        world_fail("an old manifest is refused by its own node");
    network_at(n, network_now(n), on_due, p);
}
