/* take.h - for the tests of the source: files to read, and everything a source gave. */
#ifndef TAKE_H
#define TAKE_H

#include "media/source.h"

#define TAKE_FRAGMENTS_MAX 4096
#define TAKE_DEADLINE_US (120 * US_PER_S) /* for a slow, sanitized, busy machine */

/* A path in this test's own folder, which goes when the test ends. Valid for the next three
 * calls. */
const char *take_path(const char *name);
/* Makes a file with ffmpeg; `arguments` stand between the program and the path. */
const char *take_make(const char *name, const char *arguments);
/* What a command writes, cut at `size`; fails the test where its status is not 0. */
void take_run(char *ret, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Three seconds, for take_make. */
#define TAKE_PICTURE "-f lavfi -i testsrc2=s=320x180:r=25:d=3 "
#define TAKE_SOUND "-f lavfi -i sine=f=440:r=44100:d=3 "
#define TAKE_ENCODE "-c:v libx264 -preset ultrafast -g 25 -c:a aac "
#define TAKE_BOTH TAKE_PICTURE TAKE_SOUND TAKE_ENCODE

struct take {
    struct track tracks[SOURCE_TRACKS_MAX];
    size_t tracks_len;
    struct fragment *fragments[TAKE_FRAGMENTS_MAX]; /* of all tracks, without the ends */
    size_t len;
    unsigned ends[SOURCE_TRACKS_MAX];
    enum source_state state;
    char why[SOURCE_WHY_MAX];
    struct source_stats stats;
};

/* Unpaced and lossless, of the input, at small cost: what most tests want. */
struct source_config take_config(const char *input);
/* Opens, or fails the test. */
struct source *take_open(const struct source_config *config);
/* Takes until the source is over or every track has come to `until_us`, and frees it. */
struct take *take_all(struct source *s, uint64_t until_us);
struct take *take_input(const struct source_config *config, uint64_t until_us);
void take_free(struct take *t);

/* The number of the first track of a kind, or fails the test. */
uint8_t take_track(const struct take *t, enum track_kind kind);
/* Initialisation segment and fragments of a track as a file; returns its path. */
const char *take_write(const struct take *t, uint8_t track, const char *name);
/* What is in the mdat boxes of a track. */
uint64_t take_payload(const struct take *t, uint8_t track);
/* Fails the test where the track's fragments do not follow each other from `start_us` on without a
 * hole. Returns where they end. */
uint64_t take_contiguous(const struct take *t, uint8_t track, uint64_t start_us);
/* The number of frames in a file; fails the test where one does not decode. */
unsigned take_decode(const char *path);
/* Waits for the source to be readable; fails the test after the deadline. */
void take_wait(struct source *s);
/* One line of a refused source. */
const char *take_refusal(const struct source_config *config, int err);

#endif
