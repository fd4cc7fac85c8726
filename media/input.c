#include "media/input.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

/* The first that takes an input has it; the last takes all. */
static const struct input_driver *const drivers[] = {&input_test_driver, &input_libav_driver};

int input_open(struct input *in, const struct source_config *config, struct interrupt *interrupt) {
    *in = (struct input){.interrupt = interrupt};
    snprintf(in->name, sizeof in->name, "%s", config->input);
    for (size_t i = 0; in->driver == NULL; i++)
        if (drivers[i]->takes(config)) in->driver = drivers[i];
    return in->driver->open(in, config);
}

void input_close(struct input *in) {
    if (in->driver != NULL) in->driver->close(in);
    in->driver = NULL;
}

int input_read(struct input *in, struct input_frame *ret) { return in->driver->read(in, ret); }

int input_wait(struct input *in, uint64_t pts_us, uint64_t *ret_capture_us) {
    if (in->paced) {
        uint64_t due_us = pace_clock_due(&in->clock, pts_us, clock_monotonic_us());
        int err = interrupt_sleep_until(in->interrupt, due_us);
        if (err) return err;
    }
    *ret_capture_us = clock_utc_us();
    return 0;
}

int input_fail(struct input *in, int err, const char *format, ...) {
    char text[SOURCE_WHY_MAX - sizeof in->name - 16];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(in->why, sizeof in->why, "input '%s'%s", in->name, text);
    return err;
}
