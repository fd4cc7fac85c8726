#include "media/video_track.h"

#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/cmaf_writer.h"
#include "media/encoder_x264.h"
#include "media/frame_grid.h"
#include "media/frame_queue.h"
#include "media/interrupt.h"
#include "media/picture_scaler.h"
#include "media/rate_meter.h"

struct video_track {
    struct frame_queue queue;
    struct fragment_queue *out;
    bool lossless;
    uint8_t number;

    /* The reader's */
    struct frame_grid grid;
    struct picture_scaler scaler;
    AVFrame *last; /* the picture before, to be repeated */

    /* The thread's */
    struct encoder_x264 *encoder;
    struct cmaf_writer *writer;
    pthread_t thread;
    bool running;
    atomic_bool end; /* the reader tells; the thread may already be leaving for another reason */
    void (*failed)(void *owner, const char *why);
    void *owner;

    pthread_mutex_t lock; /* of what follows */
    struct rate_meter meter;
    uint64_t frames_in, frames_dropped, frames_encoded;
    uint64_t encode_us, started_us;
};

static void take_fragment(void *owner, struct fragment *f) {
    struct video_track *v = owner;
    pthread_mutex_lock(&v->lock);
    rate_meter_add(&v->meter, f->pts_us, f->len);
    pthread_mutex_unlock(&v->lock);
    fragment_queue_push(v->out, f, v->lossless);
}

static AVCodecParameters *codec_parameters(const struct video_track_config *c,
                                           const struct encoder_x264 *encoder) {
    AVCodecParameters *p = avcodec_parameters_alloc();
    if (p == NULL) return NULL;
    size_t len;
    const uint8_t *avcc = encoder_x264_avcc(encoder, &len);
    p->extradata = av_mallocz(len + AV_INPUT_BUFFER_PADDING_SIZE);
    if (p->extradata == NULL) {
        avcodec_parameters_free(&p);
        return NULL;
    }
    memcpy(p->extradata, avcc, len);
    p->extradata_size = (int)len;
    p->codec_type = AVMEDIA_TYPE_VIDEO;
    p->codec_id = AV_CODEC_ID_H264;
    p->width = (int)c->width;
    p->height = (int)c->height;
    p->bit_rate = c->source->video_bitrate_bps;
    p->color_primaries = (enum AVColorPrimaries)c->colour_primaries;
    p->color_trc = (enum AVColorTransferCharacteristic)c->colour_transfer;
    p->color_space = (enum AVColorSpace)c->colour_matrix;
    p->color_range = AVCOL_RANGE_MPEG;
    return p;
}

/* The scale of the track's times: a multiple of the frame rate, so that each frame has a whole
 * number of units, and fine enough for the muxer, which doubles what is below 10,000. */
static uint32_t timescale_of(unsigned fps_num) {
    uint32_t scale = fps_num;
    while (scale < 10000) scale *= 2;
    return scale;
}

static int open_writer(struct video_track *v, const struct video_track_config *c) {
    AVCodecParameters *codec = codec_parameters(c, v->encoder);
    if (codec == NULL) return ERR_MEMORY;
    int err = cmaf_writer_open(&v->writer, &(struct cmaf_config){
                                               .track = c->track,
                                               .codec = codec,
                                               .timescale = timescale_of(c->fps_num),
                                               .fragment_bytes = c->source->fragment_bytes,
                                               .fragment_us = c->source->fragment_us,
                                               .emit = take_fragment,
                                               .owner = v,
                                           });
    avcodec_parameters_free(&codec);
    return err;
}

static void describe(const struct video_track *v, const struct video_track_config *c,
                     struct track *ret) {
    *ret = (struct track){
        .kind = TRACK_VIDEO,
        .bitrate_bps = c->source->video_bitrate_bps,
        .width = (uint16_t)c->width,
        .height = (uint16_t)c->height,
        .fps_num = (uint16_t)c->fps_num,
        .fps_den = (uint16_t)c->fps_den,
    };
    encoder_x264_codec(v->encoder, ret->codec);
    size_t len;
    const uint8_t *init = cmaf_writer_init_segment(v->writer, &len);
    memcpy(ret->init, init, len);
    ret->init_len = (uint16_t)len;
}

static int open_encoder(struct video_track *v, const struct video_track_config *c) {
    return encoder_x264_open(&v->encoder, &(struct encoder_x264_config){
                                              .width = c->width,
                                              .height = c->height,
                                              .fps_num = c->fps_num,
                                              .fps_den = c->fps_den,
                                              .bitrate_bps = c->source->video_bitrate_bps,
                                              .preset = c->source->preset,
                                              .keyint_us = c->source->keyint_us,
                                              .colour_primaries = c->colour_primaries,
                                              .colour_transfer = c->colour_transfer,
                                              .colour_matrix = c->colour_matrix,
                                          });
}

int video_track_open(struct video_track **ret, const struct video_track_config *config,
                     struct track *ret_track) {
    struct video_track *v = calloc(1, sizeof *v);
    if (v == NULL) return ERR_MEMORY;
    frame_queue_init(&v->queue);
    pthread_mutex_init(&v->lock, NULL);
    v->out = config->out;
    v->lossless = config->source->lossless;
    v->number = config->track;
    v->grid = (struct frame_grid){.fps_num = config->fps_num, .fps_den = config->fps_den};
    v->failed = config->failed;
    v->owner = config->owner;
    int err = picture_scaler_init(&v->scaler, config->width, config->height);
    if (!err) err = open_encoder(v, config);
    if (!err) err = open_writer(v, config);
    if (err) {
        video_track_free(v);
        return err;
    }
    describe(v, config, ret_track);
    *ret = v;
    return 0;
}

