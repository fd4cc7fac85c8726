#include "media/recorder.h"

#include <errno.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/recorder_muxer.h"
#include "media/recorder_queue.h"

struct recorder {
    pthread_t thread;
    pthread_mutex_t lock; /* over everything down to `stats` */
    pthread_cond_t changed;
    struct recorder_queue queue;
    bool is_finishing;
    enum recorder_state state;
    char why[RECORDER_WHY_MAX];
    struct recorder_stats stats;

    int event_fd;

    /* The thread's own. */
    struct output output;
    struct order order;
    struct recorder_muxer *muxer; /* NULL before the first frame */
    struct recorder_tracks tracks;
    size_t streams[ORDER_KINDS];
    bool continues; /* the output holds a stream of other parameters */
    uint64_t header_bytes;
};

/* --- telling the owner --- */

static void signal_owner(struct recorder *r) {
    uint64_t one = 1;
    ssize_t n = write(r->event_fd, &one, sizeof one);
    (void)n; /* full means that it is readable already */
}

static void enter(struct recorder *r, enum recorder_state state, const char *why) {
    pthread_mutex_lock(&r->lock);
    if (r->state == RECORDER_RUNNING) {
        r->state = state;
        snprintf(r->why, sizeof r->why, "%s", why);
    }
    pthread_mutex_unlock(&r->lock);
    signal_owner(r);
}

/* Ends the recording for an error of the output or the muxer. */
static void fail(struct recorder *r, int err) {
    char why[RECORDER_WHY_MAX];
    if (err == ERR_END) {
        enter(r, RECORDER_BROKEN_PIPE, "the reader has closed its end");
        return;
    }
    const char *text = err == ERR_SYSTEM ? strerror(r->output.code) : err_text(err);
    if (err == ERR_TIMEOUT) text = "its reader takes nothing; the last seconds are not written";
    if (err == ERR_FORMAT) text = "the codec's configuration is not valid";
    snprintf(why, sizeof why, "%s: %s", r->output.path, text);
    enter(r, RECORDER_FAILED, why);
}

/* --- the thread: muxing --- */

static int open_muxer(struct recorder *r) {
    struct cmaf_track list[ORDER_KINDS];
    size_t n = 0;
    for (size_t k = 0; k < ORDER_KINDS; k++) {
        if (!r->tracks.kinds[k].is_present) continue;
        r->streams[k] = n;
        list[n++] = r->tracks.kinds[k].track;
    }
    return recorder_muxer_open(&r->muxer, &r->output, list, n, r->continues);
}

/* The first output is the first picture, where there are pictures: sound can be there sooner. */
static void count_frame(struct recorder *r, enum order_kind kind, bool is_written) {
    bool is_main = kind == ORDER_VIDEO || !r->tracks.kinds[ORDER_VIDEO].is_present;
    pthread_mutex_lock(&r->lock);
    r->stats.frames_written += is_written;
    r->stats.frames_dropped += !is_written;
    r->stats.bytes_written = r->output.bytes;
    if (r->stats.first_output_us == 0 && is_main && r->output.bytes > r->header_bytes)
        r->stats.first_output_us = monotonic_us();
    pthread_mutex_unlock(&r->lock);
}

static int write_frame(struct recorder *r, const struct order_frame *f) {
    if (r->muxer == NULL) {
        int err = open_muxer(r);
        if (err) return err;
        r->header_bytes = r->output.bytes;
    }
    const struct cmaf_sample *s = &f->sample;
    struct muxer_packet p = {.data = f->data,
                             .len = s->size,
                             .stream = r->streams[f->kind],
                             .dts = s->dts,
                             .pts = s->dts + s->cts_offset,
                             .duration = s->duration,
                             .keyframe = s->keyframe};
    int err = recorder_muxer_write(r->muxer, &p);
    bool refused = err == ERR_FORMAT || err == ERR_STALE;
    if (err && !refused) return err;
    count_frame(r, f->kind, !refused);
    return 0;
}

/* Writes what is due. Returns 0 with the time at which waiting for a silent track ends. */
static int drain(struct recorder *r, bool hurry, uint64_t *ret_deadline_us) {
    struct order_frame f;
    while (order_next(&r->order, hurry, monotonic_us(), &f, ret_deadline_us)) {
        int err = write_frame(r, &f);
        if (err) return err;
    }
    pthread_mutex_lock(&r->lock);
    r->stats.frames_dropped += r->order.dropped;
    pthread_mutex_unlock(&r->lock);
    r->order.dropped = 0;
    return 0;
}

