#include "tests/lib/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lib/json.h"

#define ARGUMENTS_MAX 64
#define STREAMS 2
#define CANNOT_RUN 127

struct stream {
    int fd; /* -1: closed */
    size_t len;
    char *text; /* PROCESS_OUTPUT_MAX bytes and a zero */
};

struct process {
    pid_t id;
    int pidfd; /* -1: ended */
    int status;
    struct stream streams[STREAMS];
};

static struct process *all[PROCESSES_MAX];
static pid_t starter; /* a forked child must not kill its parent's programs */

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

/* Watching. */

static void stream_close(struct stream *s) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

/* Reads what is there; false when that was nothing. */
static bool stream_read(struct stream *s) {
    if (s->fd < 0) return false;
    if (s->len == PROCESS_OUTPUT_MAX) {
        s->len /= 2;
        memmove(s->text, s->text + s->len, s->len);
    }
    ssize_t n = read(s->fd, s->text + s->len, PROCESS_OUTPUT_MAX - s->len);
    if (n > 0) {
        s->len += (size_t)n;
        s->text[s->len] = '\0';
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) stream_close(s);
    return false;
}

static void process_reap(struct process *p) {
    int status;
    if (waitpid(p->id, &status, WNOHANG) != p->id) return;
    p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    close(p->pidfd);
    p->pidfd = -1;
}

/* Sleeps until any program writes or ends, `extra` is readable (-1: none), or the deadline. */
static void wait_any(int extra, uint64_t deadline_us) {
    struct pollfd fds[PROCESSES_MAX * (STREAMS + 1) + 1] = {{.fd = extra, .events = POLLIN}};
    nfds_t len = 1;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (all[i] == NULL) continue;
        fds[len++] = (struct pollfd){.fd = all[i]->pidfd, .events = POLLIN};
        for (size_t s = 0; s < STREAMS; s++)
            fds[len++] = (struct pollfd){.fd = all[i]->streams[s].fd, .events = POLLIN};
    }
    uint64_t left_ms = u64_sub(deadline_us, now_us()) / US_PER_MS + 1;
    if (poll(fds, len, (int)u64_min(left_ms, INT_MAX)) <= 0) return;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (all[i] == NULL) continue;
        for (size_t s = 0; s < STREAMS; s++) stream_read(&all[i]->streams[s]);
        if (all[i]->pidfd >= 0) process_reap(all[i]);
    }
}

/* What a program wrote before it ended must not be missed. */
static void drain(struct process *p) {
    for (size_t s = 0; s < STREAMS; s++)
        while (stream_read(&p->streams[s])) continue;
}

bool process_has_ended(const struct process *p) { return p->pidfd < 0; }
int process_id(const struct process *p) { return p->id; }

const char *process_output(const struct process *p, enum process_stream stream) {
    return p->streams[stream].text;
}

/* Starting. */

static void all_kill(void) {
    if (getpid() != starter) return;
    for (size_t i = 0; i < PROCESSES_MAX; i++) process_free(all[i]);
}

