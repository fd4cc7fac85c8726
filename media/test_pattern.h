/* test_pattern.h - the picture and the tone of `test:`, made in plain C.
 *
 * What moves: a textured ground that pans, a bar and a ball that cross it, and grain over all. The
 * ground alone would not do: an encoder predicts a pan for nearly nothing. The grain is new in
 * every frame and stronger from left to right, so that there is something to spend bits on at any
 * rate from some 300 kb/s to 30 Mb/s. Every second a white square shows for a tenth of a second,
 * while the tone is an octave higher: picture and sound can be checked against each other.
 *
 * Invariant: a frame's content follows from its number and the size alone, but for the clock. */
#ifndef TEST_PATTERN_H
#define TEST_PATTERN_H

#include <stdbool.h>

#include "core/base/base.h"

#define TEST_PATTERN_SIDE_MIN 16
#define TEST_PATTERN_SIDE_MAX 4096
#define TEST_PATTERN_TONE_HZ 440.0
#define TEST_PATTERN_BEEP_HZ 880.0

/* 8-bit YUV 4:2:0, limited range: three planes and the bytes from row to row of each. */
struct picture_planes {
    uint8_t *data[3];
    size_t stride[3];
};

struct test_pattern;

/* Even sides within the limits; fps_num / fps_den at least 1. NULL when out of memory. */
struct test_pattern *test_pattern_new(unsigned width, unsigned height, unsigned fps_num,
                                      unsigned fps_den);
void test_pattern_free(struct test_pattern *p);

/* Draws frame `number` with the clock at `utc_us`. */
void test_pattern_draw(const struct test_pattern *p, uint64_t number, uint64_t utc_us,
                       const struct picture_planes *ret);
/* True in the tenth of a second in which the square shows. */
bool test_pattern_flashes(const struct test_pattern *p, uint64_t number);

/* `n` mono samples from sample `first` on, at `sample_rate`, at -20 dB of full scale. */
void test_pattern_tone(uint64_t first, size_t n, unsigned sample_rate, float *ret);

#endif
