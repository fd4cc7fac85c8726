/* race_recorder.c - the recorder under ThreadSanitizer: one thread pushes and changes the
 * broadcast, one asks how it goes, one reads the pipe slowly and leaves, while the recorder's own
 * thread writes. Criterion does not run under ThreadSanitizer, so this is a plain program. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "media/recorder.h"
#include "tests/lib/test_media.h"

#define ROUNDS 40

struct race {
    struct recorder *recorder;
    struct test_media *media[2];
    atomic_bool is_over;
    int pipe_fd; /* -1: a file is written */
};

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "race_recorder: %s\n", what);
    exit(1);
}

static void *push(void *arg) {
    struct race *race = arg;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct test_media *m = race->media[round % 2];
        for (size_t i = 0; i < m->len; i++) recorder_push(race->recorder, m->fragments[i]);
        const struct test_media *next = race->media[(round + 1) % 2];
        int err = recorder_switch(race->recorder, next->tracks, next->tracks_len);
        (void)err; /* full: the same broadcast goes on */
    }
    recorder_finish(race->recorder);
    return NULL;
}

static void *ask(void *arg) {
    struct race *race = arg;
    char why[RECORDER_WHY_MAX];
    struct recorder_stats stats;
    struct pollfd p = {.fd = recorder_fd(race->recorder), .events = POLLIN};
    do {
        recorder_stats(race->recorder, &stats);
        poll(&p, 1, 1);
    } while (recorder_state(race->recorder, why, sizeof why) == RECORDER_RUNNING);
    atomic_store(&race->is_over, true);
    return NULL;
}

/* Takes some, and closes the pipe under the writer. */
static void *read_some(void *arg) {
    struct race *race = arg;
    char buffer[4096];
    for (size_t taken = 0; race->pipe_fd >= 0 && taken < 200000;) {
        struct pollfd p = {.fd = race->pipe_fd, .events = POLLIN};
        if (poll(&p, 1, 10) == 0 && atomic_load(&race->is_over)) break;
        ssize_t n = p.revents & POLLIN ? read(race->pipe_fd, buffer, sizeof buffer) : 0;
        taken += n > 0 ? (size_t)n : 0;
    }
    if (race->pipe_fd >= 0) close(race->pipe_fd);
    return NULL;
}

static void run(struct race *race, const char *path) {
    char why[RECORDER_WHY_MAX];
    struct recorder_config config = {.path = path, .overwrite = true};
    atomic_store(&race->is_over, false);
    must(recorder_open(&race->recorder, &config, race->media[0]->tracks, race->media[0]->tracks_len,
                       why, sizeof why) == 0,
         why);
    void *(*const roles[])(void *) = {push, ask, read_some};
    pthread_t threads[ARRAY_LEN(roles)];
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        must(pthread_create(&threads[i], NULL, roles[i], race) == 0, "no thread");
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) pthread_join(threads[i], NULL);
    recorder_free(race->recorder);
}

int main(void) {
    struct race race = {.pipe_fd = -1};
    race.media[0] = test_media_new(&(struct test_media_config){.frames = 50});
    race.media[1] = test_media_new(&(struct test_media_config){.frames = 50, .width = 160});

    char folder[] = "/tmp/shoal-race-XXXXXX", path[64], command[64];
    must(mkdtemp(folder) != NULL, "no temporary folder");
    snprintf(path, sizeof path, "%s/race.mp4", folder);
    run(&race, path);

    int fds[2];
    must(pipe(fds) == 0 && dup2(fds[1], STDOUT_FILENO) >= 0, "no pipe");
    close(fds[1]);
    race.pipe_fd = fds[0];
    run(&race, "-");

    for (size_t m = 0; m < 2; m++) {
        for (size_t i = 0; i < race.media[m]->len; i++)
            must(atomic_load(&race.media[m]->fragments[i]->references) == 1, "a leak");
        test_media_free(race.media[m]);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    must(system(command) == 0, "the temporary folder stays");
    return 0;
}
