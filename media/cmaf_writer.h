/* cmaf_writer.h - encoded samples of one track to CMAF (ISO/IEC 23000-19): an initialisation
 * segment, then fragments of one moof and one mdat.
 *
 * On libavformat's mp4 muxer, told when to cut. A fragment ends when it has the bytes or the time
 * that were asked for, and before a random access point that follows what is none; so decoding can
 * start at a fragment or not at all within it. Times of samples are absolute on the track's
 * scale, so a hole in them stays a hole. The muxer keeps no index: memory does not grow with the
 * fragments written. */
#ifndef CMAF_WRITER_H
#define CMAF_WRITER_H

#include <libavcodec/codec_par.h>

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

struct cmaf_config {
    uint8_t track; /* of the fragments; the mp4 track id is one more */
    const AVCodecParameters *codec;
    uint32_t timescale; /* units a second of pts and duration */
    uint64_t fragment_bytes, fragment_us;
    void (*emit)(void *owner, struct fragment *f); /* takes each fragment over */
    void *owner;
};

/* Decoding order and presentation order are one: no B-frames. */
struct cmaf_sample {
    const uint8_t *data;
    size_t len;
    int64_t pts;      /* grows from sample to sample */
    int64_t duration; /* at least 1 */
    bool random_access;
    uint64_t capture_us;
};

struct cmaf_writer;

/* Returns 0, ERR_MEMORY or ERR_UNSUPPORTED (the muxer refuses, or the segment is too large). */
MUST_CHECK int cmaf_writer_open(struct cmaf_writer **ret, const struct cmaf_config *config);
void cmaf_writer_free(struct cmaf_writer *w);

/* The initialisation segment, at most INIT_SIZE_MAX bytes; valid as long as the writer. */
const uint8_t *cmaf_writer_init_segment(const struct cmaf_writer *w, size_t *ret_len);
/* Adds a sample, which may emit up to two fragments. Returns 0, ERR_MEMORY, ERR_RANGE (a time that
 * does not grow, a fragment over FRAGMENT_SIZE_MAX) or ERR_SYSTEM. */
MUST_CHECK int cmaf_writer_add(struct cmaf_writer *w, const struct cmaf_sample *sample);
/* Emits what is pending, then the end of the track. */
MUST_CHECK int cmaf_writer_end(struct cmaf_writer *w);
/* Emits what is pending. */
MUST_CHECK int cmaf_writer_flush(struct cmaf_writer *w);

#endif