/* --- the thread: another broadcast --- */

static void start_order(struct recorder *r, bool from_zero) {
    const struct cmaf_track *tracks[ORDER_KINDS] = {NULL, NULL};
    for (size_t k = 0; k < ORDER_KINDS; k++)
        if (r->tracks.kinds[k].is_present) tracks[k] = &r->tracks.kinds[k].track;
    order_start(&r->order, tracks[ORDER_VIDEO], tracks[ORDER_AUDIO], r->tracks.reorder_frames,
                from_zero);
}

static bool is_compatible(const struct recorder_tracks *a, const struct recorder_tracks *b) {
    for (size_t k = 0; k < ORDER_KINDS; k++) {
        if (a->kinds[k].is_present != b->kinds[k].is_present) return false;
        if (a->kinds[k].is_present &&
            !cmaf_track_is_compatible(&a->kinds[k].track, &b->kinds[k].track))
            return false;
    }
    return true;
}

static int finish_muxer(struct recorder *r) {
    int err = r->muxer == NULL ? 0 : recorder_muxer_finish(r->muxer);
    recorder_muxer_free(r->muxer);
    r->muxer = NULL;
    return err;
}

/* Goes on in NAME-2 and tells the owner so. Returns 0 or an error that was told already. */
static int start_part(struct recorder *r) {
    char why[RECORDER_WHY_MAX];
    if (output_next(&r->output, why, sizeof why) != 0) {
        enter(r, RECORDER_FAILED, why);
        return ERR_STATE;
    }
    snprintf(why, sizeof why, "the source has changed its format: recording goes on in %s",
             r->output.path);
    pthread_mutex_lock(&r->lock);
    snprintf(r->why, sizeof r->why, "%s", why);
    r->stats.parts = r->output.part;
    pthread_mutex_unlock(&r->lock);
    signal_owner(r);
    return 0;
}

static int change_broadcast(struct recorder *r, const struct recorder_tracks *tracks) {
    uint64_t deadline_us;
    int err = drain(r, true, &deadline_us);
    if (err) return err;
    order_release(&r->order); /* sound that waited for a picture which never came */
    bool fits = r->muxer == NULL || is_compatible(&r->tracks, tracks);
    bool in_file = r->output.container != CONTAINER_TS;
    r->tracks = *tracks;
    if (!fits) {
        err = finish_muxer(r);
        if (!err && in_file) err = start_part(r);
        if (err) return err;
        r->continues = !in_file;
    }
    start_order(r, !fits && in_file);
    return 0;
}

/* --- the thread: its loop --- */

static int take_entry(struct recorder *r, struct queue_entry *e) {
    if (e->fragment != NULL) {
        order_push(&r->order, e->kind, e->fragment, monotonic_us());
        return 0;
    }
    int err = change_broadcast(r, e->tracks);
    free(e->tracks);
    return err;
}

static struct timespec to_timespec(uint64_t us) {
    return (struct timespec){.tv_sec = (time_t)(us / US_PER_S),
                             .tv_nsec = (long)(us % US_PER_S * 1000)};
}

/* Waits for an entry, the deadline or the end. Returns whether there is an entry. */
static bool wait_entry(struct recorder *r, uint64_t deadline_us, struct queue_entry *ret,
                       bool *ret_finishing) {
    pthread_mutex_lock(&r->lock);
    struct timespec until = to_timespec(deadline_us);
    int timed_out = 0;
    while (r->queue.len == 0 && !r->is_finishing && !timed_out)
        timed_out = deadline_us == TIME_NEVER
                        ? pthread_cond_wait(&r->changed, &r->lock)
                        : pthread_cond_timedwait(&r->changed, &r->lock, &until);
    bool found = queue_take(&r->queue, ret);
    *ret_finishing = r->is_finishing;
    pthread_mutex_unlock(&r->lock);
    return found;
}

static int record(struct recorder *r) {
    uint64_t deadline_us = TIME_NEVER;
    int err = 0;
    start_order(r, true);
    while (!err) {
        struct queue_entry e;
        bool finishing;
        bool found = wait_entry(r, deadline_us, &e, &finishing);
        if (found) err = take_entry(r, &e);
        bool last = finishing && !found;
        if (!err) err = drain(r, last, &deadline_us);
        if (last) break;
    }
    return err ? err : finish_muxer(r);
}

