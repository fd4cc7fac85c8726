#include "cli/on_air.h"

#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

struct emission {
    struct on_air *on_air;
    uint64_t now_us;
};

static int sign_manifest(struct on_air *a, uint64_t utc_us, uint64_t now_us) {
    uint64_t utc_s = utc_us / US_PER_S;
    uint8_t encoded[MANIFEST_SIZE_MAX];
    a->manifest.expires_s = utc_s + MANIFEST_LIFE_S;
    a->renew_s = utc_s + MANIFEST_RENEW_S;
    int len = manifest_sign(&a->manifest, &a->key->sign, encoded, sizeof encoded);
    if (len < 0) return len;
    a->publisher.manifest_version = a->manifest.version;
    return node_set_manifest(a->node, a->channel, encoded, (size_t)len, now_us);
}

int on_air_restart(struct on_air *a, uint64_t above, uint64_t utc_us, uint64_t now_us) {
    struct random random = random_from_system();
    sign_key_generate(&a->broadcast_key, &random);
    secret_erase(&random, sizeof random);
    a->manifest.broadcast = u64_max(utc_us / US_PER_MS, above + 1);
    a->manifest.version = 1;
    a->manifest.broadcast_key = a->broadcast_key.public;
    memset(a->started, 0, sizeof a->started);
    publisher_release(&a->publisher);
    publisher_init(&a->publisher, a->manifest.broadcast, &a->broadcast_key,
                   a->key->has_read_key ? &a->key->read_key : NULL);
    return sign_manifest(a, utc_us, now_us);
}

int on_air_start(struct on_air *a, struct node *node, int channel, const struct keyfile *key,
                 const char *title, const struct track *tracks, size_t tracks_len, uint64_t above,
                 uint64_t utc_us, uint64_t now_us) {
    if (tracks_len > TRACKS_MAX) return ERR_RANGE;
    memset(a, 0, sizeof *a);
    a->node = node;
    a->channel = channel;
    a->key = key;
    a->manifest.flags = key->has_read_key ? MANIFEST_PRIVATE : 0;
    if (title != NULL) snprintf(a->manifest.title, sizeof a->manifest.title, "%s", title);
    a->manifest.tracks_len = (uint8_t)tracks_len;
    memcpy(a->manifest.tracks, tracks, tracks_len * sizeof tracks[0]);
    return on_air_restart(a, above, utc_us, now_us);
}

int on_air_renew(struct on_air *a, uint64_t utc_us, uint64_t now_us) {
    if (utc_us / US_PER_S < a->renew_s) return 0;
    a->manifest.version++;
    return sign_manifest(a, utc_us, now_us);
}

static int emit(void *ctx, struct chunk *chunk) {
    struct emission *e = ctx;
    int err = node_publish(e->on_air->node, e->on_air->channel, chunk, e->now_us);
    chunk_unref(chunk);
    return err;
}

int on_air_publish(struct on_air *a, const struct fragment *f, uint64_t now_us) {
    if (f->track >= a->manifest.tracks_len) return ERR_RANGE;
    if (!a->started[f->track] && !f->random_access && !f->end) return 0;
    a->started[f->track] = true;
    struct emission e = {.on_air = a, .now_us = now_us};
    int chunks = publisher_cut(&a->publisher, f, emit, &e);
    return chunks < 0 ? chunks : 0;
}

int on_air_end(struct on_air *a, uint64_t utc_us, uint64_t now_us) {
    struct fragment *f = fragment_new(0);
    if (f == NULL) return ERR_MEMORY;
    f->end = true;
    f->capture_us = utc_us;
    int err = 0;
    for (uint8_t t = 0; t < a->manifest.tracks_len && !err; t++) {
        f->track = t;
        err = on_air_publish(a, f, now_us);
    }
    fragment_unref(f);
    return err;
}

void on_air_release(struct on_air *a) {
    publisher_release(&a->publisher);
    sign_key_erase(&a->broadcast_key);
}
