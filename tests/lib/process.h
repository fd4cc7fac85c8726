/* process.h - programs run by a test: started in a directory of their own, watched through their
 * output and their --stats files, and gone when the test ends, however it ends.
 *
 * One thread. Every wait reads the output of all programs, so that none of them ever blocks on a
 * full pipe, and ends with its event, its deadline, or the end of the program that it waits for.
 * No wait sleeps: pipes, pidfds and inotify wake it. */
#ifndef PROCESS_H
#define PROCESS_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>

#include "core/base/base.h"

#define PROCESSES_MAX 32
#define PROCESS_OUTPUT_MAX (1u << 20) /* of a stream; the older half is dropped beyond it */
#define PROCESS_LINE_MAX 16384        /* of a --stats file */

/* A directory under $TMPDIR or /tmp. Programs that run in it have HOME and the XDG directories
 * there, so they see nothing of the machine's and of each other. */
struct sandbox {
    char path[PATH_MAX];
};

/* Returns 0 or ERR_SYSTEM. Removed with all that is in it at the test's end. */
MUST_CHECK int sandbox_make(struct sandbox *ret);
void sandbox_remove(struct sandbox *sandbox);
/* The path of a file in it: fills PATH_MAX bytes and returns them. */
const char *sandbox_file(const struct sandbox *sandbox, const char *name, char *ret);

struct process;

enum process_stream {
    PROCESS_OUT,
    PROCESS_ERR,
};

struct process_config {
    const char *const *argv;       /* ends with NULL; found in $PATH where it has no slash */
    const struct sandbox *sandbox; /* NULL: the test's own surroundings */
    const char *stdin_path;        /* NULL: /dev/null */
    const char *stdout_path;       /* where media goes; NULL: kept, for process_wait_line */
};

/* The program under test: $SHOAL, or build/shoal. */
const char *process_shoal(void);

/* NULL where it cannot be started (also where the program does not exist). */
struct process *process_start(const struct process_config *config);
/* The same for a list of words that ends with NULL. */
struct process *process_run(const struct sandbox *sandbox, const char *program, ...);
/* Kills it where it still runs. */
void process_free(struct process *p);

/* Waits for a line that starts with `prefix`, and copies what stands behind it into `size` bytes
 * (`ret` may be NULL). Lines from before the call count. Returns 0, ERR_TIMEOUT, ERR_END where the
 * program has ended without it, or ERR_FULL. */
MUST_CHECK int process_wait_line(struct process *p, enum process_stream stream, const char *prefix,
                                 uint64_t timeout_us, char *ret, size_t size);
/* What it has written so far and is still kept; ends with a zero. */
const char *process_output(const struct process *p, enum process_stream stream);

/* Returns 0, or ERR_END where it has ended. */
int process_signal(struct process *p, int signal_number);
/* Returns 0 and the exit status, or 128 and the signal that killed it; or ERR_TIMEOUT. */
MUST_CHECK int process_wait_exit(struct process *p, uint64_t timeout_us, int *ret_status);
bool process_has_ended(const struct process *p);
int process_id(const struct process *p);

/* Whether the line of a --stats file is the one that is waited for. */
typedef bool process_predicate(const char *line, void *data);
/* Waits until a whole line of the file satisfies the predicate; lines from before the call count.
 * Returns 0, ERR_TIMEOUT, ERR_END where `p` has ended and no line does, or ERR_SYSTEM. */
MUST_CHECK int process_wait_stats(struct process *p, const char *path, process_predicate *holds,
                                  void *data, uint64_t timeout_us);
/* Waits until the number at a path such as "chunks.ok" is at least `least`. */
MUST_CHECK int process_wait_number(struct process *p, const char *path, const char *field,
                                   double least, uint64_t timeout_us);
/* The number in the last whole line. Returns 0, ERR_NOT_FOUND where there is no line or no such
 * field, ERR_STATE where it is null, or ERR_FORMAT. */
MUST_CHECK int process_last_number(const char *path, const char *field, double *ret);

#endif
