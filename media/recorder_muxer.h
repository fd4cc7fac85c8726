/* recorder_muxer.h - samples in, MPEG-TS, MP4 or Matroska out, by libavformat.
 *
 * An MP4 is fragmented and a Matroska cluster is short, so what stands in the file when the program
 * is killed can be played up to the last second. MPEG-TS is handed on packet by packet. Decode
 * times that do not grow, and frames that would be shown before they are decoded, are refused: the
 * muxers take neither. */
#ifndef RECORDER_MUXER_H
#define RECORDER_MUXER_H

#include "media/cmaf_reader.h"
#include "media/recorder_output.h"

#define MUXER_FRAGMENT_US 1000000 /* of an MP4 or a Matroska cluster, where no keyframe cuts */
#define MUXER_FRAGMENT_BYTES (16 << 20)

struct recorder_muxer;

struct muxer_packet {
    const uint8_t *data;
    size_t len;
    size_t stream;              /* index in the tracks of recorder_muxer_open */
    int64_t dts, pts, duration; /* ticks of the track */
    bool keyframe;
};

/* Writes the header. `continues`: the output already holds a stream of other parameters (MPEG-TS
 * alone can go on after one). `o` is borrowed. Returns 0, ERR_MEMORY, ERR_FORMAT (the codec's
 * configuration is not valid), or what output_write returned. */
MUST_CHECK int recorder_muxer_open(struct recorder_muxer **ret, struct output *o,
                                   const struct cmaf_track *tracks, size_t tracks_len,
                                   bool continues);
/* Returns 0, ERR_FORMAT or ERR_STALE for a packet that was refused and left out, or what
 * output_write returned. */
MUST_CHECK int recorder_muxer_write(struct recorder_muxer *m, const struct muxer_packet *p);
/* The trailer. Returns 0, or what output_write returned. */
MUST_CHECK int recorder_muxer_finish(struct recorder_muxer *m);
void recorder_muxer_free(struct recorder_muxer *m);

#endif
