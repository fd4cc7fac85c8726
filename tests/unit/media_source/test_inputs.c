/* What an input's name names, the size of its picture, and the waits that can be ended. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <libavformat/avformat.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/descriptor_io.h"
#include "media/input_address.h"
#include "media/libav_log.h"
#include "media/picture_scaler.h"
#include "tests/unit/media_source/take.h"

static struct input_address parsed(const char *input, const char *format) {
    struct input_address a;
    const char *why = "";
    cr_assert_eq(input_address_parse(input, format, &a, &why), 0, "%s: %s", input, why);
    return a;
}

Test(input_address, tells_files_addresses_and_devices_apart) {
    const char *path = take_path("10:30.mkv");
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fclose(f);
    struct input_address a = parsed(path, NULL);
    cr_assert_eq(a.kind, INPUT_FILE);
    cr_assert_eq(strncmp(a.url, "file:", 5), 0);

    a = parsed("rtmp://127.0.0.1/live?listen=1", NULL);
    cr_assert_eq(a.kind, INPUT_URL);
    cr_assert(a.listens && a.listen_option);
    cr_assert_str_eq(a.url, "rtmp://127.0.0.1/live");
    a = parsed("srt://127.0.0.1:9000?mode=listener", NULL);
    cr_assert(a.listens && !a.listen_option);
    cr_assert_str_eq(a.url, "srt://127.0.0.1:9000?mode=listener");
    a = parsed("http://127.0.0.1/live.ts", NULL);
    cr_assert_eq(a.kind, INPUT_URL);
    cr_assert_not(a.listens);

    a = parsed("v4l2:/dev/video7", NULL);
    cr_assert_eq(a.kind, INPUT_DEVICE);
    cr_assert_str_eq(a.url, "/dev/video7");
    a = parsed("x11grab::0.0", NULL);
    cr_assert_eq(a.kind, INPUT_DEVICE);
    cr_assert_str_eq(a.url, ":0.0");
    a = parsed(":0.0", "x11grab");
    cr_assert_eq(a.kind, INPUT_DEVICE);
    cr_assert_str_eq(a.url, ":0.0");
    a = parsed(path, "matroska");
    cr_assert_eq(a.kind, INPUT_FILE);
    cr_assert_not_null(strstr(a.format->name, "matroska"));
}

Test(input_address, opens_pipes_without_waiting_for_their_writer) {
    const char *path = take_path("fifo");
    cr_assert_eq(mkfifo(path, 0600), 0);
    struct input_address a = parsed(path, NULL);
    cr_assert_eq(a.kind, INPUT_DESCRIPTOR);
    cr_assert(a.fd_owned);
    cr_assert_geq(a.fd, 0);
    close(a.fd);
    a = parsed("-", NULL);
    cr_assert_eq(a.kind, INPUT_DESCRIPTOR);
    cr_assert_eq(a.fd, 0);
    cr_assert_not(a.fd_owned);
}

Test(input_address, refuses_names_that_are_too_long) {
    static char name[INPUT_URL_MAX + 100];
    memset(name, 'a', sizeof name - 1);
    memcpy(name, "http://", 7);
    struct input_address a;
    const char *why;
    cr_assert_lt(input_address_parse(name, NULL, &a, &why), 0);
}

static void check_size(unsigned in_width, unsigned in_height, int pixel_num, int pixel_den,
                       unsigned asked_width, unsigned asked_height, unsigned width,
                       unsigned height) {
    unsigned got_width, got_height;
    picture_size(in_width, in_height, (AVRational){pixel_num, pixel_den}, asked_width, asked_height,
                 &got_width, &got_height);
    cr_assert(got_width == width && got_height == height, "%ux%u", got_width, got_height);
}

Test(picture_size, keeps_the_aspect_with_square_pixels_and_even_sides) {
    check_size(1280, 720, 0, 1, 0, 0, 1280, 720);
    check_size(1280, 720, 1, 1, 640, 0, 640, 360);
    check_size(1280, 720, 1, 1, 0, 480, 854, 480);
    check_size(1280, 720, 1, 1, 100, 100, 100, 100);
    check_size(720, 576, 64, 45, 0, 0, 1024, 576);
    check_size(719, 575, 1, 1, 0, 0, 720, 576);
    check_size(8192, 4320, 1, 1, 0, 0, 4096, 2160);
    check_size(2, 2, 1, 1, 0, 0, 16, 16);
    check_size(1080, 1920, 1, 1, 720, 0, 720, 1280);
}

TestSuite(picture_scaler, .init = libav_log_capture);

Test(picture_scaler, passes_a_picture_of_the_right_kind_untouched) {
    struct picture_scaler s;
    cr_assert_eq(picture_scaler_init(&s, 64, 48), 0);
    AVFrame *in = picture_new(s.pool, 64, 48);
    AVFrame *out = picture_scale(&s, in);
    cr_assert_eq(out->data[0], in->data[0]);
    av_frame_free(&out);
    in->color_range = AVCOL_RANGE_JPEG;
    memset(in->data[0], 255, (size_t)in->linesize[0] * 48);
    memset(in->data[1], 128, (size_t)in->linesize[1] * 24);
    memset(in->data[2], 128, (size_t)in->linesize[2] * 24);
    out = picture_scale(&s, in);
    cr_assert_neq(out->data[0], in->data[0]);
    cr_assert_eq(out->data[0][64 * 20 + 20], 235, "full range is brought to limited range");
    av_frame_free(&out);
    av_frame_free(&in);
    picture_scaler_release(&s);
}

Test(interrupt, ends_a_sleep_at_its_time) {
    struct interrupt i;
    cr_assert_eq(interrupt_init(&i), 0);
    uint64_t until_us = clock_monotonic_us() + 20000;
    cr_assert_eq(interrupt_sleep_until(&i, until_us), 0);
    cr_assert_geq(clock_monotonic_us(), until_us);
    interrupt_set_deadline(&i, clock_monotonic_us() + 5000);
    cr_assert_eq(interrupt_sleep_until(&i, TIME_NEVER), ERR_STATE);
    cr_assert(interrupt_is_late(&i));
    interrupt_release(&i);
}

static void *raise_it(void *opaque) {
    interrupt_raise(opaque);
    return NULL;
}

Test(interrupt, ends_every_wait_when_raised, .timeout = 60) {
    struct interrupt i;
    cr_assert_eq(interrupt_init(&i), 0);
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, raise_it, &i), 0);
    cr_assert_eq(interrupt_wait_readable(&i, fds[0]), ERR_STATE);
    cr_assert_eq(interrupt_sleep_until(&i, TIME_NEVER), ERR_STATE);
    pthread_join(thread, NULL);
    struct descriptor_io d;
    cr_assert_eq(descriptor_io_init(&d, fds[0], true, &i), 0);
    uint8_t byte;
    cr_assert_eq(avio_read(d.context, &byte, 1), AVERROR_EXIT);
    descriptor_io_release(&d);
    cr_assert_lt(fcntl(fds[0], F_GETFD), 0, "it was its own");
    close(fds[1]);
    interrupt_release(&i);
}
