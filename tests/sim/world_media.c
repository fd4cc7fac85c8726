/* world_media.c - the media, made up: real chunks of random bytes, at the scenario's rates. */
#include <string.h>

#include "tests/sim/world_internal.h"

#define INIT_TEXT "an initialisation segment"
#define AUDIO_US 106667u
#define SOUND_WAITS_US 40000u /* in the encoder, after the last sample of a fragment */
#define FRAGMENT_BYTES 4096   /* as media/source.c: frames until so many bytes, */
#define FRAGMENTS_LEAST 10    /* but so many fragments a second */

static uint64_t utc(const struct world *w) { return UTC_START_US + network_now(w->network); }

static int emit(void *context, struct chunk *chunk) {
    struct world *w = context;
    struct resident *p = &w->residents[0];
    measure_published(w, chunk->head);
    int err = node_publish(p->node, p->channel, chunk, network_now(w->network));
    chunk_unref(chunk);
    return err;
}

static void fill(struct world *w, struct fragment *f) {
    size_t i = 0;
    for (; i + 8 <= f->len; i += 8) {
        uint64_t word = rng_u64(&w->media_rng);
        memcpy(f->data + i, &word, 8);
    }
    for (; i < f->len; i++) f->data[i] = (uint8_t)rng_u64(&w->media_rng);
}

/* Frames of a fragment. */
static unsigned frames_each(const struct scenario *c) {
    double mean = c->bitrate / 8 / c->fps;
    unsigned most = c->fps > FRAGMENTS_LEAST ? c->fps / FRAGMENTS_LEAST : 1;
    unsigned frames = 1;
    while (frames < most && frames * mean < FRAGMENT_BYTES) frames++;
    return frames;
}

/* Fragments from one that begins with a keyframe to the next. */
static uint64_t group_of(const struct scenario *c) {
    return u64_max((uint64_t)(c->keyframe_period * c->fps) / frames_each(c), 1);
}

/* The mean over a group of pictures is the bit rate; a keyframe takes its ratio of a frame. */
static size_t fragment_size(const struct scenario *c, uint64_t k) {
    unsigned frames = frames_each(c);
    double mean = c->bitrate / 8 / c->fps, key = mean * c->keyframe_ratio;
    double others = (double)(group_of(c) * frames - 1);
    double other = others > 0 ? (mean * (others + 1) - key) / others : 0;
    return (size_t)(k % group_of(c) == 0 ? key + (frames - 1) * other : frames * other);
}

static bool is_sound(const struct world *w, uint8_t track) {
    return w->manifest.tracks[track].kind == TRACK_AUDIO;
}

/* What is captured is a fragment's first sample; sound goes out when the last is encoded. */
uint64_t media_delay_us(const struct world *w, uint8_t track) {
    return is_sound(w, track) ? AUDIO_US + SOUND_WAITS_US : 0;
}

uint64_t media_at_us(const struct world *w, uint8_t track, uint64_t k) {
    if (is_sound(w, track)) return k * AUDIO_US;
    return k * frames_each(&w->scenario) * US_PER_S / w->scenario.fps;
}

struct fragment *media_fragment(struct world *w, uint8_t track, uint64_t k, uint64_t capture_us) {
    const struct scenario *c = &w->scenario;
    bool sound = is_sound(w, track);
    double sound_len = c->audio / 8 * AUDIO_US / (double)US_PER_S;
    struct fragment *f = fragment_new(sound ? (size_t)sound_len : fragment_size(c, k));
    if (f == NULL) world_fail("no memory");
    f->track = track;
    f->random_access = sound || k % group_of(c) == 0;
    f->pts_us = media_at_us(w, track, k);
    f->duration_us = (uint32_t)media_at_us(w, track, 1);
    f->capture_us = capture_us;
    fill(w, f);
    return f;
}

static void publish(struct world *w, struct fragment *f) {
    struct publisher before = w->publisher;
    measure_genuine(w, f);
    if (publisher_cut(&w->publisher, f, emit, w) < 0) world_fail("the source cannot publish");
    twin_publish(w, f, &before);
    fragment_unref(f);
    network_wake(w->network, 0);
}