static void environment_set(const struct sandbox *sandbox) {
    static const char *const variables[] = {"HOME",           "XDG_DATA_HOME",  "XDG_CONFIG_HOME",
                                            "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) setenv(variables[i], sandbox->path, 1);
}

static void redirect(int from, int to) {
    if (from < 0 || dup2(from, to) < 0) _exit(CANNOT_RUN);
}

/* In the child. The kernel kills it when the test dies, whatever the test dies of. */
static _Noreturn void child_run(const struct process_config *config, const int pipes[STREAMS][2],
                                int failed, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(CANNOT_RUN);
    signal(SIGPIPE, SIG_DFL);
    const char *input = config->stdin_path ? config->stdin_path : "/dev/null";
    redirect(open(input, O_RDONLY), STDIN_FILENO);
    if (config->stdout_path != NULL)
        redirect(open(config->stdout_path, O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
    else
        redirect(pipes[PROCESS_OUT][1], STDOUT_FILENO);
    redirect(pipes[PROCESS_ERR][1], STDERR_FILENO);
    if (config->sandbox != NULL) environment_set(config->sandbox);
    execvp(config->argv[0], (char *const *)config->argv);
    ssize_t n = write(failed, "x", 1);
    _exit(n == 1 ? CANNOT_RUN : CANNOT_RUN - 1);
}

static struct process *process_new(void) {
    struct process *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->pidfd = -1;
    for (size_t s = 0; s < STREAMS; s++) {
        p->streams[s].fd = -1;
        p->streams[s].text = calloc(1, PROCESS_OUTPUT_MAX + 1);
    }
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (all[i] != NULL) continue;
        all[i] = p;
        return p;
    }
    process_free(p);
    return NULL;
}

/* Reads the pipe that closes by itself when the program runs, and has a byte when it does not. */
static bool child_runs(int failed) {
    char c;
    ssize_t n;
    do n = read(failed, &c, 1);
    while (n < 0 && errno == EINTR);
    return n == 0;
}

static void child_started(struct process *p, const int pipes[STREAMS][2]) {
    for (size_t s = 0; s < STREAMS; s++) {
        close(pipes[s][1]);
        p->streams[s].fd = pipes[s][0];
        fcntl(p->streams[s].fd, F_SETFL, O_NONBLOCK);
    }
    p->pidfd = pidfd_open(p->id, 0);
    if (p->pidfd < 0) abort(); /* Linux 5.3 has it */
}

struct process *process_start(const struct process_config *config) {
    static bool is_registered;
    int pipes[STREAMS][2], failed[2];
    struct process *p = process_new();
    if (p == NULL || pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0 ||
        pipe2(failed, O_CLOEXEC) != 0)
        abort(); /* the test's own machine is out of memory or descriptors */
    starter = getpid();
    if (!is_registered && atexit(all_kill) != 0) abort();
    is_registered = true;
    pid_t parent = getpid();
    p->id = fork();
    if (p->id < 0) abort();
    if (p->id == 0) child_run(config, pipes, failed[1], parent);
    child_started(p, pipes);
    close(failed[1]);
    bool runs = child_runs(failed[0]);
    close(failed[0]);
    if (runs) return p;
    process_free(p);
    return NULL;
}

struct process *process_run(const struct sandbox *sandbox, const char *program, ...) {
    const char *argv[ARGUMENTS_MAX] = {program};
    va_list args;
    va_start(args, program);
    for (size_t i = 1; argv[i - 1] != NULL; i++) {
        if (i == ARGUMENTS_MAX) abort();
        argv[i] = va_arg(args, const char *);
    }
    va_end(args);
    return process_start(&(struct process_config){.argv = argv, .sandbox = sandbox});
}

void process_free(struct process *p) {
    if (p == NULL) return;
    if (p->pidfd >= 0) {
        kill(p->id, SIGKILL);
        waitpid(p->id, NULL, 0);
        close(p->pidfd);
    }
    for (size_t s = 0; s < STREAMS; s++) {
        stream_close(&p->streams[s]);
        free(p->streams[s].text);
    }
    for (size_t i = 0; i < PROCESSES_MAX; i++)
        if (all[i] == p) all[i] = NULL;
    free(p);
}

const char *process_shoal(void) {
    const char *path = getenv("SHOAL");
    return path != NULL ? path : "build/shoal";
}

/* Waiting. */

/* The line behind `prefix`, copied; ERR_NOT_FOUND where there is none yet. */
static int line_find(const char *text, const char *prefix, char *ret, size_t size) {
    size_t prefix_len = strlen(prefix);
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if (strncmp(text, prefix, prefix_len) != 0) continue;
        size_t len = (size_t)(end - text) - prefix_len;
        if (ret == NULL) return 0;
        if (len >= size) return ERR_FULL;
        memcpy(ret, text + prefix_len, len);
        ret[len] = '\0';
        return 0;
    }
    return ERR_NOT_FOUND;
}

int process_wait_line(struct process *p, enum process_stream stream, const char *prefix,
                      uint64_t timeout_us, char *ret, size_t size) {
    uint64_t deadline = now_us() + timeout_us;
    for (;;) {
        bool had_ended = process_has_ended(p);
        if (had_ended) drain(p);
        int err = line_find(process_output(p, stream), prefix, ret, size);
        if (err != ERR_NOT_FOUND) return err;
        if (had_ended) return ERR_END;
        if (now_us() >= deadline) return ERR_TIMEOUT;
        wait_any(-1, deadline);
    }
}

int process_signal(struct process *p, int signal_number) {
    if (process_has_ended(p)) return ERR_END;
    return kill(p->id, signal_number) == 0 ? 0 : ERR_END;
}

int process_wait_exit(struct process *p, uint64_t timeout_us, int *ret_status) {
    uint64_t deadline = now_us() + timeout_us;
    while (!process_has_ended(p)) {
        if (now_us() >= deadline) return ERR_TIMEOUT;
        wait_any(-1, deadline);
    }
    drain(p);
    *ret_status = p->status;
    return 0;
}

/* A file that grows by lines. */
struct follower {
    const char *path;
    FILE *file; /* NULL while it is not there */
    int watch;
    char line[PROCESS_LINE_MAX];
};

static int folder_watch(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : (int)(slash - path) + 1;
    snprintf(folder, sizeof folder, "%.*s.", len, path);
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch >= 0 && inotify_add_watch(watch, folder, IN_CREATE | IN_MODIFY | IN_MOVED_TO) >= 0)
        return watch;
    if (watch >= 0) close(watch);
    return -1;
}

