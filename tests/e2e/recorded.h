/* recorded.h - what stands in a recording: the hash of every decoded picture and of every packet of
 * sound, found out by another program (ffmpeg).
 *
 * Two recordings of one broadcast hold the same pictures where one's are a run within the other's:
 * begun later, ended earlier, and nothing lost, added or changed between. */
#ifndef RECORDED_H
#define RECORDED_H

#include <stdbool.h>

#include "core/base/base.h"

#define RECORDED_MAX 200000 /* pictures or packets: 100 min of sound */
#define RECORDED_HASH_TEXT 33

struct recorded_track {
    size_t len;
    char (*hashes)[RECORDED_HASH_TEXT];
};

struct recorded {
    struct recorded_track video, audio; /* of a kind that the file lacks: empty */
};

/* Decodes all of the file from its first packet. Ends the test where anything is wrong with it. */
void recorded_read(struct recorded *ret, const char *path, bool has_video, bool has_audio);
void recorded_free(struct recorded *r);

/* Where `part` stands in `whole`, or ERR_NOT_FOUND. */
MUST_CHECK ptrdiff_t recorded_find(const struct recorded_track *part,
                                   const struct recorded_track *whole);

#endif
