/* source.h - from an input to the CMAF fragments of a broadcast: read, decode, encode, cut.
 *
 * Two threads: one reads, decodes, paces and encodes the sound, one encodes the picture. Queues
 * between them and towards the caller are bounded: what the encoder cannot take in time is dropped
 * at its input, what the caller does not take is dropped up to the next random access point, and
 * both are counted. It knows nothing of channels or peers.
 *
 * Invariant: the fragments of a track leave in order, with times that only grow, on one timeline
 * for all tracks that starts at 0. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/base.h"
#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

#define SOURCE_WHY_MAX 400   /* one line and its zero */
#define SOURCE_TRACKS_MAX 2  /* the picture, then the sound */
#define SOURCE_SIDE_MIN 16   /* of the picture, in pixels */
#define SOURCE_SIDE_MAX 4096 /* level 5.2 */
#define SOURCE_FPS_MAX 60    /* of the input's own rate; twice that if asked for */
#define SOURCE_BITRATE_MIN 32000u
#define SOURCE_BITRATE_MAX 100000000u
#define SOURCE_OPEN_US                                                                             \
    (20 * US_PER_S) /* for an address to answer; a listener waits without end                      \
                     */
#define SOURCE_SILENCE_US (30 * US_PER_S) /* an address that sends nothing for this long fails */

struct source_config {
    /* A file, an address that libavformat knows, "-" for standard input, "test:" for the test
     * pattern, or a capture device as "v4l2:/dev/video0", "x11grab::0.0", "alsa:default". An
     * address that says "listen" waits for its caller as long as it takes:
     * "rtmp://0.0.0.0:1935/live/key?listen", "srt://:9000?mode=listener", "tcp://:9000?listen". */
    const char *input;
    const char *format; /* libavformat's name of the input's format or device; NULL: found out */
    /* Files, pipes and the test pattern in real time. Devices and live addresses pace themselves,
     * whatever this says; an address with a known duration counts as a file. */
    bool pace;
    bool loop; /* a file from its start again when it ends, without a seam in the timestamps */
    /* Nothing is dropped: the reader waits for the encoder and the encoder for the caller. For
     * measuring and converting; a live input must not be held up. */
    bool lossless;
    unsigned width, height;    /* 0: as the input; one of them 0: keeps the aspect */
    unsigned fps_num, fps_den; /* 0: the input's average rate */
    uint32_t video_bitrate_bps, audio_bitrate_bps;
    const char *preset;                   /* of x264 */
    uint64_t keyint_us;                   /* from one random access point to the next */
    uint64_t fragment_bytes, fragment_us; /* a fragment ends at whichever comes first */
    const atomic_bool *cancel;            /* when true, source_open gives up; may be NULL */
};

/* test:, paced, 2.5 Mb/s and 128 kb/s, veryfast, a keyframe a second, fragments of 4 KB or 100 ms.
 */
struct source_config source_config_default(void);

enum source_state {
    SOURCE_RUNNING,
    SOURCE_ENDED,  /* the input is at its end and every fragment was taken */
    SOURCE_FAILED, /* the same, but it broke off */
};

struct source_stats {
    uint64_t frames_in;         /* pictures at the encoder's input, after the frame rate */
    uint64_t frames_dropped;    /* of those: the encoder was busy */
    uint64_t frames_encoded;    /* of those: done */
    uint64_t fragments_dropped; /* the caller was busy */
    uint64_t decode_errors;     /* packets of the input that did not decode */
    uint32_t video_bps;         /* encoded, over the last seconds of media */
    uint32_t audio_bps;
    double encoder_share; /* of the time since the start: near 1 the encoder cannot keep up */
};

struct source;

/* Opens and probes the input and the encoders. Returns 0, or ERR_ARGUMENT (a value of `config` is
 * out of range), ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_TIMEOUT, ERR_STATE (cancelled), ERR_SYSTEM,
 * ERR_MEMORY; then `why` is one line that names the thing and what is wrong. Blocks for at most
 * SOURCE_OPEN_US but for pipes and listeners, which wait for their writer. */
MUST_CHECK int source_open(struct source **ret, const struct source_config *config, char *why,
                           size_t why_size);
void source_free(struct source *s); /* ends the threads at once, also inside a read */

/* In the order of struct fragment's `track`. Valid as long as the source. */
const struct track *source_tracks(const struct source *s, size_t *ret_n);
/* Starts the threads. Once. Returns 0 or ERR_SYSTEM. */
MUST_CHECK int source_start(struct source *s);

/* Readable while a fragment waits, or an end that source_state has not yet told. */
int source_fd(const struct source *s);
/* The next fragment, for the caller to unref; NULL when none waits. At the input's end each track
 * has a last one with `end` set. */
struct fragment *source_next(struct source *s);
/* `ret_why` may be NULL; else it is the reason of SOURCE_FAILED, valid as long as the source, and
 * NULL in other states. */
enum source_state source_state(struct source *s, const char **ret_why);
void source_stats(struct source *s, struct source_stats *ret);

#endif
