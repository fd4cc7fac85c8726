/* input_test.c - the driver of "test:": the pattern and the tone without end. */
#include <libavutil/channel_layout.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/frame_grid.h"
#include "media/input.h"
#include "media/picture_scaler.h"
#include "media/test_pattern.h"

#define TEST_WIDTH 1280u
#define TEST_HEIGHT 720u
#define TEST_FPS 30u
#define TONE_SAMPLE_RATE 48000u
#define TONE_BLOCK 1024u

struct test_input {
    struct test_pattern *pattern;
    AVBufferPool *pool;
    AVFrame *picture;
    AVFrame *sound;
    struct frame_grid grid;
    uint64_t frame; /* the next one's number */
    uint64_t sample;
};

static bool test_takes(const struct source_config *config) {
    return strcmp(config->input, "test:") == 0;
}

static AVFrame *sound_new(void) {
    AVFrame *f = av_frame_alloc();
    if (f == NULL) return NULL;
    f->format = AV_SAMPLE_FMT_FLTP;
    f->sample_rate = TONE_SAMPLE_RATE;
    f->nb_samples = TONE_BLOCK;
    av_channel_layout_default(&f->ch_layout, 2);
    if (av_frame_get_buffer(f, 0) < 0) av_frame_free(&f);
    return f;
}

static int test_open(struct input *in, const struct source_config *config) {
    struct test_input *t = in->state = calloc(1, sizeof *t);
    if (t == NULL) return input_fail(in, ERR_MEMORY, ": out of memory");
    AVRational fps = {TEST_FPS, 1};
    if (config->fps_num != 0) fps = (AVRational){(int)config->fps_num, (int)config->fps_den};
    unsigned width, height;
    picture_size(TEST_WIDTH, TEST_HEIGHT, (AVRational){1, 1}, config->width, config->height, &width,
                 &height);
    t->grid = (struct frame_grid){.fps_num = (unsigned)fps.num, .fps_den = (unsigned)fps.den};
    t->pattern = test_pattern_new(width, height, t->grid.fps_num, t->grid.fps_den);
    t->pool = picture_pool_new(width, height);
    t->sound = sound_new();
    if (t->pattern == NULL || t->pool == NULL || t->sound == NULL)
        return input_fail(in, ERR_MEMORY, ": out of memory");
    in->paced = config->pace;
    in->video = (struct input_video){.present = true,
                                     .width = width,
                                     .height = height,
                                     .pixel_aspect = {1, 1},
                                     .fps = fps,
                                     .colour_primaries = AVCOL_PRI_BT709,
                                     .colour_transfer = AVCOL_TRC_BT709,
                                     .colour_matrix = AVCOL_SPC_BT709};
    in->audio = (struct input_audio){.present = true, .channels = 2};
    return 0;
}

static void test_close(struct input *in) {
    struct test_input *t = in->state;
    if (t == NULL) return;
    test_pattern_free(t->pattern);
    av_frame_free(&t->picture);
    av_frame_free(&t->sound);
    av_buffer_pool_uninit(&t->pool);
    free(t);
    in->state = NULL;
}

static int read_sound(struct input *in, struct test_input *t, struct input_frame *ret) {
    if (av_frame_make_writable(t->sound) < 0) return input_fail(in, ERR_MEMORY, ": out of memory");
    uint64_t pts_us = t->sample / TONE_SAMPLE_RATE * US_PER_S +
                      t->sample % TONE_SAMPLE_RATE * US_PER_S / TONE_SAMPLE_RATE;
    float *left = (float *)(void *)t->sound->extended_data[0];
    test_pattern_tone(t->sample, TONE_BLOCK, TONE_SAMPLE_RATE, left);
    memcpy(t->sound->extended_data[1], left, TONE_BLOCK * sizeof *left);
    int err = input_wait(in, pts_us, &ret->capture_us);
    if (err) return err;
    t->sample += TONE_BLOCK;
    ret->kind = TRACK_AUDIO;
    ret->frame = t->sound;
    ret->pts_us = pts_us;
    return 0;
}

static int read_picture(struct input *in, struct test_input *t, struct input_frame *ret) {
    av_frame_free(&t->picture);
    t->picture = picture_new(t->pool, in->video.width, in->video.height);
    if (t->picture == NULL) return input_fail(in, ERR_MEMORY, ": out of memory");
    ret->pts_us = frame_grid_us(&t->grid, (int64_t)t->frame);
    /* The wait comes first: the clock in the picture shows the time of its release. */
    int err = input_wait(in, ret->pts_us, &ret->capture_us);
    if (err) return err;
    struct picture_planes planes;
    for (size_t i = 0; i < 3; i++) {
        planes.data[i] = t->picture->data[i];
        planes.stride[i] = (size_t)t->picture->linesize[i];
    }
    test_pattern_draw(t->pattern, t->frame++, ret->capture_us, &planes);
    ret->kind = TRACK_VIDEO;
    ret->frame = t->picture;
    return 0;
}

static int test_read(struct input *in, struct input_frame *ret) {
    struct test_input *t = in->state;
    if (interrupt_is_due(in->interrupt)) return ERR_STATE;
    uint64_t picture_us = frame_grid_us(&t->grid, (int64_t)t->frame);
    uint64_t sound_us = t->sample * US_PER_MS / (TONE_SAMPLE_RATE / 1000);
    return picture_us <= sound_us ? read_picture(in, t, ret) : read_sound(in, t, ret);
}

const struct input_driver input_test_driver = {
    .takes = test_takes,
    .open = test_open,
    .read = test_read,
    .close = test_close,
};
