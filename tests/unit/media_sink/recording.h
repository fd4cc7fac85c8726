/* recording.h - steps of the tests that record: open, push, wait, compare. A step that fails ends
 * the test. */
#ifndef RECORDING_H
#define RECORDING_H

#include "media/recorder.h"
#include "tests/lib/test_media.h"

#define DEADLINE_MS 20000

struct recorder *recording_open(const char *path, const struct test_media *m);
/* Waits for the end, whichever it is. `why` takes RECORDER_WHY_MAX bytes. */
enum recorder_state recording_wait_end(struct recorder *r, char *why);
void recording_finish(struct recorder *r, enum recorder_state expected);
/* Waits until so many frames are written or dropped. */
void recording_wait_frames(struct recorder *r, uint64_t frames);
void recording_push(struct recorder *r, const struct test_media *m, size_t from, size_t to);
/* All of it, and waits for most to be written, so that what is pushed next finds an empty queue. */
void recording_push_all(struct recorder *r, const struct test_media *m);
/* ffmpeg decodes all of it without a complaint. */
void recording_expect_clean(const char *path);
/* The frames of the recording are those of the broadcast, bit for bit, and their times grow. */
void recording_expect_same(const struct test_media *m, enum track_kind kind, const char *recording);

#endif
