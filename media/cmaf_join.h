/* cmaf_join.h - makes one file of a video and an audio track that were cut apart.
 *
 * CMAF has one initialisation segment a track, and each track may call itself number 1. Here one
 * moov is made of them, with tracks numbered from 1, and each fragment is given its track's new
 * number and a place in one sequence: what a browser, ffplay or curl takes as a single endless
 * file. Payloads are not touched or copied. */
#ifndef CMAF_JOIN_H
#define CMAF_JOIN_H

#include "core/proto/manifest.h"
#include "media/cmaf_reader.h"

#define JOIN_TRACKS_MAX 2
#define JOIN_INIT_MAX (JOIN_TRACKS_MAX * INIT_SIZE_MAX + 64)

struct cmaf_join {
    size_t tracks_len;
    struct {
        uint8_t index;           /* in the manifest; its new number is its place here, from 1 */
        struct cmaf_track track; /* as the source numbers it */
    } tracks[JOIN_TRACKS_MAX];
    size_t init_len;
    uint8_t init[JOIN_INIT_MAX];
};

/* A fragment's bytes, without what stands before its moof and behind its mdat. */
struct cmaf_piece {
    size_t start;   /* of the moof */
    size_t payload; /* of the mdat's contents: what lies before is patched */
    size_t end;
};

/* Takes the first video and the first audio track. Returns 0, ERR_ARGUMENT (neither), or an error
 * of cmaf_read_init. */
MUST_CHECK int cmaf_join_init(struct cmaf_join *ret, const struct track *tracks, size_t n);
/* Index in `tracks` of the manifest's track, or -1. */
int cmaf_join_find(const struct cmaf_join *j, uint8_t index);
/* Checks a fragment of the track at `at`. Errors as cmaf_read_fragment. */
MUST_CHECK int cmaf_join_split(const struct cmaf_join *j, size_t at, const void *data, size_t len,
                               struct cmaf_piece *ret);
/* `head` is a copy of the bytes from start to payload of a fragment that was split. */
void cmaf_join_patch(uint8_t *head, size_t len, size_t at, uint32_t sequence);

#endif
