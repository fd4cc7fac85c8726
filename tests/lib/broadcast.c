#include "tests/lib/broadcast.h"

#include <assert.h>
#include <string.h>

static struct random random_of(uint64_t seed, uint64_t id) {
    uint8_t bytes[RANDOM_SEED_BYTES] = "broadcast";
    memcpy(bytes + 16, &seed, sizeof seed);
    memcpy(bytes + 24, &id, sizeof id);
    return random_from_seed(bytes);
}

static void describe(struct broadcast *b, uint64_t utc_us) {
    struct manifest *m = &b->manifest;
    m->broadcast = b->id;
    m->version = 1;
    m->broadcast_key = b->key.public;
    m->expires_s = utc_us / US_PER_S + 24 * 60 * 60;
    m->flags = b->is_private ? MANIFEST_PRIVATE : 0;
    strcpy(m->title, "a test");
    m->tracks_len = 2;
    struct track *video = &m->tracks[BROADCAST_VIDEO];
    video->kind = TRACK_VIDEO;
    strcpy(video->codec, "avc1.64001f");
    video->bitrate_bps = 3000000;
    video->width = 1280;
    video->height = 720;
    video->fps_num = 30;
    video->fps_den = 1;
    video->init_len = 4;
    memcpy(video->init, "init", 4);
    struct track *audio = &m->tracks[BROADCAST_AUDIO];
    audio->kind = TRACK_AUDIO;
    strcpy(audio->codec, "mp4a.40.2");
    audio->bitrate_bps = 128000;
    audio->sample_rate = 48000;
    audio->channels = 2;
    audio->init_len = 4;
    memcpy(audio->init, "tini", 4);
}

void broadcast_sign(struct broadcast *b) {
    int len =
        manifest_sign(&b->manifest, &b->channel_key, b->manifest_bytes, sizeof b->manifest_bytes);
    assert(len > 0);
    b->manifest_len = (size_t)len;
    b->publisher.manifest_version = b->manifest.version;
}

void broadcast_init(struct broadcast *b, uint64_t seed, uint64_t id, bool is_private,
                    uint64_t utc_us) {
    memset(b, 0, sizeof *b);
    b->seed = seed;
    b->id = id;
    b->is_private = is_private;
    struct random of_channel = random_of(seed, 0), of_broadcast = random_of(seed, id);
    sign_key_generate(&b->channel_key, &of_channel);
    read_key_generate(&b->read_key, &of_channel);
    sign_key_generate(&b->key, &of_broadcast);
    publisher_init(&b->publisher, id, &b->key, is_private ? &b->read_key : NULL);
    describe(b, utc_us);
    broadcast_sign(b);
}

void broadcast_release(struct broadcast *b) {
    publisher_release(&b->publisher);
    sign_key_erase(&b->channel_key);
    sign_key_erase(&b->key);
}

uint8_t broadcast_byte(uint8_t track, uint32_t number, size_t at) {
    uint64_t x = ((uint64_t)track << 56 ^ (uint64_t)number << 24 ^ at) + 1;
    return (uint8_t)((x * 0x9e3779b97f4a7c15ull) >> 56);
}

struct fragment *broadcast_fragment(uint8_t track, uint32_t number, size_t len, uint64_t capture_us,
                                    bool random_access) {
    struct fragment *f = fragment_new(len);
    if (f == NULL) return NULL;
    f->track = track;
    f->random_access = random_access;
    f->pts_us = number * BROADCAST_INTERVAL_US;
    f->duration_us = BROADCAST_INTERVAL_US;
    f->capture_us = capture_us;
    for (size_t i = 0; i < len; i++) f->data[i] = broadcast_byte(track, number, i);
    return f;
}

struct fragment *broadcast_end(uint8_t track, uint32_t number, uint64_t capture_us) {
    struct fragment *f = broadcast_fragment(track, number, 0, capture_us, false);
    if (f != NULL) f->end = true;
    return f;
}

uint32_t broadcast_number(const struct fragment *f) {
    return (uint32_t)(f->pts_us / BROADCAST_INTERVAL_US);
}

bool broadcast_is_true(const struct fragment *f) {
    uint32_t number = broadcast_number(f);
    for (size_t i = 0; i < f->len; i++)
        if (f->data[i] != broadcast_byte(f->track, number, i)) return false;
    return true;
}
