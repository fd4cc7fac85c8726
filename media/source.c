#include "media/source.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/audio_track.h"
#include "media/encoder_x264.h"
#include "media/input.h"
#include "media/interrupt.h"
#include "media/libav_log.h"
#include "media/picture_scaler.h"
#include "media/video_track.h"

/* More than ten seconds between random access points is no stream that one can join. */
#define KEYINT_MIN_US (100 * US_PER_MS)
#define KEYINT_MAX_US (10 * US_PER_S)
#define FRAGMENT_US_MAX (2 * US_PER_S)

struct source {
    struct source_config config; /* its strings are ours: see below */
    struct interrupt interrupt;
    struct input input;
    struct video_track *video; /* NULL where there is none */
    struct audio_track *audio;
    struct track tracks[SOURCE_TRACKS_MAX];
    size_t tracks_len;
    struct fragment_queue out;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* of what follows; the first failure stays */
    bool failed;
    char why[SOURCE_WHY_MAX];
};

struct source_config source_config_default(void) {
    return (struct source_config){
        .input = "test:",
        .pace = true,
        .video_bitrate_bps = 2500000,
        .audio_bitrate_bps = 128000,
        .preset = "veryfast",
        .keyint_us = US_PER_S,
        .fragment_bytes = 4096,
        .fragment_us = 100 * US_PER_MS,
    };
}

PRINTF_LIKE(4, 5)
static int refuse(char *why, size_t why_size, int err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_size, format, args);
    va_end(args);
    return err;
}

static int check_rates(const struct source_config *c, char *why, size_t why_size) {
    if (c->video_bitrate_bps < SOURCE_BITRATE_MIN || c->video_bitrate_bps > SOURCE_BITRATE_MAX)
        return refuse(why, why_size, ERR_ARGUMENT,
                      "video bit rate %u: allowed are %u to %u bits a second", c->video_bitrate_bps,
                      SOURCE_BITRATE_MIN, SOURCE_BITRATE_MAX);
    if (c->audio_bitrate_bps < 16000 || c->audio_bitrate_bps > 512000)
        return refuse(why, why_size, ERR_ARGUMENT,
                      "audio bit rate %u: allowed are 16000 to 512000 bits a second",
                      c->audio_bitrate_bps);
    if (c->keyint_us < KEYINT_MIN_US || c->keyint_us > KEYINT_MAX_US)
        return refuse(why, why_size, ERR_ARGUMENT,
                      "keyframe interval of %llu ms: allowed are 100 to 10000",
                      (unsigned long long)(c->keyint_us / US_PER_MS));
    if (c->fragment_us > FRAGMENT_US_MAX || c->fragment_bytes > FRAGMENT_SIZE_MAX / 2)
        return refuse(why, why_size, ERR_ARGUMENT,
                      "fragments of %llu bytes or %llu ms: allowed are up to %u and 2000",
                      (unsigned long long)c->fragment_bytes,
                      (unsigned long long)(c->fragment_us / US_PER_MS), FRAGMENT_SIZE_MAX / 2);
    return 0;
}

static int check_picture(const struct source_config *c, char *why, size_t why_size) {
    unsigned sides[] = {c->width, c->height};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++)
        if (sides[i] != 0 && (sides[i] < SOURCE_SIDE_MIN || sides[i] > SOURCE_SIDE_MAX))
            return refuse(why, why_size, ERR_ARGUMENT,
                          "size %ux%u: a side has %u to %u pixels, or 0 for as the input is",
                          c->width, c->height, SOURCE_SIDE_MIN, SOURCE_SIDE_MAX);
    if (c->fps_num == 0) return 0;
    if (c->fps_den == 0 || c->fps_num > UINT16_MAX || c->fps_den > UINT16_MAX ||
        c->fps_num < c->fps_den || c->fps_num / c->fps_den > 2 * SOURCE_FPS_MAX)
        return refuse(why, why_size, ERR_ARGUMENT,
                      "frame rate %u/%u: allowed are 1 to %u a second, in numbers up to 65535",
                      c->fps_num, c->fps_den, 2 * SOURCE_FPS_MAX);
    return 0;
}

