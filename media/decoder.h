/* decoder.h - one stream of an input: its decoder, and where its frames stand on the timeline. */
#ifndef DECODER_H
#define DECODER_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "media/input.h"
#include "media/timeline.h"

struct decoder {
    AVStream *stream;
    AVCodecContext *codec;
    AVFrame *frame;
    struct timeline_track track;
    AVRational rate; /* of pictures: the average */
};

/* Opens the decoder of `stream`. A live input is decoded without the delay of frame threads.
 * Returns 0, ERR_UNSUPPORTED (with libav's line kept, see libav_log.h) or ERR_MEMORY. */
MUST_CHECK int decoder_open(struct decoder *d, AVFormatContext *format, AVStream *stream,
                            bool live);
/* One of zeros may be closed too. */
void decoder_close(struct decoder *d);
static inline bool decoder_is_open(const struct decoder *d) { return d->codec != NULL; }

/* The first stream of the kind that can be seen or heard: no cover art, no text as video. NULL
 * where there is none. */
AVStream *decoder_find_stream(AVFormatContext *format, enum AVMediaType type);
void decoder_describe_video(const struct decoder *d, struct input_video *ret);
void decoder_describe_audio(const struct decoder *d, struct input_audio *ret);

/* The next frame in d->frame, and its time, which is negative for what lies before the start.
 * Returns 0, ERR_NOT_FOUND (a packet is needed first) or ERR_END (after the NULL packet). Errors of
 * the decoder are counted in `errors` and passed over. */
MUST_CHECK int decoder_receive(struct decoder *d, struct timeline *timeline, int64_t *ret_us,
                               _Atomic uint64_t *errors);
/* NULL: no more packets will come. */
void decoder_send(struct decoder *d, const AVPacket *packet, _Atomic uint64_t *errors);
/* As new, for packets from the input's start. */
void decoder_restart(struct decoder *d);

#endif
