/* video_track.h - pictures to the fragments of the video track, on a thread of its own.
 *
 * The reader's thread gives it decoded pictures: they get a place in the constant frame rate, are
 * scaled and queued. The track's thread encodes, cuts and pushes to the fragment queue. Where the
 * encoder is too slow the queue drops, and the dropped pictures are a hole in the timestamps. */
#ifndef VIDEO_TRACK_H
#define VIDEO_TRACK_H

#include <libavutil/frame.h>

#include "core/proto/manifest.h"
#include "media/fragment_queue.h"
#include "media/source.h"

struct video_track;

struct video_track_config {
    uint8_t track;
    unsigned width, height;
    unsigned fps_num, fps_den;
    int colour_primaries, colour_transfer, colour_matrix;
    const struct source_config *source; /* rate, preset, keyint, fragments; only during open */
    struct fragment_queue *out;
    /* From the track's thread, once: the encoder broke. */
    void (*failed)(void *owner, const char *why);
    void *owner;
};

/* Fills `ret_track`. Returns 0, ERR_ARGUMENT (preset), ERR_UNSUPPORTED or ERR_MEMORY. */
MUST_CHECK int video_track_open(struct video_track **ret, const struct video_track_config *config,
                                struct track *ret_track);
/* Ends the thread if it runs. */
void video_track_free(struct video_track *v);

MUST_CHECK int video_track_start(struct video_track *v);
/* A picture that belongs at `pts_us`. Returns 0, or ERR_UNSUPPORTED / ERR_MEMORY where it could not
 * be scaled. */
MUST_CHECK int video_track_add(struct video_track *v, const AVFrame *frame, uint64_t pts_us,
                               uint64_t capture_us);
/* What is queued is still encoded; then, if `end`, the track's last fragment. Waits for that. */
void video_track_finish(struct video_track *v, bool end);
/* Makes every call and the thread return soon. From any thread. */
void video_track_abort(struct video_track *v);
/* Fills the picture's part of the statistics. From any thread. */
void video_track_stats(struct video_track *v, struct source_stats *ret);

#endif
