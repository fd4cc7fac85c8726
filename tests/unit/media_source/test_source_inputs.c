/* What a source makes of files, pipes and addresses: good, damaged, missing and live ones. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/interrupt.h"
#include "tests/unit/media_source/take.h"

Test(source, refuses_what_is_no_media_with_one_line, .timeout = 60) {
    char path[128], expected[256];
    strcpy(path, take_path("words.txt"));
    FILE *f = fopen(path, "w");
    fputs("neither a picture nor a sound\n", f);
    fclose(f);
    struct source_config c = take_config(path);
    snprintf(expected, sizeof expected, "input '%s' holds neither audio nor video", path);
    cr_assert_str_eq(take_refusal(&c, ERR_UNSUPPORTED), expected);

    strcpy(path, take_path("words.srt"));
    f = fopen(path, "w");
    fputs("1\n00:00:01,000 --> 00:00:02,000\nwords\n", f);
    fclose(f);
    snprintf(expected, sizeof expected, "input '%s' holds neither audio nor video", path);
    cr_assert_str_eq(take_refusal(&c, ERR_UNSUPPORTED), expected);

    strcpy(path, take_path(""));
    snprintf(expected, sizeof expected,
             "input '%s': a directory; expected a file, an address or a device", path);
    cr_assert_str_eq(take_refusal(&c, ERR_UNSUPPORTED), expected);
}

Test(source, refuses_what_is_not_there_with_one_line, .timeout = 60) {
    struct source_config c = take_config("/nowhere/foo.mkv");
    cr_assert_str_eq(take_refusal(&c, ERR_NOT_FOUND),
                     "input '/nowhere/foo.mkv': No such file or directory");
    c.input = "gopherx://host/file";
    cr_assert_str_eq(
        take_refusal(&c, ERR_NOT_FOUND),
        "input 'gopherx://host/file': neither a file nor an address of a known protocol");
    c.input = "tcp://127.0.0.1:1"; /* nobody listens there */
    cr_assert_str_eq(take_refusal(&c, ERR_SYSTEM), "input 'tcp://127.0.0.1:1': Connection refused");
    c.input = "pipe:999";
    cr_assert_str_eq(take_refusal(&c, ERR_SYSTEM), "input 'pipe:999': Bad file descriptor");
    c.input = "v4l2:/nowhere/video9";
    cr_assert_not_null(strstr(take_refusal(&c, ERR_NOT_FOUND), "No such file or directory"));
}

Test(source, refuses_settings_out_of_range_with_one_line, .timeout = 60) {
    struct source_config c = take_config("test:");
    c.preset = "warp";
    cr_assert_not_null(
        strstr(take_refusal(&c, ERR_ARGUMENT), "preset 'warp' is unknown: x264 has"));
    c = take_config("test:");
    c.video_bitrate_bps = 1000;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "video bit rate 1000"));
    c = take_config("test:");
    c.audio_bitrate_bps = 1;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "audio bit rate 1"));
    c = take_config("test:");
    c.width = 8;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "size 8x0"));
    c = take_config("test:");
    c.fps_num = 1000;
    c.fps_den = 1;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "frame rate 1000/1"));
    c = take_config("test:");
    c.keyint_us = 60 * US_PER_S;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "keyframe interval of 60000 ms"));
    c = take_config("test:");
    c.fragment_us = 10 * US_PER_S;
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "fragments of 4096 bytes or 10000"));
    c = take_config("-");
    c.loop = true;
    cr_assert_str_eq(take_refusal(&c, ERR_ARGUMENT), "input '-' cannot be looped: only files can");
    c = take_config("/dev/null");
    c.format = "nosuchformat";
    cr_assert_not_null(strstr(take_refusal(&c, ERR_ARGUMENT), "its format is unknown"));
}

Test(source, refuses_a_file_cut_within_its_header, .timeout = 60) {
    char path[128];
    strcpy(path, take_make("a.mp4", TAKE_BOTH));
    cr_assert_eq(truncate(path, 2000), 0);
    struct source_config c = take_config(path);
    cr_assert_not_null(strstr(take_refusal(&c, ERR_UNSUPPORTED), "moov atom not found"));
}

Test(source, plays_what_there_is_of_a_file_cut_in_its_middle, .timeout = 300) {
    char path[128];
    strcpy(path, take_make("a.mkv", TAKE_BOTH));
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(truncate(path, info.st_size / 2), 0);
    struct source_config c = take_config(path);
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->ends[0], 1);
    uint64_t first_us = t->fragments[0]->track == 0 ? t->fragments[0]->pts_us : 40 * US_PER_MS;
    uint64_t end_us = take_contiguous(t, 0, first_us);
    cr_assert_gt(end_us, US_PER_S / 2);
    cr_assert_lt(end_us, 3 * US_PER_S);
    take_free(t);
}

Test(source, survives_a_damaged_file, .timeout = 300) {
    char path[128];
    strcpy(path, take_make("a.ts", TAKE_BOTH));
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    int fd = open(path, O_WRONLY);
    for (off_t at = 20000; at + 300 < info.st_size; at += 9000)
        cr_assert_eq(pwrite(fd, path, 100, at), 100);
    close(fd);
    struct source_config c = take_config(path);
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED, "%s", t->why);
    uint64_t last_us[2] = {0, 0};
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        cr_assert_geq(f->pts_us, last_us[f->track]);
        last_us[f->track] = f->pts_us + f->duration_us - 1;
    }
    cr_assert_gt(last_us[0], US_PER_S);
    cr_assert_lt(last_us[0], 6 * US_PER_S);
    take_decode(take_write(t, 0, "video.mp4"));
    take_free(t);
}

