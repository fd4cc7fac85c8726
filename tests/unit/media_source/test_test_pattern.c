#include "media/test_pattern.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 320u
#define HEIGHT 180u
#define BYTES (WIDTH * HEIGHT * 3 / 2)

static struct test_pattern *pattern;
static uint8_t one[BYTES], other[BYTES];

static void start(void) {
    pattern = test_pattern_new(WIDTH, HEIGHT, 30, 1);
    cr_assert_not_null(pattern);
}

static void stop(void) { test_pattern_free(pattern); }

static void draw(uint8_t *to, uint64_t number, uint64_t utc_us) {
    struct picture_planes planes = {
        .data = {to, to + WIDTH * HEIGHT, to + WIDTH * HEIGHT * 5 / 4},
        .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
    };
    test_pattern_draw(pattern, number, utc_us, &planes);
}

TestSuite(test_pattern, .init = start, .fini = stop);

Test(test_pattern, draws_the_same_frame_from_the_same_number) {
    draw(one, 1234567, 5000000);
    struct test_pattern *again = test_pattern_new(WIDTH, HEIGHT, 30, 1);
    test_pattern_free(pattern);
    pattern = again;
    draw(other, 1234567, 5000000);
    cr_assert_arr_eq(one, other, BYTES);
}

Test(test_pattern, differs_only_in_its_clock_at_another_time) {
    draw(one, 40, 5000000);
    draw(other, 40, 5001000);
    size_t differing = 0, below = 0;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        differing += one[i] != other[i];
        below += one[i] != other[i] && i / WIDTH > HEIGHT / 4;
    }
    cr_assert_gt(differing, 0);
    cr_assert_lt(differing, 500, "one digit");
    cr_assert_eq(below, 0);
}

Test(test_pattern, changes_nearly_every_pixel_from_frame_to_frame) {
    draw(one, 40, 0);
    draw(other, 41, 0);
    size_t differing = 0;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) differing += one[i] != other[i];
    cr_assert_gt(differing, WIDTH * HEIGHT / 2);
}

Test(test_pattern, stays_in_the_limited_range) {
    for (uint64_t n = 0; n < 300; n += 7) {
        draw(one, n, n * 33333);
        for (size_t i = 0; i < WIDTH * HEIGHT; i++) cr_assert(one[i] >= 16 && one[i] <= 235);
        for (size_t i = WIDTH * HEIGHT; i < BYTES; i++) cr_assert(one[i] >= 16 && one[i] <= 240);
    }
}

Test(test_pattern, flashes_in_the_first_tenth_of_each_second) {
    for (uint64_t n = 0; n < 300; n++) cr_assert_eq(test_pattern_flashes(pattern, n), n % 30 < 3);
    draw(one, 60, 0);
    cr_assert_eq(one[WIDTH - 5 + WIDTH * 5], 235);
    draw(one, 63, 0);
    cr_assert_neq(one[WIDTH - 5 + WIDTH * 5], 235);
}

Test(test_pattern, draws_any_size_without_leaving_its_planes) {
    static const unsigned sizes[][2] = {{16, 16}, {18, 4096}, {4096, 18}, {640, 360}, {162, 90}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        unsigned width = sizes[i][0], height = sizes[i][1];
        struct test_pattern *p = test_pattern_new(width, height, 25, 1);
        uint8_t *luma = malloc(width * height), *tint = malloc(width * height / 4);
        uint8_t *other_tint = malloc(width * height / 4);
        struct picture_planes planes = {.data = {luma, tint, other_tint},
                                        .stride = {width, width / 2, width / 2}};
        /* The address sanitizer watches. */
        for (uint64_t n = 0; n < 9000; n += 611) test_pattern_draw(p, n, n, &planes);
        free(luma);
        free(tint);
        free(other_tint);
        test_pattern_free(p);
    }
}

Test(test_pattern, hums_without_a_seam_between_blocks) {
    float whole[4096], parts[4096];
    uint64_t first = 48000ull * 86400 * 365 - 2000;
    test_pattern_tone(first, 4096, 48000, whole);
    for (size_t at = 0; at < 4096; at += 256) test_pattern_tone(first + at, 256, 48000, parts + at);
    float largest = 0;
    for (size_t i = 0; i < 4096; i++) {
        cr_assert_float_eq(whole[i], parts[i], 1e-6);
        if (whole[i] > largest) largest = whole[i];
        if (i > 0) cr_assert_float_eq(whole[i], whole[i - 1], 0.02);
    }
    cr_assert_float_eq(largest, 0.1, 0.01);
}
