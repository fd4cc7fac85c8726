#include <criterion/criterion.h>
#include <libavutil/channel_layout.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/audio_resampler.h"
#include "media/encoder_aac.h"
#include "media/encoder_x264.h"
#include "media/libav_log.h"

#define PI 3.14159265358979323846

static struct encoder_x264_config config(void) {
    return (struct encoder_x264_config){.width = 64,
                                        .height = 48,
                                        .fps_num = 30,
                                        .fps_den = 1,
                                        .bitrate_bps = 100000,
                                        .preset = "veryfast",
                                        .keyint_us = US_PER_S,
                                        .colour_primaries = 1,
                                        .colour_transfer = 1,
                                        .colour_matrix = 1};
}

static struct encoded_picture encode(struct encoder_x264 *e, int64_t tick) {
    static uint8_t pixels[64 * 48 * 3 / 2];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 7 + (size_t)tick * 3);
    const uint8_t *planes[3] = {pixels, pixels + 64 * 48, pixels + 64 * 48 * 5 / 4};
    struct encoded_picture p;
    cr_assert_eq(encoder_x264_encode(e, planes, (const int[]){64, 32, 32}, tick, &p), 0);
    return p;
}

Test(encoder_x264, gives_one_picture_for_each_at_once) {
    struct encoder_x264 *e = NULL;
    struct encoder_x264_config c = config();
    cr_assert_eq(encoder_x264_open(&e, &c), 0);
    for (int64_t tick = 0; tick < 100; tick++) {
        struct encoded_picture p = encode(e, tick);
        cr_assert_gt(p.len, 4);
        cr_assert_eq(p.random_access, tick % 30 == 0, "tick %lld", (long long)tick);
        /* Length-prefixed NAL units that fill it, none of them a parameter set. */
        for (size_t at = 0; at < p.len;) {
            const uint8_t *d = p.data + at;
            size_t nal = (size_t)d[0] << 24 | (size_t)d[1] << 16 | (size_t)d[2] << 8 | d[3];
            cr_assert(nal > 0 && at + 4 + nal <= p.len);
            cr_assert((d[4] & 31) != 7 && (d[4] & 31) != 8);
            at += 4 + nal;
        }
    }
    encoder_x264_free(e);
    encoder_x264_free(NULL);
}

Test(encoder_x264, keeps_the_keyframe_interval_by_time_when_pictures_are_dropped) {
    struct encoder_x264 *e = NULL;
    struct encoder_x264_config c = config();
    cr_assert_eq(encoder_x264_open(&e, &c), 0);
    int64_t last = 0;
    for (int64_t tick = 0; tick < 300; tick += 4) { /* three of four are dropped */
        if (!encode(e, tick).random_access) continue;
        cr_assert_leq(tick - last, 33);
        last = tick;
    }
    cr_assert_gt(last, 260);
    encoder_x264_free(e);
}

Test(encoder_x264, describes_itself) {
    struct encoder_x264 *e = NULL;
    struct encoder_x264_config c = config();
    cr_assert_eq(encoder_x264_open(&e, &c), 0);
    char codec[CODEC_MAX];
    encoder_x264_codec(e, codec);
    size_t len;
    const uint8_t *avcc = encoder_x264_avcc(e, &len);
    char expected[CODEC_MAX];
    snprintf(expected, sizeof expected, "avc1.%02x%02x%02x", avcc[1], avcc[2], avcc[3]);
    cr_assert_str_eq(codec, expected);
    cr_assert_eq(avcc[0], 1);
    cr_assert_eq(avcc[1], 100, "high profile");
    cr_assert_eq(avcc[8] & 31, 7, "a sequence parameter set");
    cr_assert_arr_eq(avcc + len - 4, "\xfd\xf8\xf8\0", 4);
    encoder_x264_free(e);
}

Test(encoder_x264, refuses_unknown_presets) {
    struct encoder_x264 *e = NULL;
    struct encoder_x264_config c = config();
    c.preset = "plaid";
    cr_assert_eq(encoder_x264_open(&e, &c), ERR_ARGUMENT);
    cr_assert_null(e);
}

struct blocks {
    int64_t next; /* of the block to come, or -1 */
    unsigned count, holes;
    float last[AUDIO_BLOCK];
};

static int take_block(void *owner, const struct audio_block *b) {
    struct blocks *t = owner;
    if (t->next >= 0 && b->pts != t->next) t->holes++;
    cr_assert_geq(b->pts, t->next);
    t->next = b->pts + AUDIO_BLOCK;
    t->count++;
    memcpy(t->last, b->samples[0], sizeof t->last);
    return 0;
}

static AVFrame *sound(int rate, int channels, enum AVSampleFormat format, int samples) {
    AVFrame *f = av_frame_alloc();
    f->format = format;
    f->sample_rate = rate;
    f->nb_samples = samples;
    av_channel_layout_default(&f->ch_layout, channels);
    cr_assert_eq(av_frame_get_buffer(f, 0), 0);
    for (int c = 0; c < (av_sample_fmt_is_planar(format) ? channels : 1); c++)
        memset(f->extended_data[c], 0, (size_t)f->linesize[0]);
    return f;
}

