/* recording.h - the recorder of --output on the loop: opened with the first tracks, switched with a
 * new broadcast, its ends told. */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdbool.h>

#include "cli/options.h"
#include "core/io/loop.h"
#include "core/proto/fragment.h"
#include "core/proto/manifest.h"
#include "media/recorder.h"

struct recording;

/* Whether --output could be written, before anything else is started: one line was logged where
 * not. */
MUST_CHECK int recording_check(const struct options *options);
/* Is standard output the one that carries media? */
bool recording_is_stdout(const struct options *options);

/* `ended` is called once, when all is written or nothing more can be: RECORDER_DONE, _BROKEN_PIPE
 * or _FAILED (then it was logged). May be NULL. */
typedef void (*recording_fn)(void *ctx, enum recorder_state state);
MUST_CHECK int recording_open(struct recording **ret, const struct options *options,
                              struct loop *loop, recording_fn ended, void *ctx);
void recording_free(struct recording *r);
/* The tracks of what follows: opens the file the first time. Errors were logged. */
MUST_CHECK int recording_tracks(struct recording *r, const struct track *tracks, size_t n);
void recording_push(struct recording *r, struct fragment *f);
void recording_finish(struct recording *r);
/* When the first frame was handed out, monotonic; 0: not yet. */
uint64_t recording_first_output_us(const struct recording *r);

#endif
