/* recorder_output.h - where a recording's bytes go: a file by name, or standard output.
 *
 * Pipes, sockets and terminals are waited for with poll and written in pieces that a pipe takes at
 * once, so a reader that stands still never holds the thread in the kernel: output_hurry makes the
 * wait end. The descriptor's flags are not changed, because standard output is shared with other
 * programs. The thread that writes has SIGPIPE blocked: a reader that went away is an error here.
 */
#ifndef RECORDER_OUTPUT_H
#define RECORDER_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/base.h"

#define OUTPUT_PATH_MAX 4096
#define OUTPUT_PARTS_MAX 99             /* NAME-99.mp4 is the last */
#define OUTPUT_STUCK_US (2 * US_PER_S)  /* a reader that takes nothing that long is stuck */
#define OUTPUT_FINISH_US (8 * US_PER_S) /* and one that is slow gets that long in all */

enum container {
    CONTAINER_TS,
    CONTAINER_MP4,
    CONTAINER_MKV,
};

struct output {
    char first_path[OUTPUT_PATH_MAX]; /* as given; "-" is standard output */
    char path[OUTPUT_PATH_MAX];       /* the part that is being written */
    unsigned part;                    /* from 1 */
    enum container container;
    bool overwrite;
    int fd; /* -1 when closed */
    bool is_regular;
    bool is_created;                 /* by us: removed again where nothing was written */
    bool is_started;                 /* a byte was written */
    uint64_t bytes;                  /* written, over all parts */
    int code;                        /* errno of the first write that failed */
    int wake_fd;                     /* eventfd: readable once in a hurry */
    _Atomic uint64_t hurry_until_us; /* TIME_NEVER: no hurry */
};

/* Opens for writing. An existing file keeps its contents until the first write. Returns 0, or
 * ERR_ARGUMENT (ending), ERR_EXISTS, ERR_PERMISSION, ERR_SYSTEM with one line in `why`. */
MUST_CHECK int output_open(struct output *o, const char *path, bool overwrite, char *why,
                           size_t size);
/* Closes, and removes a file that was created and stayed empty. */
void output_release(struct output *o);
/* Closes this file and opens NAME-2, NAME-3, ... beside it. Errors as output_open. */
MUST_CHECK int output_next(struct output *o, char *why, size_t size);

/* All of it, waiting where it must. Returns 0, ERR_END (the reader has closed its end),
 * ERR_TIMEOUT (in a hurry) or ERR_SYSTEM (`code` says why). */
MUST_CHECK int output_write(struct output *o, const void *data, size_t len);
/* From any thread: from now on writes end with ERR_TIMEOUT when the reader is stuck. */
void output_hurry(struct output *o);

uint64_t monotonic_us(void);

#endif
