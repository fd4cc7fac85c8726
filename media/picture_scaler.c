#include "media/picture_scaler.h"

#include <libavutil/buffer.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "core/base/err.h"
#include "media/source.h"

#define ROW_ALIGN 32 /* for the libraries' vector code */

static unsigned even(double side) {
    unsigned n = side < 1 ? 0 : (unsigned)(side / 2 + 0.5) * 2;
    return n < SOURCE_SIDE_MIN ? SOURCE_SIDE_MIN : n > SOURCE_SIDE_MAX ? SOURCE_SIDE_MAX : n;
}

void picture_size(unsigned input_width, unsigned input_height, AVRational pixel_aspect,
                  unsigned asked_width, unsigned asked_height, unsigned *ret_width,
                  unsigned *ret_height) {
    double pixel = pixel_aspect.num > 0 && pixel_aspect.den > 0 ? av_q2d(pixel_aspect) : 1.0;
    double width = input_width * pixel, height = input_height;
    double scale = 1.0;
    if (asked_width != 0 && asked_height == 0) scale = asked_width / width;
    if (asked_width == 0 && asked_height != 0) scale = asked_height / height;
    double longest = (width > height ? width : height) * scale;
    if (longest > SOURCE_SIDE_MAX) scale *= SOURCE_SIDE_MAX / longest;
    *ret_width = even(asked_width != 0 ? asked_width : width * scale);
    *ret_height = even(asked_height != 0 ? asked_height : height * scale);
}

AVBufferPool *picture_pool_new(unsigned width, unsigned height) {
    int size = av_image_get_buffer_size(AV_PIX_FMT_YUV420P, (int)width, (int)height, ROW_ALIGN);
    /* The libraries' vector code may read a little beyond a row's end. */
    return size < 0 ? NULL : av_buffer_pool_init((size_t)size + ROW_ALIGN, NULL);
}

AVFrame *picture_new(AVBufferPool *pool, unsigned width, unsigned height) {
    AVFrame *f = av_frame_alloc();
    if (f == NULL) return NULL;
    f->buf[0] = av_buffer_pool_get(pool);
    if (f->buf[0] == NULL) {
        av_frame_free(&f);
        return NULL;
    }
    f->format = AV_PIX_FMT_YUV420P;
    f->width = (int)width;
    f->height = (int)height;
    av_image_fill_arrays(f->data, f->linesize, f->buf[0]->data, AV_PIX_FMT_YUV420P, f->width,
                         f->height, ROW_ALIGN);
    return f;
}

int picture_scaler_init(struct picture_scaler *s, unsigned width, unsigned height) {
    *s = (struct picture_scaler){
        .width = width, .height = height, .pool = picture_pool_new(width, height)};
    return s->pool == NULL ? ERR_MEMORY : 0;
}

void picture_scaler_release(struct picture_scaler *s) {
    sws_freeContext(s->sws);
    av_buffer_pool_uninit(&s->pool);
    s->sws = NULL;
}

/* libswscale tells full from limited range by the format's name, decoders by a field of the frame.
 */
static int format_with_range(const AVFrame *in) {
    if (in->color_range != AVCOL_RANGE_JPEG) return in->format;
    switch (in->format) {
    case AV_PIX_FMT_YUV420P: return AV_PIX_FMT_YUVJ420P;
    case AV_PIX_FMT_YUV422P: return AV_PIX_FMT_YUVJ422P;
    case AV_PIX_FMT_YUV444P: return AV_PIX_FMT_YUVJ444P;
    default: return in->format;
    }
}

AVFrame *picture_scale(struct picture_scaler *s, const AVFrame *in) {
    if (in->format == AV_PIX_FMT_YUV420P && in->color_range != AVCOL_RANGE_JPEG &&
        in->width == (int)s->width && in->height == (int)s->height)
        return av_frame_clone(in);

    s->sws =
        sws_getCachedContext(s->sws, in->width, in->height, format_with_range(in), (int)s->width,
                             (int)s->height, AV_PIX_FMT_YUV420P, SWS_BICUBIC, NULL, NULL, NULL);
    if (s->sws == NULL) return NULL;
    AVFrame *out = picture_new(s->pool, s->width, s->height);
    if (out == NULL) return NULL;
    if (sws_scale(s->sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data,
                  out->linesize) < 0)
        av_frame_free(&out);
    return out;
}