static bool is_on_air(const struct world *w) { return w->residents[0].is_up && !w->has_ended; }

static void on_frame(void *context) {
    struct world *w = context;
    uint64_t at_us = w->broadcast_us + media_at_us(w, VIDEO, w->frame);
    if (!is_on_air(w) || network_now(w->network) < at_us) return;
    publish(w, media_fragment(w, VIDEO, w->frame, utc(w)));
    w->frame++;
    network_at(w->network, w->broadcast_us + media_at_us(w, VIDEO, w->frame), on_frame, w);
}

static void on_audio(void *context) {
    struct world *w = context;
    uint64_t at_us = w->broadcast_us + w->audio_frame * AUDIO_US;
    if (!is_on_air(w) || network_now(w->network) < at_us) return;
    uint64_t capture_us = utc(w) - media_delay_us(w, w->audio_track);
    publish(w, media_fragment(w, w->audio_track, w->audio_frame, capture_us));
    w->audio_frame++;
    network_at(w->network, w->broadcast_us + w->audio_frame * AUDIO_US, on_audio, w);
}

void media_describe(struct world *w) {
    const struct scenario *c = &w->scenario;
    struct manifest *m = &w->manifest;
    m->version = 1;
    m->expires_s = UTC_START_US / US_PER_S + 86400;
    m->flags = c->private ? MANIFEST_PRIVATE : 0;
    if (c->bitrate > 0)
        m->tracks[m->tracks_len++] = (struct track){.kind = TRACK_VIDEO,
                                                    .codec = "avc1.64001f",
                                                    .bitrate_bps = (uint32_t)c->bitrate,
                                                    .width = 1280,
                                                    .height = 720,
                                                    .fps_num = (uint16_t)c->fps,
                                                    .fps_den = 1};
    w->audio_track = (uint8_t)m->tracks_len;
    if (c->audio > 0)
        m->tracks[m->tracks_len++] = (struct track){.kind = TRACK_AUDIO,
                                                    .codec = "mp4a.40.2",
                                                    .bitrate_bps = (uint32_t)c->audio,
                                                    .sample_rate = 48000,
                                                    .channels = 2};
    for (size_t t = 0; t < m->tracks_len; t++) {
        m->tracks[t].init_len = sizeof INIT_TEXT;
        memcpy(m->tracks[t].init, INIT_TEXT, sizeof INIT_TEXT);
    }
}

void media_go_on_air(struct world *w) {
    struct resident *p = &w->residents[0];
    uint64_t now_us = network_now(w->network);
    sign_key_generate(&w->broadcast_key, &w->random);
    w->manifest.broadcast = utc(w) / US_PER_MS;
    w->manifest.broadcast_key = w->broadcast_key.public;
    int len =
        manifest_sign(&w->manifest, &w->channel_key, w->manifest_bytes, sizeof w->manifest_bytes);
    if (len < 0 || node_set_manifest(p->node, p->channel, w->manifest_bytes, (size_t)len, now_us))
        world_fail("no manifest");
    w->manifest_len = (size_t)len;
    publisher_init(&w->publisher, w->manifest.broadcast, &w->broadcast_key,
                   w->scenario.private ? &w->read_key : NULL);
    measure_new_broadcast(w);
    w->broadcast_us = now_us;
    w->frame = w->audio_frame = 0;
    w->has_ended = false;
    if (w->scenario.bitrate > 0) on_frame(w);
    if (w->scenario.audio > 0) on_audio(w);
}

static void end_track(struct world *w, uint8_t track, uint64_t k) {
    struct fragment *f = fragment_new(0);
    if (f == NULL) world_fail("no memory");
    f->track = track;
    f->pts_us = media_at_us(w, track, k);
    f->capture_us = utc(w);
    f->end = true;
    publish(w, f);
}

void world_end(struct world *w) {
    if (w->scenario.bitrate > 0) end_track(w, VIDEO, w->frame);
    if (w->scenario.audio > 0) end_track(w, w->audio_track, w->audio_frame);
    w->has_ended = true;
}