Test(source, loops_a_file_without_a_seam, .timeout = 300) {
    struct source_config c = take_config(take_make("a.mp4", TAKE_BOTH));
    c.loop = true;
    struct take *t = take_input(&c, 10 * US_PER_S);
    cr_assert_eq(t->state, SOURCE_RUNNING);
    cr_assert_geq(take_contiguous(t, 0, 0), 10 * US_PER_S);
    cr_assert_geq(take_contiguous(t, 1, 0), 10 * US_PER_S);
    cr_assert_gt(take_decode(take_write(t, 0, "video.mp4")), 245);
    take_free(t);
}

/* Two recordings behind each other: the second counts from the start again. */
static void check_jump(const char *input, bool pace) {
    struct source_config c = take_config(input);
    c.pace = pace;
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED, "%s", t->why);
    uint64_t end_us[2] = {0, 0};
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        cr_assert_geq(f->pts_us + 1, end_us[f->track]);
        cr_assert_leq(f->pts_us, end_us[f->track] + 200 * US_PER_MS, "a hole at the jump");
        end_us[f->track] = f->pts_us + f->duration_us;
    }
    for (int i = 0; i < 2; i++) {
        cr_assert_geq(end_us[i], 5800 * US_PER_MS);
        cr_assert_leq(end_us[i], 6400 * US_PER_MS);
    }
    cr_assert_geq(take_decode(take_write(t, 0, "video.mp4")), 148);
    take_free(t);
}

Test(source, bridges_timestamps_that_jump_back, .timeout = 300) {
    char text[256];
    take_make("a.ts", TAKE_BOTH);
    take_run(text, sizeof text, "cat %s %s > %s", take_path("a.ts"), take_path("a.ts"),
             take_path("twice.ts"));
    check_jump(take_path("twice.ts"), false);
    check_jump(take_path("twice.ts"), true);
}

static int free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void *send_file(void *opaque) {
    /* Until the listener is there, and then at the rate of a live sender. */
    take_run((char[256]){0}, 256,
             "for i in $(seq 600); do ffmpeg -nostdin -v quiet -re -stream_loop 2 -i %s -c copy -f "
             "mpegts "
             "tcp://127.0.0.1:%d && exit 0; sleep 0.1; done; exit 1",
             take_path("a.ts"), *(int *)opaque);
    return NULL;
}

Test(source, takes_a_live_stream_as_a_listener, .timeout = 300) {
    take_make("a.ts", TAKE_BOTH);
    int port = free_port();
    char input[64];
    snprintf(input, sizeof input, "tcp://127.0.0.1:%d?listen", port);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, send_file, &port), 0);
    struct source_config c = take_config(input);
    c.pace = true; /* and yet not paced: it is live */
    struct take *t = take_input(&c, TIME_NEVER);
    pthread_join(thread, NULL);
    cr_assert_eq(t->state, SOURCE_ENDED, "%s", t->why);
    /* What came while it was probed is left out: it would be late for good. */
    uint64_t start_us = t->fragments[0]->capture_us - t->fragments[0]->pts_us;
    for (size_t i = 0; i < t->len; i++)
        cr_assert_leq(t->fragments[i]->pts_us, t->fragments[i]->capture_us - start_us + US_PER_S);
    cr_assert_geq(t->stats.frames_encoded, 5);
    take_free(t);
}

static struct source *open_pipe(int fds[2], const char *path) {
    cr_assert_eq(pipe(fds), 0);
    cr_assert_geq(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20), 1 << 19);
    int file = open(path, O_RDONLY);
    static char bytes[1 << 19];
    ssize_t n = read(file, bytes, sizeof bytes);
    cr_assert_gt(n, 100000);
    cr_assert_eq(write(fds[1], bytes, (size_t)n), n);
    close(file);
    cr_assert_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    struct source_config c = take_config("-");
    return take_open(&c);
}

Test(source, is_freed_at_once_while_it_waits_for_standard_input, .timeout = 300) {
    int fds[2];
    struct source *s = open_pipe(fds, take_make("a.ts", TAKE_BOTH));
    cr_assert_eq(source_start(s), 0);
    unsigned taken = 0;
    while (taken < 40) { /* most of what it has been given: then it is in its read, or soon */
        take_wait(s);
        struct fragment *f;
        while ((f = source_next(s)) != NULL) {
            fragment_unref(f);
            taken++;
        }
    }
    uint64_t before_us = clock_monotonic_us();
    source_free(s);
    cr_assert_lt(clock_monotonic_us() - before_us, 10 * US_PER_S, "the writer never closes");
    close(fds[1]);
}

Test(source, reads_standard_input_to_its_end, .timeout = 300) {
    int fds[2];
    struct source *s = open_pipe(fds, take_make("a.ts", TAKE_BOTH));
    close(fds[1]);
    cr_assert_eq(source_start(s), 0);
    struct take *t = take_all(s, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->stats.frames_encoded, 75);
    take_free(t);
}

struct opening {
    struct source_config config;
    char why[SOURCE_WHY_MAX];
    int err;
};

static void *open_it(void *opaque) {
    struct opening *o = opaque;
    struct source *s = NULL;
    o->err = source_open(&s, &o->config, o->why, sizeof o->why);
    source_free(s);
    return NULL;
}

Test(source, gives_up_opening_when_cancelled, .timeout = 60) {
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    char input[32];
    snprintf(input, sizeof input, "pipe:%d", fds[0]);
    atomic_bool cancel = false;
    struct opening o = {.config = take_config(input)};
    o.config.cancel = &cancel;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, open_it, &o), 0);
    atomic_store(&cancel, true);
    pthread_join(thread, NULL);
    cr_assert_eq(o.err, ERR_STATE);
    cr_assert_not_null(strstr(o.why, "interrupted"));
    close(fds[0]);
    close(fds[1]);
}
