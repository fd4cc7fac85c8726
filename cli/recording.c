#include "cli/recording.h"

#include <stdlib.h>
#include <string.h>

#include "cli/log.h"
#include "core/base/err.h"

struct recording {
    const struct options *options;
    struct loop *loop;
    struct loop_watch *watch;
    struct recorder *recorder; /* NULL until the tracks are known */
    recording_fn ended;
    void *ctx;
    bool has_ended;
    uint64_t dropped_said;
};

static struct recorder_config config_of(const struct options *o) {
    return (struct recorder_config){.path = o->output, .overwrite = o->overwrite};
}

int recording_check(const struct options *options) {
    if (options->output == NULL) return 0;
    char why[RECORDER_WHY_MAX];
    struct recorder_config config = config_of(options);
    int err = recorder_check(&config, why, sizeof why);
    if (err == ERR_EXISTS)
        log_error("--output: %s exists already; choose another name, or give --overwrite",
                  options->output);
    else if (err)
        log_error("--output: %s", why);
    return err;
}

bool recording_is_stdout(const struct options *options) {
    return options->output != NULL && strcmp(options->output, "-") == 0;
}

int recording_open(struct recording **ret, const struct options *options, struct loop *loop,
                   recording_fn ended, void *ctx) {
    struct recording *r = calloc(1, sizeof *r);
    if (r == NULL) return ERR_MEMORY;
    *r = (struct recording){.options = options, .loop = loop, .ended = ended, .ctx = ctx};
    *ret = r;
    return 0;
}

void recording_free(struct recording *r) {
    if (r == NULL) return;
    if (r->watch != NULL) loop_watch_free(r->watch);
    recorder_free(r->recorder);
    free(r);
}

static void on_recorder(void *ctx, unsigned ready, uint64_t now_us) {
    struct recording *r = ctx;
    char why[RECORDER_WHY_MAX];
    (void)ready;
    (void)now_us;
    enum recorder_state state = recorder_state(r->recorder, why, sizeof why);
    if (state == RECORDER_RUNNING) {
        if (why[0] != '\0') log_info("output", "%s", why);
        return;
    }
    if (state == RECORDER_FAILED) log_error("%s", why);
    loop_watch_want(r->watch, 0);
    if (r->has_ended) return;
    r->has_ended = true;
    if (r->ended != NULL) r->ended(r->ctx, state);
}

int recording_tracks(struct recording *r, const struct track *tracks, size_t n) {
    char why[RECORDER_WHY_MAX];
    if (r->recorder != NULL) {
        int err = recorder_switch(r->recorder, tracks, n);
        if (err)
            log_error("%s: cannot go on with the new broadcast: %s", r->options->output,
                      err_text(err));
        return err;
    }
    struct recorder_config config = config_of(r->options);
    int err = recorder_open(&r->recorder, &config, tracks, n, why, sizeof why);
    if (err) {
        log_error("%s", why);
        return err;
    }
    r->watch = loop_watch_new(r->loop, recorder_fd(r->recorder), on_recorder, r);
    if (r->watch == NULL) return ERR_MEMORY;
    loop_watch_want(r->watch, LOOP_READ);
    return 0;
}

void recording_push(struct recording *r, struct fragment *f) {
    if (r->recorder != NULL && !r->has_ended) recorder_push(r->recorder, f);
}

void recording_finish(struct recording *r) {
    if (r->recorder != NULL)
        recorder_finish(r->recorder);
    else if (r->ended != NULL)
        r->ended(r->ctx, RECORDER_DONE);
}

uint64_t recording_first_output_us(const struct recording *r) {
    struct recorder_stats stats;
    if (r->recorder == NULL) return 0;
    recorder_stats(r->recorder, &stats);
    return stats.first_output_us;
}