static void *run(void *arg) {
    struct recorder *r = arg;
    int err = record(r);
    if (err)
        fail(r, err);
    else
        enter(r, RECORDER_DONE, "");
    recorder_muxer_free(r->muxer);
    r->muxer = NULL;
    order_release(&r->order);
    return NULL;
}

/* --- the owner's side --- */

static int init_locks(struct recorder *r) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return ERR_MEMORY;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    int err = pthread_cond_init(&r->changed, &attributes) == 0 ? 0 : ERR_MEMORY;
    pthread_condattr_destroy(&attributes);
    return err;
}

/* With all signals blocked: they are for the loop's thread, and SIGPIPE for nobody. */
static int start_thread(struct recorder *r) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0 ? 0 : ERR_SYSTEM;
}

static void destroy(struct recorder *r) {
    output_release(&r->output);
    queue_release(&r->queue);
    if (r->event_fd >= 0) close(r->event_fd);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int recorder_check(const struct recorder_config *config, char *why, size_t size) {
    struct output *output = calloc(1, sizeof *output); /* its paths are too much for a stack */
    if (output == NULL) return ERR_MEMORY;
    int err = output_open(output, config->path, config->overwrite, why, size);
    if (!err) output_release(output);
    free(output);
    return err;
}

int recorder_open(struct recorder **ret, const struct recorder_config *config,
                  const struct track *tracks, size_t n, char *why, size_t size) {
    struct recorder *r = calloc(1, sizeof *r);
    if (r == NULL || init_locks(r) != 0) {
        free(r);
        snprintf(why, size, "%s: out of memory", config->path);
        return ERR_MEMORY;
    }
    av_log_set_level(AV_LOG_QUIET);
    r->output.fd = r->output.wake_fd = -1;
    r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = r->event_fd < 0 ? ERR_SYSTEM : recorder_tracks_read(tracks, n, &r->tracks);
    if (err)
        snprintf(why, size, "%s: the channel cannot be recorded: %s", config->path, err_text(err));
    if (!err) err = output_open(&r->output, config->path, config->overwrite, why, size);
    if (!err) {
        r->queue.tracks = r->tracks;
        r->stats.parts = 1;
        err = start_thread(r);
        if (err) snprintf(why, size, "%s: no thread to write it with", config->path);
    }
    if (err)
        destroy(r);
    else
        *ret = r;
    return err;
}

void recorder_finish(struct recorder *r) {
    pthread_mutex_lock(&r->lock);
    bool before = r->is_finishing;
    r->is_finishing = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (!before) output_hurry(&r->output);
}

void recorder_free(struct recorder *r) {
    if (r == NULL) return;
    recorder_finish(r);
    pthread_join(r->thread, NULL);
    destroy(r);
}

void recorder_push(struct recorder *r, struct fragment *f) {
    pthread_mutex_lock(&r->lock);
    if (r->state == RECORDER_RUNNING && !r->is_finishing && queue_push(&r->queue, f))
        pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

int recorder_switch(struct recorder *r, const struct track *tracks, size_t n) {
    struct recorder_tracks parsed;
    int err = recorder_tracks_read(tracks, n, &parsed);
    if (err) return err;
    pthread_mutex_lock(&r->lock);
    if (r->state == RECORDER_RUNNING && !r->is_finishing) err = queue_switch(&r->queue, &parsed);
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return err;
}

int recorder_fd(const struct recorder *r) { return r->event_fd; }

enum recorder_state recorder_state(struct recorder *r, char *why, size_t size) {
    uint64_t count;
    ssize_t n = read(r->event_fd, &count, sizeof count);
    (void)n; /* empty is fine */
    pthread_mutex_lock(&r->lock);
    enum recorder_state state = r->state;
    snprintf(why, size, "%s", r->why);
    pthread_mutex_unlock(&r->lock);
    return state;
}

void recorder_stats(struct recorder *r, struct recorder_stats *ret) {
    pthread_mutex_lock(&r->lock);
    *ret = r->stats;
    ret->frames_dropped += r->queue.dropped;
    pthread_mutex_unlock(&r->lock);
}