void video_track_free(struct video_track *v) {
    if (v == NULL) return;
    video_track_abort(v);
    video_track_finish(v, false);
    frame_queue_release(&v->queue);
    av_frame_free(&v->last);
    picture_scaler_release(&v->scaler);
    encoder_x264_free(v->encoder);
    cmaf_writer_free(v->writer);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

static int encode_at(struct video_track *v, const AVFrame *frame, int64_t tick,
                     uint64_t capture_us) {
    uint64_t before_us = clock_monotonic_us();
    struct encoded_picture picture;
    int err = encoder_x264_encode(v->encoder, (const uint8_t *const *)frame->data, frame->linesize,
                                  tick, &picture);
    uint64_t spent_us = clock_monotonic_us() - before_us;
    if (err) return err;
    uint32_t scale = timescale_of(v->grid.fps_num);
    int64_t unit = (int64_t)(scale / v->grid.fps_num) * v->grid.fps_den;
    err = cmaf_writer_add(v->writer, &(struct cmaf_sample){
                                         .data = picture.data,
                                         .len = picture.len,
                                         .pts = tick * unit,
                                         .duration = unit,
                                         .random_access = picture.random_access,
                                         .capture_us = capture_us,
                                     });
    pthread_mutex_lock(&v->lock);
    v->frames_encoded++;
    v->encode_us += spent_us;
    pthread_mutex_unlock(&v->lock);
    return err;
}

static int encode_all(struct video_track *v) {
    struct queued_frame f;
    while (frame_queue_pop(&v->queue, &f)) {
        int err = 0;
        for (unsigned i = 0; i <= f.repeats && !err; i++)
            err = encode_at(v, f.frame, f.tick + i, f.capture_us);
        av_frame_free(&f.frame);
        if (err) return err;
    }
    return atomic_load(&v->end) ? cmaf_writer_end(v->writer) : cmaf_writer_flush(v->writer);
}

static void *encode_thread(void *opaque) {
    struct video_track *v = opaque;
    int err = encode_all(v);
    if (err) {
        frame_queue_abort(&v->queue);
        v->failed(v->owner, err_text(err));
    }
    return NULL;
}

int video_track_start(struct video_track *v) {
    pthread_mutex_lock(&v->lock);
    v->started_us = clock_monotonic_us();
    pthread_mutex_unlock(&v->lock);
    v->running = pthread_create(&v->thread, NULL, encode_thread, v) == 0;
    return v->running ? 0 : ERR_SYSTEM;
}

static void count(struct video_track *v, unsigned in, unsigned dropped) {
    pthread_mutex_lock(&v->lock);
    v->frames_in += in;
    v->frames_dropped += dropped;
    pthread_mutex_unlock(&v->lock);
}

int video_track_add(struct video_track *v, const AVFrame *frame, uint64_t pts_us,
                    uint64_t capture_us) {
    struct frame_place place = frame_grid_take(&v->grid, pts_us);
    if (!place.taken) return 0;
    AVFrame *scaled = picture_scale(&v->scaler, frame);
    AVFrame *kept = scaled != NULL ? av_frame_clone(scaled) : NULL;
    if (kept == NULL) {
        av_frame_free(&scaled);
        return ERR_UNSUPPORTED;
    }
    unsigned dropped = 0;
    if (place.repeats > 0 && v->last != NULL) {
        struct queued_frame again = {.frame = v->last,
                                     .tick = place.tick - place.repeats,
                                     .repeats = place.repeats - 1,
                                     .capture_us = capture_us};
        v->last = NULL; /* the queue takes it over */
        dropped += frame_queue_push(&v->queue, &again, v->lossless);
    }
    struct queued_frame f = {.frame = scaled, .tick = place.tick, .capture_us = capture_us};
    dropped += frame_queue_push(&v->queue, &f, v->lossless);
    count(v, 1 + place.repeats, dropped);
    av_frame_free(&v->last);
    v->last = kept;
    return 0;
}

void video_track_finish(struct video_track *v, bool end) {
    if (!v->running) return;
    atomic_store(&v->end, end);
    frame_queue_finish(&v->queue);
    pthread_join(v->thread, NULL);
    v->running = false;
}

void video_track_abort(struct video_track *v) { frame_queue_abort(&v->queue); }

void video_track_stats(struct video_track *v, struct source_stats *ret) {
    pthread_mutex_lock(&v->lock);
    ret->frames_in = v->frames_in;
    ret->frames_dropped = v->frames_dropped;
    ret->frames_encoded = v->frames_encoded;
    ret->video_bps = rate_meter_bps(&v->meter);
    uint64_t wall_us = u64_sub(clock_monotonic_us(), v->started_us);
    if (v->started_us > 0 && wall_us > 0)
        ret->encoder_share = (double)v->encode_us / (double)wall_us;
    pthread_mutex_unlock(&v->lock);
}