/* The next whole line, without its newline; false where there is none yet. */
static bool follower_next(struct follower *f) {
    if (f->file == NULL) f->file = fopen(f->path, "re");
    if (f->file == NULL) return false;
    long at = ftell(f->file);
    clearerr(f->file);
    if (fgets(f->line, sizeof f->line, f->file) != NULL) {
        char *newline = strchr(f->line, '\n');
        if (newline != NULL) {
            *newline = '\0';
            return true;
        }
    }
    if (fseek(f->file, at, SEEK_SET) != 0) abort(); /* half a line: again when it is whole */
    return false;
}

static void events_discard(int watch) {
    char events[4096];
    while (read(watch, events, sizeof events) > 0) continue;
}

static int follow(struct follower *f, struct process *p, process_predicate *holds, void *data,
                  uint64_t deadline) {
    for (;;) {
        bool had_ended = process_has_ended(p);
        while (follower_next(f))
            if (holds(f->line, data)) return 0;
        if (had_ended) return ERR_END;
        if (now_us() >= deadline) return ERR_TIMEOUT;
        wait_any(f->watch, deadline);
        events_discard(f->watch);
    }
}

int process_wait_stats(struct process *p, const char *path, process_predicate *holds, void *data,
                       uint64_t timeout_us) {
    struct follower f = {.path = path, .watch = folder_watch(path)};
    if (f.watch < 0) return ERR_SYSTEM;
    int err = follow(&f, p, holds, data, now_us() + timeout_us);
    if (f.file != NULL) fclose(f.file);
    close(f.watch);
    return err;
}

struct number {
    const char *field;
    double least;
};

static bool number_holds(const char *line, void *data) {
    const struct number *n = data;
    double value;
    return json_number(line, n->field, &value) == 0 && value >= n->least;
}

int process_wait_number(struct process *p, const char *path, const char *field, double least,
                        uint64_t timeout_us) {
    struct number n = {field, least};
    return process_wait_stats(p, path, number_holds, &n, timeout_us);
}

int process_last_number(const char *path, const char *field, double *ret) {
    struct follower f = {.path = path, .watch = -1};
    char last[PROCESS_LINE_MAX] = "";
    while (follower_next(&f)) memcpy(last, f.line, sizeof last);
    if (f.file != NULL) fclose(f.file);
    return last[0] == '\0' ? ERR_NOT_FOUND : json_number(last, field, ret);
}
