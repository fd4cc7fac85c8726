/* race_source.c - the source under the thread sanitizer, as a plain program: Criterion does not run
 * under it. Every public function from the thread that may call it, while both threads run.
 *
 *   make SAN=thread build/gcc-thread/tests/race-source && build/gcc-thread/tests/race-source */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "media/interrupt.h"
#include "media/source.h"

#define DEADLINE_US (240 * US_PER_S)

static void check(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "race_source: %s\n", what);
    exit(1);
}

static struct source *open_test(bool lossless) {
    struct source_config c = source_config_default();
    c.width = 160;
    c.preset = "ultrafast";
    c.pace = false;
    c.lossless = lossless;
    char why[SOURCE_WHY_MAX];
    struct source *s;
    check(source_open(&s, &c, why, sizeof why) == 0, why);
    check(source_start(s) == 0, "does not start");
    return s;
}

struct watcher {
    struct source *source;
    atomic_bool stop;
};

static void *watch(void *opaque) {
    struct watcher *w = opaque;
    struct source_stats stats;
    while (!atomic_load(&w->stop)) source_stats(w->source, &stats);
    return NULL;
}

static void take(struct source *s, unsigned n) {
    uint64_t deadline_us = clock_monotonic_us() + DEADLINE_US;
    while (n > 0) {
        struct pollfd p = {.fd = source_fd(s), .events = POLLIN};
        check(poll(&p, 1, 1000) >= 0, "poll");
        check(clock_monotonic_us() < deadline_us, "too slow");
        check(source_state(s, NULL) == SOURCE_RUNNING, "over before its time");
        struct fragment *f;
        while (n > 0 && (f = source_next(s)) != NULL) {
            fragment_unref(f);
            n--;
        }
    }
}

static void run(bool lossless) {
    struct watcher w = {.source = open_test(lossless)};
    pthread_t thread;
    check(pthread_create(&thread, NULL, watch, &w) == 0, "no thread");
    take(w.source, 300);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    source_free(w.source);
}

static void free_in_the_middle(void) {
    for (unsigned i = 0; i < 20; i++) {
        struct source *s = open_test(i % 2 == 0);
        if (i > 4) take(s, i);
        source_free(s);
    }
}

static void *open_silent(void *opaque) {
    const struct source_config *c = opaque;
    char why[SOURCE_WHY_MAX];
    struct source *s = NULL;
    check(source_open(&s, c, why, sizeof why) != 0, "opened nothing");
    return NULL;
}

static void cancel_opening(void) {
    int fds[2];
    check(pipe(fds) == 0, "no pipe");
    char input[32];
    snprintf(input, sizeof input, "pipe:%d", fds[0]);
    atomic_bool cancel = false;
    struct source_config c = source_config_default();
    c.input = input;
    c.cancel = &cancel;
    pthread_t thread;
    check(pthread_create(&thread, NULL, open_silent, &c) == 0, "no thread");
    atomic_store(&cancel, true);
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    run(true);
    run(false);
    free_in_the_middle();
    cancel_opening();
    puts("race_source: ok");
    return 0;
}
