/* picture_scaler.h - decoded pictures of any kind to 4:2:0 of the output's size.
 *
 * Pictures that are so already pass untouched. The size of the output is fixed at the start: an
 * input that changes its own in the middle is scaled to it. */
#ifndef PICTURE_SCALER_H
#define PICTURE_SCALER_H

#include <libavutil/frame.h>

#include "core/base/base.h"

struct SwsContext;

/* The size of the output: as asked where it is asked (0: not), with square pixels and the aspect of
 * the input for what is not, even, and within SOURCE_SIDE_MIN and _MAX by shrinking. */
void picture_size(unsigned input_width, unsigned input_height, AVRational pixel_aspect,
                  unsigned asked_width, unsigned asked_height, unsigned *ret_width,
                  unsigned *ret_height);

/* A frame of 4:2:0 with room for its pixels. NULL when out of memory. */
AVFrame *picture_new(AVBufferPool *pool, unsigned width, unsigned height);
AVBufferPool *picture_pool_new(unsigned width, unsigned height);

struct picture_scaler {
    unsigned width, height;
    struct SwsContext *sws;
    AVBufferPool *pool;
};

/* Returns 0 or ERR_MEMORY. */
MUST_CHECK int picture_scaler_init(struct picture_scaler *s, unsigned width, unsigned height);
void picture_scaler_release(struct picture_scaler *s);
/* A frame of the output's kind, for the caller to free: the same pixels referenced where nothing is
 * to be done. NULL where memory is short or the input's pixel format cannot be converted. */
AVFrame *picture_scale(struct picture_scaler *s, const AVFrame *in);

#endif
