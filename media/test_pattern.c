#include "media/test_pattern.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/rng.h"

/* The ground is wider and higher than the picture by this much, so that a pan is a copy from
 * another place. A pan of less would show its turning points too often. */
#define PAN_RANGE 128u

/* Grain is added eight pixels at a time in one 64-bit sum. The ground stays in 32..192 and the
 * grain in 0..43, so that no sum carries into the next pixel or leaves the limited range. */
#define GROUND_LEAST 32
#define GROUND_MOST 192
#define GRAIN_MOST 43
#define GRAIN_ROWS 64u /* rows of grain to choose from: a frame picks one for each of its rows */

#define GLYPH_WIDTH 5u
#define GLYPH_HEIGHT 7u
#define INK 235
#define PAPER 16

struct test_pattern {
    unsigned width, height;
    unsigned fps_num, fps_den;
    size_t ground_stride;
    uint8_t *ground; /* luma, height + PAN_RANGE rows */
    size_t tint_stride;
    uint8_t *tint[2]; /* chroma, (height + PAN_RANGE) / 2 rows each */
    size_t grain_stride;
    uint8_t *grain; /* GRAIN_ROWS rows */
};

/* Rows of five bits, leftmost pixel highest. */
static const uint8_t glyphs[12][GLYPH_HEIGHT] = {
    {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, /* 0 */
    {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}, /* 1 */
    {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}, /* 2 */
    {0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e}, /* 3 */
    {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, /* 4 */
    {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}, /* 5 */
    {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, /* 6 */
    {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}, /* 7 */
    {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, /* 8 */
    {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}, /* 9 */
    {0x00, 0x04, 0x04, 0x00, 0x04, 0x04, 0x00}, /* : */
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}, /* . */
};

/* Waves of several lengths and a chequer: edges and slopes in every direction. */
static uint8_t ground_at(unsigned x, unsigned y) {
    double v = 112.0 + 30.0 * sin(x * 0.021 + 1.7 * sin(y * 0.013)) +
               24.0 * sin(y * 0.033 + 1.3 * sin(x * 0.017)) + 12.0 * sin(x * 0.19 + y * 0.23);
    if (((x >> 6) + (y >> 6)) % 2 == 0) v += 12.0;
    return (uint8_t)fmin(fmax(v, GROUND_LEAST), GROUND_MOST);
}

static void paint_ground(struct test_pattern *p) {
    unsigned rows = p->height + PAN_RANGE;
    for (unsigned y = 0; y < rows; y++)
        for (unsigned x = 0; x < p->ground_stride; x++)
            p->ground[y * p->ground_stride + x] = ground_at(x, y);
    for (unsigned y = 0; y < rows / 2; y++)
        for (unsigned x = 0; x < p->tint_stride; x++) {
            size_t at = y * p->tint_stride + x;
            p->tint[0][at] = (uint8_t)(128.0 + 50.0 * sin(x * 0.011 + y * 0.007));
            p->tint[1][at] = (uint8_t)(128.0 + 50.0 * sin(x * 0.008 - y * 0.012 + 1.0));
        }
}

static void paint_grain(struct test_pattern *p) {
    struct rng rng = rng_init(0x7465737470617474); /* any seed, always the same */
    for (size_t y = 0; y < GRAIN_ROWS; y++)
        for (size_t x = 0; x < p->grain_stride; x++) {
            uint64_t amplitude = 3 + (GRAIN_MOST - 3) * size_min(x, p->width) / p->width;
            p->grain[y * p->grain_stride + x] = (uint8_t)rng_below(&rng, amplitude + 1);
        }
}

struct test_pattern *test_pattern_new(unsigned width, unsigned height, unsigned fps_num,
                                      unsigned fps_den) {
    assert(width % 2 == 0 && width >= TEST_PATTERN_SIDE_MIN && width <= TEST_PATTERN_SIDE_MAX);
    assert(height % 2 == 0 && height >= TEST_PATTERN_SIDE_MIN && height <= TEST_PATTERN_SIDE_MAX);
    assert(fps_den > 0 && fps_num >= fps_den);
    struct test_pattern *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->width = width;
    p->height = height;
    p->fps_num = fps_num;
    p->fps_den = fps_den;
    p->ground_stride = width + PAN_RANGE + 8;
    p->tint_stride = (width + PAN_RANGE) / 2;
    p->grain_stride = width + 8;
    size_t rows = height + PAN_RANGE;
    p->ground = malloc(rows * p->ground_stride);
    p->tint[0] = malloc(rows / 2 * p->tint_stride);
    p->tint[1] = malloc(rows / 2 * p->tint_stride);
    p->grain = malloc(GRAIN_ROWS * p->grain_stride);
    if (!p->ground || !p->tint[0] || !p->tint[1] || !p->grain) {
        test_pattern_free(p);
        return NULL;
    }
    paint_ground(p);
    paint_grain(p);
    return p;
}

void test_pattern_free(struct test_pattern *p) {
    if (p == NULL) return;
    free(p->ground);
    free(p->tint[0]);
    free(p->tint[1]);
    free(p->grain);
    free(p);
}

/* 0 to `range` and back, one step a frame. */
static unsigned swing(uint64_t number, unsigned range) {
    if (range == 0) return 0;
    unsigned at = (unsigned)(number % (2ull * range));
    return at < range ? at : 2 * range - at;
}

static void add_row(uint8_t *ret, const uint8_t *ground, const uint8_t *grain, size_t n) {
    size_t x = 0;
    for (; x + 8 <= n; x += 8) {
        uint64_t a, b;
        memcpy(&a, ground + x, 8);
        memcpy(&b, grain + x, 8);
        a += b;
        memcpy(ret + x, &a, 8);
    }
    for (; x < n; x++) ret[x] = (uint8_t)(ground[x] + grain[x]);
}

static void draw_ground(const struct test_pattern *p, uint64_t number,
                        const struct picture_planes *ret) {
    /* By two pixels, so that luma and chroma move alike. */
    unsigned dx = swing(number, PAN_RANGE / 2) * 2, dy = swing(number / 3, PAN_RANGE / 2) * 2;
    struct rng rng = rng_init(number);
    for (unsigned y = 0; y < p->height; y++) {
        const uint8_t *ground = p->ground + (y + dy) * p->ground_stride + dx;
        const uint8_t *grain = p->grain + rng_below(&rng, GRAIN_ROWS) * p->grain_stride;
        add_row(ret->data[0] + y * ret->stride[0], ground, grain, p->width);
    }
    for (unsigned plane = 1; plane < 3; plane++)
        for (unsigned y = 0; y < p->height / 2; y++)
            memcpy(ret->data[plane] + y * ret->stride[plane],
                   p->tint[plane - 1] + (y + dy / 2) * p->tint_stride + dx / 2, p->width / 2);
}

/* A box of one luma and no colour; what lies outside of the picture is left out. */
static void fill(const struct test_pattern *p, const struct picture_planes *ret, unsigned left,
                 unsigned top, unsigned width, unsigned height, uint8_t luma) {
    unsigned right = (unsigned)size_min(left + width, p->width);
    unsigned bottom = (unsigned)size_min(top + height, p->height);
    if (left >= right || top >= bottom) return;
    for (unsigned y = top; y < bottom; y++)
        memset(ret->data[0] + y * ret->stride[0] + left, luma, right - left);
    for (unsigned plane = 1; plane < 3; plane++)
        for (unsigned y = top / 2; y < bottom / 2; y++)
            memset(ret->data[plane] + y * ret->stride[plane] + left / 2, 128, (right - left) / 2);
}

static void draw_movers(const struct test_pattern *p, uint64_t number,
                        const struct picture_planes *ret) {
    unsigned bar = p->width / 32, ball = p->height / 8;
    fill(p, ret, swing(number * 4, p->width - bar), 0, bar, p->height, 48);
    fill(p, ret, swing(number * 7, p->width - ball), swing(number * 5, p->height - ball), ball,
         ball, 200);
    if (test_pattern_flashes(p, number))
        fill(p, ret, p->width - p->height / 4, 0, p->height / 4, p->height / 4, INK);
}

static void draw_text(const struct test_pattern *p, const struct picture_planes *ret, unsigned left,
                      unsigned top, unsigned scale, const char *text) {
    unsigned cell = (GLYPH_WIDTH + 1) * scale;
    fill(p, ret, left, top, (unsigned)strlen(text) * cell + scale, (GLYPH_HEIGHT + 2) * scale,
         PAPER);
    for (unsigned i = 0; text[i] != '\0'; i++) {
        if (text[i] == ' ') continue;
        unsigned glyph = text[i] == ':' ? 10 : text[i] == '.' ? 11 : (unsigned)(text[i] - '0');
        for (unsigned y = 0; y < GLYPH_HEIGHT; y++)
            for (unsigned x = 0; x < GLYPH_WIDTH; x++)
                if (glyphs[glyph][y] >> (GLYPH_WIDTH - 1 - x) & 1)
                    fill(p, ret, left + i * cell + (x + 1) * scale, top + (y + 1) * scale, scale,
                         scale, INK);
    }
}

void test_pattern_draw(const struct test_pattern *p, uint64_t number, uint64_t utc_us,
                       const struct picture_planes *ret) {
    draw_ground(p, number, ret);
    draw_movers(p, number, ret);

    char text[32];
    unsigned scale = p->width / 160; /* even sizes: chroma is shared by two pixels */
    if (scale == 0) scale = 1;
    uint64_t day_ms = utc_us / US_PER_MS % 86400000;
    snprintf(text, sizeof text, "%02u:%02u:%02u.%03u", (unsigned)(day_ms / 3600000),
             (unsigned)(day_ms / 60000 % 60), (unsigned)(day_ms / 1000 % 60),
             (unsigned)(day_ms % 1000));
    draw_text(p, ret, p->width / 16, p->height / 16, scale, text);
    snprintf(text, sizeof text, "%08u", (unsigned)(number % 100000000));
    draw_text(p, ret, p->width / 16, p->height / 16 + 10 * scale, scale, text);
}

bool test_pattern_flashes(const struct test_pattern *p, uint64_t number) {
    uint64_t tenths = number * p->fps_den * 10 / p->fps_num;
    return tenths % 10 == 0;
}

void test_pattern_tone(uint64_t first, size_t n, unsigned sample_rate, float *ret) {
    /* Both tones have whole periods in a second, so a second's samples need no memory of the last
     * and no phase that grows without bound. */
    for (size_t i = 0; i < n; i++) {
        unsigned at = (unsigned)((first + i) % sample_rate);
        double hz = at < sample_rate / 10 ? TEST_PATTERN_BEEP_HZ : TEST_PATTERN_TONE_HZ;
        ret[i] = (float)(0.1 * sin(2.0 * 3.14159265358979323846 * hz * at / sample_rate));
    }
}