static int keep_config(struct source *s, const struct source_config *config) {
    s->config = *config;
    s->config.input = strdup(config->input);
    s->config.format = config->format != NULL ? strdup(config->format) : NULL;
    s->config.preset = strdup(config->preset);
    bool kept = s->config.input != NULL && s->config.preset != NULL &&
                (config->format == NULL || s->config.format != NULL);
    return kept ? 0 : ERR_MEMORY;
}

static void fail(void *owner, const char *why) {
    struct source *s = owner;
    pthread_mutex_lock(&s->lock);
    if (!s->failed) snprintf(s->why, sizeof s->why, "%s", why);
    s->failed = true;
    pthread_mutex_unlock(&s->lock);
    interrupt_raise(&s->interrupt);
}

static void encoder_failed(void *owner, const char *why) {
    char text[SOURCE_WHY_MAX];
    snprintf(text, sizeof text, "the video encoder broke: %s", why);
    fail(owner, text);
}

static int open_video(struct source *s, char *why, size_t why_size) {
    const struct input_video *in = &s->input.video;
    struct video_track_config c = {
        .track = (uint8_t)s->tracks_len,
        .fps_num = s->config.fps_num != 0 ? s->config.fps_num : (unsigned)in->fps.num,
        .fps_den = s->config.fps_num != 0 ? s->config.fps_den : (unsigned)in->fps.den,
        .colour_primaries = in->colour_primaries,
        .colour_transfer = in->colour_transfer,
        .colour_matrix = in->colour_matrix,
        .source = &s->config,
        .out = &s->out,
        .failed = encoder_failed,
        .owner = s,
    };
    picture_size(in->width, in->height, in->pixel_aspect, s->config.width, s->config.height,
                 &c.width, &c.height);
    int err = video_track_open(&s->video, &c, &s->tracks[s->tracks_len]);
    if (err == ERR_ARGUMENT)
        return refuse(why, why_size, err, "preset '%s' is unknown: x264 has %s", s->config.preset,
                      encoder_x264_presets());
    if (err)
        return refuse(why, why_size, err, "the video encoder cannot do %ux%u at %u/%u a second: %s",
                      c.width, c.height, c.fps_num, c.fps_den, err_text(err));
    s->tracks_len++;
    return 0;
}

static int open_audio(struct source *s, char *why, size_t why_size) {
    struct audio_track_config c = {.track = (uint8_t)s->tracks_len,
                                   .channels = s->input.audio.channels,
                                   .source = &s->config,
                                   .out = &s->out};
    int err = audio_track_open(&s->audio, &c, &s->tracks[s->tracks_len]);
    if (err)
        return refuse(why, why_size, err, "the audio encoder cannot do %u bits a second: %s",
                      s->config.audio_bitrate_bps, err_text(err));
    s->tracks_len++;
    return 0;
}

static int open_all(struct source *s, const struct source_config *config, char *why,
                    size_t why_size) {
    int err = check_rates(config, why, why_size);
    if (!err) err = check_picture(config, why, why_size);
    if (err) return err;
    if (keep_config(s, config)) return refuse(why, why_size, ERR_MEMORY, "out of memory");
    s->interrupt.cancel = config->cancel;
    err = input_open(&s->input, &s->config, &s->interrupt);
    if (err) return refuse(why, why_size, err, "%s", s->input.why);
    s->interrupt.cancel = NULL; /* from here on source_free is the way to stop */
    if (s->input.video.present) err = open_video(s, why, why_size);
    if (!err && s->input.audio.present) err = open_audio(s, why, why_size);
    return err;
}

