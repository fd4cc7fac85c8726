/* recorder.h - writes a broadcast to standard output or to a file while it runs.
 *
 * The owner pushes fragments from its loop and is never held up: a thread parses, orders, muxes and
 * writes them. Between the two stands a bounded queue; where the disk or the reader of the pipe is
 * too slow, what waits is dropped up to the next random access point, and counted. The first video
 * and the first audio track are recorded.
 *
 * A broadcast that is restarted (recorder_switch) goes on in the same output. Where its codec's
 * parameters differ, MPEG-TS still does; an MP4 or Matroska file is finished and the recording goes
 * on in NAME-2.mp4 and so forth. */
#ifndef RECORDER_H
#define RECORDER_H

#include <stdbool.h>

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

#define RECORDER_QUEUE_US (4 * US_PER_S)
#define RECORDER_QUEUE_BYTES (32u << 20) /* 4 s at 60 Mb/s */
#define RECORDER_QUEUE_FRAGMENTS 2048    /* 4 s of 240 frames a second, and the audio */
#define RECORDER_WHY_MAX 4352            /* a path and a sentence */

struct recorder;

struct recorder_config {
    const char *path; /* ends in .ts, .mp4 or .mkv; "-" is MPEG-TS on standard output */
    bool overwrite;   /* a file that exists and is not empty */
};

enum recorder_state {
    RECORDER_RUNNING,
    RECORDER_DONE,        /* after recorder_finish: all is written */
    RECORDER_BROKEN_PIPE, /* the reader closed its end: nothing more to do, and no fault */
    RECORDER_FAILED,
};

struct recorder_stats {
    uint64_t frames_written, frames_dropped; /* of video and audio */
    uint64_t bytes_written;
    uint64_t first_output_us; /* monotonic: the first picture (without pictures, the first sound)
                                 was handed to the system; 0: not yet */
    unsigned parts;           /* files, from 1 */
};

/* Whether recorder_open could write there: the same errors and lines, and nothing is left behind.
 */
MUST_CHECK int recorder_check(const struct recorder_config *config, char *why, size_t size);
/* Returns 0, or ERR_ARGUMENT (ending), ERR_EXISTS, ERR_PERMISSION, ERR_SYSTEM, ERR_MEMORY, or an
 * error of cmaf_read_init for tracks that cannot be recorded, with one line in `why`. Nothing is
 * changed on disk then; an existing file keeps its contents until the first frame comes. */
MUST_CHECK int recorder_open(struct recorder **ret, const struct recorder_config *config,
                             const struct track *tracks, size_t n, char *why, size_t size);
/* Waits as long as recorder_finish, where that was not called before. NULL is allowed. */
void recorder_free(struct recorder *r);

/* Takes a reference. Fragments of other tracks, broken ones and those after the end are ignored. */
void recorder_push(struct recorder *r, struct fragment *f);
/* The fragments that follow belong to another broadcast. Errors as cmaf_read_init: then nothing
 * changes; ERR_FULL where too many changes wait. */
MUST_CHECK int recorder_switch(struct recorder *r, const struct track *tracks, size_t n);
/* Nothing follows: returns at once, and the state changes when what waits and the trailer are
 * written, or after OUTPUT_FINISH_US where the reader of a pipe is stuck (RECORDER_FAILED). */
void recorder_finish(struct recorder *r);

/* Readable whenever the state, or the text of recorder_state, has changed. */
int recorder_fd(const struct recorder *r);
/* The state, with a line about it in `why`: what failed, or (running) that the recording goes on in
 * another file; else an empty one. Makes recorder_fd unreadable. */
enum recorder_state recorder_state(struct recorder *r, char *why, size_t size);
void recorder_stats(struct recorder *r, struct recorder_stats *ret);

#endif
