#include "media/recorder_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"

uint64_t monotonic_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static const struct {
    const char *ending;
    enum container container;
} endings[] = {{".ts", CONTAINER_TS}, {".mp4", CONTAINER_MP4}, {".mkv", CONTAINER_MKV}};

/* Start of the ending in `path`, or NULL where it is none of ours. */
static const char *find_ending(const char *path, enum container *ret) {
    size_t len = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t n = strlen(endings[i].ending);
        if (len <= n || path[len - n - 1] == '/') continue;
        if (strcasecmp(path + len - n, endings[i].ending) != 0) continue;
        *ret = endings[i].container;
        return path + len - n;
    }
    return NULL;
}

static int fail_errno(const char *path, char *why, size_t size) {
    int code = errno;
    if (code == ENXIO)
        snprintf(why, size, "%s: a pipe that nobody reads; start its reader first", path);
    else
        snprintf(why, size, "%s: cannot be written: %s", path, strerror(code));
    return code == EACCES || code == EPERM || code == EROFS ? ERR_PERMISSION : ERR_SYSTEM;
}

static int open_existing(struct output *o, char *why, size_t size) {
    /* O_NONBLOCK: a named pipe without a reader is an error here, not a wait without end. */
    int fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int err = fail_errno(o->path, why, size);
        if (fd >= 0) close(fd);
        return err;
    }
    if (S_ISREG(st.st_mode) && st.st_size > 0 && !o->overwrite) {
        close(fd);
        snprintf(why, size,
                 "%s: exists and is not empty; choose another name, or allow it to be "
                 "overwritten",
                 o->path);
        return ERR_EXISTS;
    }
    o->is_regular = S_ISREG(st.st_mode);
    o->fd = fd;
    return 0;
}

static int open_path(struct output *o, char *why, size_t size) {
    o->is_created = o->is_started = false;
    o->fd = open(o->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    if (o->fd < 0 && errno == EEXIST) return open_existing(o, why, size);
    if (o->fd < 0) return fail_errno(o->path, why, size);
    o->is_created = o->is_regular = true;
    return 0;
}

static int open_standard_output(struct output *o, char *why, size_t size) {
    struct stat st;
    o->container = CONTAINER_TS;
    /* O_ACCMODE: a terminal or file that was opened for reading only cannot be written. */
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(STDOUT_FILENO, &st) != 0) {
        snprintf(why, size, "standard output: is not open for writing");
        return ERR_SYSTEM;
    }
    if (isatty(STDOUT_FILENO)) {
        snprintf(why, size,
                 "standard output: is a terminal; send it to a player, as in -o - | mpv -");
        return ERR_ARGUMENT;
    }
    o->is_regular = S_ISREG(st.st_mode);
    o->is_started = true; /* what stands in it is not ours to cut */
    o->fd = STDOUT_FILENO;
    return 0;
}

int output_open(struct output *o, const char *path, bool overwrite, char *why, size_t size) {
    *o = (struct output){.fd = -1, .wake_fd = -1, .overwrite = overwrite};
    atomic_init(&o->hurry_until_us, TIME_NEVER);
    size_t len = strlen(path);
    bool is_standard = strcmp(path, "-") == 0;
    if (len >= OUTPUT_PATH_MAX - 4) {
        snprintf(why, size, "the output's name is longer than %zu bytes",
                 (size_t)OUTPUT_PATH_MAX - 5);
        return ERR_ARGUMENT;
    }
    memcpy(o->path, path, len + 1);
    memcpy(o->first_path, path, len + 1);
    o->part = 1;
    if (!is_standard && find_ending(path, &o->container) == NULL) {
        snprintf(why, size, "%s: must end in .ts, .mp4 or .mkv, or be - for standard output", path);
        return ERR_ARGUMENT;
    }
    o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (o->wake_fd < 0) return fail_errno(path, why, size);
    int err = is_standard ? open_standard_output(o, why, size) : open_path(o, why, size);
    if (err) output_release(o);
    return err;
}

static void close_file(struct output *o) {
    if (o->fd >= 0 && o->fd != STDOUT_FILENO) close(o->fd);
    if (o->fd >= 0 && o->is_created && !o->is_started) unlink(o->path);
    o->fd = -1;
}

void output_release(struct output *o) {
    close_file(o);
    if (o->wake_fd >= 0) close(o->wake_fd);
    o->wake_fd = -1;
}

int output_next(struct output *o, char *why, size_t size) {
    enum container container;
    const char *ending = find_ending(o->first_path, &container);
    if (ending == NULL) return ERR_STATE;
    int stem_len = (int)(ending - o->first_path);
    close_file(o);
    int err = ERR_EXISTS;
    while (err == ERR_EXISTS && o->part < OUTPUT_PARTS_MAX) {
        int n = snprintf(o->path, sizeof o->path, "%.*s-%u%s", stem_len, o->first_path, ++o->part,
                         ending);
        if (n < 0 || (size_t)n >= sizeof o->path) return ERR_ARGUMENT;
        err = open_path(o, why, size);
    }
    return err;
}

void output_hurry(struct output *o) {
    atomic_store(&o->hurry_until_us, monotonic_us() + OUTPUT_FINISH_US);
    uint64_t one = 1;
    ssize_t n = write(o->wake_fd, &one, sizeof one);
    (void)n; /* full means that it is readable already */
}

/* Until the reader takes more. Returns 0, or ERR_TIMEOUT where it is stuck and we hurry. */
static int wait_writable(struct output *o) {
    uint64_t stuck_since_us = monotonic_us();
    for (;;) {
        uint64_t now_us = monotonic_us(), until_us = atomic_load(&o->hurry_until_us);
        bool hurried = until_us != TIME_NEVER;
        if (hurried) {
            until_us = u64_min(until_us, stuck_since_us + OUTPUT_STUCK_US);
            if (now_us >= until_us) return ERR_TIMEOUT;
        }
        struct pollfd fds[2] = {{.fd = o->fd, .events = POLLOUT},
                                {.fd = o->wake_fd, .events = POLLIN}};
        int wait_ms = hurried ? (int)((until_us - now_us) / US_PER_MS + 1) : -1;
        if (poll(fds, hurried ? 1 : 2, wait_ms) < 0 && errno != EINTR) {
            o->code = errno;
            return ERR_SYSTEM;
        }
        if (fds[0].revents != 0) return 0;
    }
}

static int fail_write(struct output *o) {
    o->code = errno;
    return errno == EPIPE || errno == ECONNRESET ? ERR_END : ERR_SYSTEM;
}

int output_write(struct output *o, const void *data, size_t len) {
    const uint8_t *at = data;
    if (!o->is_started && o->is_regular && !o->is_created && ftruncate(o->fd, 0) != 0)
        return fail_write(o);
    o->is_started = true;
    while (len > 0) {
        if (!o->is_regular) {
            int err = wait_writable(o);
            if (err) return err;
        }
        /* A pipe that polls as writable takes PIPE_BUF bytes without blocking. */
        size_t piece = o->is_regular ? len : size_min(len, PIPE_BUF);
        ssize_t n = write(o->fd, at, piece);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return fail_write(o);
        at += n;
        o->bytes += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}