int source_open(struct source **ret, const struct source_config *config, char *why,
                size_t why_size) {
    struct source *s = calloc(1, sizeof *s);
    if (s == NULL) return refuse(why, why_size, ERR_MEMORY, "out of memory");
    libav_log_capture();
    pthread_mutex_init(&s->lock, NULL);
    int err = interrupt_init(&s->interrupt);
    int queue_err = fragment_queue_init(&s->out);
    if (err || queue_err)
        err = refuse(why, why_size, ERR_SYSTEM, "no more file descriptors");
    else
        err = open_all(s, config, why, why_size);
    if (err) {
        source_free(s);
        return err;
    }
    *ret = s;
    return 0;
}

void source_free(struct source *s) {
    if (s == NULL) return;
    interrupt_raise(&s->interrupt);
    fragment_queue_abort(&s->out);
    if (s->video != NULL) video_track_abort(s->video);
    if (s->running) pthread_join(s->thread, NULL);
    video_track_free(s->video);
    audio_track_free(s->audio);
    input_close(&s->input);
    fragment_queue_release(&s->out);
    interrupt_release(&s->interrupt);
    pthread_mutex_destroy(&s->lock);
    free((char *)(uintptr_t)s->config.input);
    free((char *)(uintptr_t)s->config.format);
    free((char *)(uintptr_t)s->config.preset);
    free(s);
}

const struct track *source_tracks(const struct source *s, size_t *ret_n) {
    *ret_n = s->tracks_len;
    return s->tracks;
}

/* Frames that cannot be converted are left out; what else goes wrong ends the source. */
static int add_frame(struct source *s, const struct input_frame *f) {
    int err = 0;
    if (f->kind == TRACK_VIDEO)
        err = video_track_add(s->video, f->frame, f->pts_us, f->capture_us);
    else
        err = audio_track_add(s->audio, f->frame, f->pts_us, f->capture_us);
    if (err == ERR_UNSUPPORTED) {
        s->input.decode_errors++;
        return 0;
    }
    if (err) {
        char text[SOURCE_WHY_MAX];
        snprintf(text, sizeof text, "the %s broke: %s",
                 f->kind == TRACK_VIDEO ? "scaling of pictures" : "audio encoder", err_text(err));
        fail(s, text);
    }
    return err;
}

static void *read_thread(void *opaque) {
    struct source *s = opaque;
    struct input_frame f;
    int err;
    while ((err = input_read(&s->input, &f)) == 0) {
        err = add_frame(s, &f);
        if (err) break;
    }
    /* ERR_STATE is the interrupt: source_free's, or that of a failure which is known. */
    if (err != ERR_END && err != ERR_STATE) fail(s, s->input.why);
    bool end = err == ERR_END;
    if (s->audio != NULL && audio_track_finish(s->audio, end)) fail(s, "the audio encoder broke");
    if (s->video != NULL) video_track_finish(s->video, end);
    fragment_queue_close(&s->out);
    return NULL;
}

int source_start(struct source *s) {
    int err = s->video != NULL ? video_track_start(s->video) : 0;
    if (err) return err;
    s->running = pthread_create(&s->thread, NULL, read_thread, s) == 0;
    return s->running ? 0 : ERR_SYSTEM;
}

int source_fd(const struct source *s) { return s->out.fd; }

struct fragment *source_next(struct source *s) {
    return fragment_queue_pop(&s->out);
}

enum source_state source_state(struct source *s, const char **ret_why) {
    bool over = fragment_queue_is_over(&s->out);
    pthread_mutex_lock(&s->lock);
    bool failed = over && s->failed;
    pthread_mutex_unlock(&s->lock);
    /* Nothing writes the reason once the queue is closed. */
    if (ret_why != NULL) *ret_why = failed ? s->why : NULL;
    return failed ? SOURCE_FAILED : over ? SOURCE_ENDED : SOURCE_RUNNING;
}

void source_stats(struct source *s, struct source_stats *ret) {
    *ret = (struct source_stats){.fragments_dropped = fragment_queue_dropped(&s->out),
                                 .decode_errors = s->input.decode_errors};
    if (s->video != NULL) video_track_stats(s->video, ret);
    if (s->audio != NULL) ret->audio_bps = audio_track_bps(s->audio);
}
