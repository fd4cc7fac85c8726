/* audio_track.h - decoded sound to the fragments of the audio track, on the caller's thread. AAC
 * costs a hundredth of a core: not worth a queue. */
#ifndef AUDIO_TRACK_H
#define AUDIO_TRACK_H

#include <libavutil/frame.h>

#include "core/proto/manifest.h"
#include "media/fragment_queue.h"
#include "media/source.h"

#define AUDIO_SAMPLE_RATE 48000u

struct audio_track;

struct audio_track_config {
    uint8_t track;
    unsigned channels;                  /* 1 or 2 */
    const struct source_config *source; /* rate and fragments; only during open */
    struct fragment_queue *out;
};

/* Fills `ret_track`. Returns 0, ERR_UNSUPPORTED or ERR_MEMORY. */
MUST_CHECK int audio_track_open(struct audio_track **ret, const struct audio_track_config *config,
                                struct track *ret_track);
void audio_track_free(struct audio_track *a);

/* Sound that belongs at `pts_us`. Returns 0, ERR_UNSUPPORTED (left out), or an error that ends the
 * track. */
MUST_CHECK int audio_track_add(struct audio_track *a, const AVFrame *frame, uint64_t pts_us,
                               uint64_t capture_us);
/* What is inside comes out; then, if `end`, the track's last fragment. */
MUST_CHECK int audio_track_finish(struct audio_track *a, bool end);
/* Over the last seconds. From any thread. */
uint32_t audio_track_bps(struct audio_track *a);

#endif
