/* input.h - where decoded pictures and sound come from: libavformat, or the test pattern.
 *
 * A driver gives frames in about the order of their times, on one timeline from 0, each when it is
 * due: stored inputs are paced, live ones come as they come. */
#ifndef INPUT_H
#define INPUT_H

#include <libavutil/frame.h>

#include "core/proto/manifest.h"
#include "media/interrupt.h"
#include "media/pace_clock.h"
#include "media/source.h"

struct input_video {
    bool present;
    unsigned width, height;
    AVRational pixel_aspect;
    AVRational fps; /* average; within 1 to SOURCE_FPS_MAX */
    int colour_primaries, colour_transfer, colour_matrix;
};

struct input_audio {
    bool present;
    unsigned channels; /* 1 or 2: more are mixed to 2 */
};

struct input_frame {
    enum track_kind kind;
    const AVFrame *frame; /* the input's, until the next read */
    uint64_t pts_us;
    uint64_t capture_us;
};

struct input;

struct input_driver {
    /* Whether the input is this driver's. */
    bool (*takes)(const struct source_config *config);
    /* Fills video, audio and state. The strings of `config` are borrowed for the input's life.
     * On failure `why` is set, and close is called all the same. */
    int (*open)(struct input *in, const struct source_config *config);
    /* As input_read. */
    int (*read)(struct input *in, struct input_frame *ret);
    void (*close)(struct input *in);
};

struct input {
    const struct input_driver *driver;
    void *state; /* the driver's */
    struct input_video video;
    struct input_audio audio;
    struct interrupt *interrupt;
    bool paced;
    struct pace_clock clock;
    _Atomic uint64_t decode_errors;
    char name[128]; /* for messages */
    char why[SOURCE_WHY_MAX];
};

/* Returns 0 or what source_open returns, with in->why. To be closed in any case. */
MUST_CHECK int input_open(struct input *in, const struct source_config *config,
                          struct interrupt *interrupt);
void input_close(struct input *in);

/* Waits for the next frame. Returns 0, ERR_END, ERR_STATE (interrupted), or another error with
 * in->why. */
MUST_CHECK int input_read(struct input *in, struct input_frame *ret);

/* For drivers: waits until `pts_us` is due where the input is paced, and gives the time of capture.
 * Returns 0 or ERR_STATE. */
MUST_CHECK int input_wait(struct input *in, uint64_t pts_us, uint64_t *ret_capture_us);
/* For drivers: sets "input 'NAME': ..." and returns `err`. */
int input_fail(struct input *in, int err, const char *format, ...) PRINTF_LIKE(3, 4);

extern const struct input_driver input_test_driver;
extern const struct input_driver input_libav_driver;

#endif