/* Feeds `n` frames of 441 samples at 44.1 kHz, 10 ms each, whose timestamps run at `speed`. */
static uint64_t feed(struct audio_resampler *r, struct blocks *b, uint64_t from_us, unsigned n,
                     double speed) {
    AVFrame *f = sound(44100, 2, AV_SAMPLE_FMT_S16, 441);
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(
            audio_resampler_add(r, f, from_us + (uint64_t)(i * 10000 * speed), take_block, b), 0);
    av_frame_free(&f);
    return from_us + (uint64_t)(n * 10000 * speed);
}

Test(audio_resampler, keeps_the_time_of_the_first_sample) {
    struct audio_resampler r;
    audio_resampler_init(&r, 48000, 2);
    struct blocks b = {.next = -1};
    feed(&r, &b, 1500000, 200, 1.0);
    cr_assert_eq(audio_resampler_flush(&r, take_block, &b), 0);
    cr_assert_eq(b.holes, 0);
    cr_assert_eq((b.next - 72000) % AUDIO_BLOCK, 0);
    cr_assert_geq(b.next, 72000 + 96000);
    cr_assert_leq(b.next, 72000 + 96000 + AUDIO_BLOCK);
    audio_resampler_release(&r);
}

Test(audio_resampler, follows_a_clock_that_drifts) {
    struct audio_resampler r;
    audio_resampler_init(&r, 48000, 2);
    struct blocks b = {.next = -1};
    uint64_t end_us = feed(&r, &b, 0, 60 * 100, 1.001); /* a minute, 60 ms slow */
    cr_assert_eq(b.holes, 0);
    int64_t end = (int64_t)(end_us * 48 / 1000);
    cr_assert_leq(llabs(b.next - end), 48 * 25 + (int64_t)AUDIO_BLOCK);
    audio_resampler_release(&r);
}

Test(audio_resampler, fills_short_holes_and_leaves_long_ones) {
    struct audio_resampler r;
    audio_resampler_init(&r, 48000, 2);
    struct blocks b = {.next = -1};
    uint64_t us = feed(&r, &b, 0, 50, 1.0);
    us = feed(&r, &b, us + 400000, 50, 1.0);
    cr_assert_eq(b.holes, 0);
    cr_assert_geq(b.next + 2 * (int64_t)AUDIO_BLOCK, (int64_t)(us * 48 / 1000));
    us = feed(&r, &b, us + 1500000, 50, 1.0);
    cr_assert_eq(b.holes, 1);
    cr_assert_leq(llabs(b.next - (int64_t)(us * 48 / 1000)), 2 * (int64_t)AUDIO_BLOCK);
    audio_resampler_release(&r);
}

Test(audio_resampler, takes_another_kind_of_sound_in_the_middle) {
    struct audio_resampler r;
    audio_resampler_init(&r, 48000, 1);
    struct blocks b = {.next = -1};
    uint64_t us = feed(&r, &b, 0, 100, 1.0);
    AVFrame *f = sound(96000, 6, AV_SAMPLE_FMT_FLTP, 960);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(audio_resampler_add(&r, f, us + i * 10000, take_block, &b), 0);
    av_frame_free(&f);
    cr_assert_eq(b.holes, 0);
    cr_assert_leq(llabs(b.next - 96000), 2 * (int64_t)AUDIO_BLOCK);
    audio_resampler_release(&r);
}

struct sounds {
    int64_t next;
    unsigned count;
};

static int take_sound(void *owner, const struct encoded_sound *s) {
    struct sounds *t = owner;
    cr_assert_eq(s->pts, t->next);
    cr_assert_gt(s->len, 0);
    t->next += AUDIO_BLOCK;
    t->count++;
    return 0;
}

TestSuite(encoder_aac, .init = libav_log_capture);

Test(encoder_aac, gives_a_frame_for_each_block_at_its_time) {
    struct encoder_aac *e = NULL;
    cr_assert_eq(encoder_aac_open(&e, 48000, 2, 128000), 0);
    struct sounds t = {.next = 0};
    static struct audio_block block;
    for (unsigned n = 0; n < 50; n++) {
        block.pts = n * AUDIO_BLOCK;
        for (unsigned i = 0; i < AUDIO_BLOCK; i++)
            block.samples[0][i] = block.samples[1][i] =
                (float)(0.1 * sin(2 * PI * 440 * (n * AUDIO_BLOCK + i) / 48000));
        cr_assert_eq(encoder_aac_encode(e, &block, take_sound, &t), 0);
    }
    cr_assert_eq(encoder_aac_encode(e, NULL, take_sound, &t), 0);
    cr_assert_eq(t.count, 50, "the delay's own packet is left out");
    encoder_aac_free(e);
}

Test(encoder_aac, refuses_a_rate_that_aac_does_not_have) {
    struct encoder_aac *e = NULL;
    cr_assert_eq(encoder_aac_open(&e, 12345, 2, 128000), ERR_UNSUPPORTED);
    encoder_aac_free(NULL);
}
