#include "media/source.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "media/interrupt.h"
#include "media/pace_clock.h"
#include "take.h"

#define PACE_SLACK_US (PACE_LATE_MAX_US)
#define PICTURE "-f lavfi -i testsrc2=s=320x180:r=25:d=3 "
#define SOUND "-f lavfi -i sine=f=440:r=44100:d=3 "
#define ENCODE "-c:v libx264 -preset ultrafast -g 25 -c:a aac "

static const char *both(const char *name) { return take_make(name, PICTURE SOUND ENCODE); }

/* Each track's fragments follow each other without a hole, from 0 on. Returns the end. */
static uint64_t check_contiguous(const struct take *t, uint8_t track, uint64_t start_us) {
    uint64_t next_us = start_us;
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        if (f->track != track) continue;
        cr_assert_leq(llabs((long long)(f->pts_us - next_us)), 1, "track %u: %llu after %llu",
                      track, (unsigned long long)f->pts_us, (unsigned long long)next_us);
        cr_assert_not(f->discontinuity);
        next_us = f->pts_us + f->duration_us;
    }
    return next_us;
}

static unsigned decoded_frames(const char *path) {
    char text[512];
    take_run(text, sizeof text, "ffmpeg -nostdin -v error -xerror -i %s -f null - 2>&1", path);
    cr_assert_str_empty(text, "%s", text);
    take_run(text, sizeof text,
             "ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 %s",
             path);
    return (unsigned)atoi(text);
}

static void check_rate(unsigned width, unsigned height, uint32_t bitrate_bps) {
    struct source_config c = take_config("test:");
    c.width = width;
    c.height = height;
    c.video_bitrate_bps = bitrate_bps;
    c.preset = "veryfast";
    struct take *t = take_input(&c, 10 * US_PER_S);
    uint8_t video = take_track(t, TRACK_VIDEO);
    uint64_t end_us = check_contiguous(t, video, 0);
    double bps = (double)take_payload(t, video) * 8e6 / (double)end_us;
    cr_assert_gt(bps, 0.97 * bitrate_bps);
    cr_assert_lt(bps, 1.03 * bitrate_bps);
    take_free(t);
}

Test(source, reaches_the_bit_rate_with_the_test_pattern_at_3_megabits, .timeout = 300) {
    check_rate(1280, 720, 3000000);
}

Test(source, reaches_the_bit_rate_with_the_test_pattern_at_2500_kilobits, .timeout = 300) {
    check_rate(1280, 720, 2500000);
}

Test(source, reaches_the_bit_rate_with_the_test_pattern_at_1_megabit, .timeout = 300) {
    check_rate(640, 360, 1000000);
}

Test(source, gives_fragments_that_decode_to_every_frame, .timeout = 300) {
    struct source_config c = take_config(both("a.mkv"));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks_len, 2);
    cr_assert_eq(take_track(t, TRACK_VIDEO), 0);
    cr_assert_eq(take_track(t, TRACK_AUDIO), 1);
    cr_assert_eq(t->ends[0], 1);
    cr_assert_eq(t->ends[1], 1);

    /* Matroska keeps the delay that AAC had there as 40 ms before the first picture. */
    uint64_t first_us = 0;
    for (size_t i = t->len; i-- > 0;)
        if (t->fragments[i]->track == 0) first_us = t->fragments[i]->pts_us;
    cr_assert_leq(first_us, 40 * US_PER_MS);
    uint64_t video_end_us = check_contiguous(t, 0, first_us);
    uint64_t audio_end_us = check_contiguous(t, 1, 0);
    cr_assert_eq(video_end_us - first_us, 3 * US_PER_S);
    cr_assert_geq(audio_end_us, 2900 * US_PER_MS);
    cr_assert_leq(audio_end_us, 3200 * US_PER_MS);

    cr_assert_eq(decoded_frames(take_write(t, 0, "video.mp4")), 75);
    unsigned sounds = decoded_frames(take_write(t, 1, "audio.mp4"));
    cr_assert_eq(sounds, (audio_end_us * 48 + 512000) / 1024000);
    take_free(t);
}

Test(source, describes_its_tracks, .timeout = 60) {
    struct source_config c = take_config(both("a.mkv"));
    struct source *s = take_open(&c);
    size_t n;
    const struct track *t = source_tracks(s, &n);
    cr_assert_eq(n, 2);
    cr_assert_eq(t[0].kind, TRACK_VIDEO);
    cr_assert_eq(strncmp(t[0].codec, "avc1.", 5), 0);
    cr_assert_eq(strlen(t[0].codec), 11);
    cr_assert(t[0].width == 320 && t[0].height == 180);
    cr_assert(t[0].fps_num == 25 && t[0].fps_den == 1);
    cr_assert_eq(t[0].bitrate_bps, 400000);
    cr_assert_eq(t[1].kind, TRACK_AUDIO);
    cr_assert_str_eq(t[1].codec, "mp4a.40.2");
    cr_assert_eq(t[1].sample_rate, 48000);
    cr_assert_eq(t[1].channels, 1, "one channel stays one");
    for (size_t i = 0; i < n; i++) {
        cr_assert_gt(t[i].init_len, 500);
        cr_assert_arr_eq(t[i].init + 4, "ftyp", 4);
    }
    source_free(s);
}

Test(source, has_a_random_access_point_first_and_each_keyint, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.width = 320;
    c.keyint_us = 500 * US_PER_MS;
    struct take *t = take_input(&c, 5 * US_PER_S);
    uint8_t video = take_track(t, TRACK_VIDEO);
    unsigned points = 0;
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        if (f->track != video) {
            cr_assert(f->random_access, "sound can start anywhere");
            continue;
        }
        bool expected = f->pts_us % c.keyint_us == 0;
        cr_assert_eq(f->random_access, expected, "at %llu", (unsigned long long)f->pts_us);
        points += f->random_access;
    }
    cr_assert_geq(points, 10);
    take_free(t);
}

Test(source, cuts_fragments_by_bytes_or_by_time, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.width = 160;
    c.video_bitrate_bps = 64000;
    struct take *t = take_input(&c, 3 * US_PER_S);
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        cr_assert_gt(f->duration_us, 0);
        cr_assert_leq(f->duration_us, 133334, "less than 100 ms, and the frame that fills it");
        /* A frame of 30 ms is far below 4 KB here, so several share a fragment. */
        if (f->track == 0 && i > 0 && f->pts_us < 2 * US_PER_S && f->len < 2000)
            cr_assert_geq(f->duration_us, 66000);
        if (f->track == 1 && f->pts_us < 2 * US_PER_S)
            cr_assert_eq((f->duration_us + 5) / 10, 10667, "five AAC frames");
    }
    take_free(t);
}

Test(source, takes_sound_without_picture, .timeout = 300) {
    struct source_config c = take_config(take_make("a.m4a", SOUND "-c:a aac"));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks_len, 1);
    cr_assert_eq(t->tracks[0].kind, TRACK_AUDIO);
    cr_assert_eq(t->ends[0], 1);
    cr_assert_geq(check_contiguous(t, 0, 0), 2900 * US_PER_MS);
    take_free(t);
}

Test(source, takes_picture_without_sound, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", PICTURE ENCODE));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks_len, 1);
    cr_assert_eq(t->tracks[0].kind, TRACK_VIDEO);
    cr_assert_eq(check_contiguous(t, 0, 0), 3 * US_PER_S);
    take_free(t);
}

Test(source, takes_surround_sound_as_two_channels, .timeout = 300) {
    struct source_config c =
        take_config(take_make("six.wav", "-f lavfi -i anoisesrc=d=1 -ac 6 -ar 96000"));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks[0].channels, 2);
    cr_assert_geq(check_contiguous(t, 0, 0), 990 * US_PER_MS);
    take_free(t);
}

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
    snprintf(expected, sizeof expected, "input '%s': Is a directory", path);
    cr_assert_str_eq(take_refusal(&c, ERR_SYSTEM), expected);
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
    strcpy(path, both("a.mp4"));
    cr_assert_eq(truncate(path, 2000), 0);
    struct source_config c = take_config(path);
    cr_assert_not_null(strstr(take_refusal(&c, ERR_UNSUPPORTED), "moov atom not found"));
}

Test(source, plays_what_there_is_of_a_file_cut_in_its_middle, .timeout = 300) {
    char path[128];
    strcpy(path, both("a.mkv"));
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(truncate(path, info.st_size / 2), 0);
    struct source_config c = take_config(path);
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->ends[0], 1);
    uint64_t first_us = t->fragments[0]->track == 0 ? t->fragments[0]->pts_us : 40 * US_PER_MS;
    uint64_t end_us = check_contiguous(t, 0, first_us);
    cr_assert_gt(end_us, US_PER_S / 2);
    cr_assert_lt(end_us, 3 * US_PER_S);
    take_free(t);
}

Test(source, survives_a_damaged_file, .timeout = 300) {
    char path[128];
    strcpy(path, both("a.ts"));
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
    decoded_frames(take_write(t, 0, "video.mp4"));
    take_free(t);
}

Test(source, loops_a_file_without_a_seam, .timeout = 300) {
    struct source_config c = take_config(both("a.mp4"));
    c.loop = true;
    struct take *t = take_input(&c, 10 * US_PER_S);
    cr_assert_eq(t->state, SOURCE_RUNNING);
    cr_assert_geq(check_contiguous(t, 0, 0), 10 * US_PER_S);
    cr_assert_geq(check_contiguous(t, 1, 0), 10 * US_PER_S);
    cr_assert_gt(decoded_frames(take_write(t, 0, "video.mp4")), 245);
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
    cr_assert_geq(decoded_frames(take_write(t, 0, "video.mp4")), 148);
    take_free(t);
}

Test(source, bridges_timestamps_that_jump_back, .timeout = 300) {
    char text[256];
    both("a.ts");
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
             "for i in $(seq 600); do ffmpeg -nostdin -v quiet -re -i %s -c copy -f mpegts "
             "tcp://127.0.0.1:%d && exit 0; sleep 0.1; done; exit 1",
             take_path("a.ts"), *(int *)opaque);
    return NULL;
}

Test(source, takes_a_live_stream_as_a_listener, .timeout = 300) {
    both("a.ts");
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
    cr_assert_geq(t->stats.frames_encoded, 74);
    take_free(t);
}

Test(source, scales_and_changes_the_frame_rate, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", PICTURE ENCODE));
    c.width = 160;
    c.fps_num = 10;
    c.fps_den = 1;
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert(t->tracks[0].width == 160 && t->tracks[0].height == 90);
    cr_assert(t->tracks[0].fps_num == 10 && t->tracks[0].fps_den == 1);
    uint64_t end_us = check_contiguous(t, 0, 0);
    unsigned frames = decoded_frames(take_write(t, 0, "video.mp4"));
    cr_assert_eq(end_us, frames * 100 * US_PER_MS);
    cr_assert(frames == 30 || frames == 31);
    char text[64];
    take_run(text, sizeof text, "ffprobe -v error -show_entries stream=width,height -of csv=p=0 %s",
             take_path("video.mp4"));
    cr_assert_eq(strncmp(text, "160,90", 6), 0);
    take_free(t);
}

Test(source, fills_up_to_a_higher_frame_rate, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", PICTURE ENCODE));
    c.fps_num = 60;
    c.fps_den = 1;
    struct take *t = take_input(&c, TIME_NEVER);
    uint64_t end_us = check_contiguous(t, 0, 0);
    unsigned frames = decoded_frames(take_write(t, 0, "video.mp4"));
    cr_assert_leq(llabs((long long)(end_us - frames * US_PER_S / 60)), 1);
    cr_assert_geq(frames, 177);
    cr_assert_leq(frames, 180);
    take_free(t);
}

/* The first sample's time of day is that of its release: media time and capture go in step. */
Test(source, paces_a_file_in_real_time, .timeout = 300) {
    struct source_config c = take_config(both("a.mkv"));
    c.pace = true;
    c.lossless = false;
    uint64_t before_us = clock_monotonic_us();
    struct take *t = take_input(&c, TIME_NEVER);
    uint64_t took_us = clock_monotonic_us() - before_us;
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_geq(took_us, 2900 * US_PER_MS, "never faster than real time");
    const struct fragment *first = NULL;
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        if (f->track != 0) continue;
        if (first == NULL) first = f;
        uint64_t media_us = f->pts_us - first->pts_us;
        uint64_t wall_us = f->capture_us - first->capture_us;
        /* Late on a busy machine, but never early; the first may itself have been late. */
        cr_assert_geq(wall_us + PACE_SLACK_US, media_us);
    }
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
    struct source *s = open_pipe(fds, both("a.ts"));
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
    struct source *s = open_pipe(fds, both("a.ts"));
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

Test(source, is_freed_while_it_runs_and_before_it_starts, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.width = 320;
    source_free(take_open(&c));
    struct source *s = take_open(&c);
    cr_assert_eq(source_start(s), 0);
    take_wait(s);
    source_free(s);
    source_free(NULL);
}

Test(source, drops_for_a_caller_that_stalls_and_goes_on_at_a_random_access_point, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.width = 160;
    c.lossless = false;
    struct source *s = take_open(&c);
    cr_assert_eq(source_start(s), 0);
    struct source_stats stats;
    uint64_t deadline_us = clock_monotonic_us() + TAKE_DEADLINE_US;
    do {
        source_stats(s, &stats);
        cr_assert_lt(clock_monotonic_us(), deadline_us);
        usleep(1000);
    } while (stats.fragments_dropped < 1000);

    bool seen[SOURCE_TRACKS_MAX] = {false};
    unsigned fragments = 0;
    while (!seen[0] || !seen[1]) {
        take_wait(s);
        struct fragment *f = source_next(s);
        if (f == NULL) continue;
        if (!seen[f->track]) cr_assert(f->discontinuity && f->random_access);
        seen[f->track] = true;
        fragments++;
        fragment_unref(f);
    }
    cr_assert_leq(fragments, 1000);
    source_free(s);
}

Test(source, drops_frames_at_the_input_of_an_encoder_that_is_too_slow, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.lossless = false; /* and unpaced: frames come far faster than x264 can take them */
    c.preset = "slow";
    struct source *s = take_open(&c);
    cr_assert_eq(source_start(s), 0);
    struct take *t = take_all(s, 2 * US_PER_S);
    cr_assert_gt(t->stats.frames_dropped, 0);
    cr_assert_leq(t->stats.frames_dropped + t->stats.frames_encoded, t->stats.frames_in);
    cr_assert_leq(t->stats.frames_in, t->stats.frames_dropped + t->stats.frames_encoded + 7);
    /* What got through is still a stream: in order, decodable, its first at a random access point.
     */
    cr_assert(t->fragments[0]->random_access);
    decoded_frames(take_write(t, 0, "video.mp4"));
    take_free(t);
}

/* Twice a second's first tenth: the square and the higher tone. */
Test(source, keeps_sound_and_picture_in_step, .timeout = 300) {
    struct source_config c = take_config("test:");
    c.width = 320;
    struct take *t = take_input(&c, 4 * US_PER_S);
    static char pixels[32 * 18 * 256], samples[48000 * 2 * 6];
    take_run(pixels, sizeof pixels,
             "ffmpeg -nostdin -v error -i %s -vf scale=32:18,format=gray -f rawvideo -",
             take_write(t, 0, "video.mp4"));
    take_run(samples, sizeof samples, "ffmpeg -nostdin -v error -i %s -ac 1 -f s16le -",
             take_write(t, 1, "audio.mp4"));
    for (unsigned frame = 1; frame < 110; frame++) {
        bool flash = (uint8_t)pixels[frame * 32 * 18 + 30] > 215;
        cr_assert_eq(flash, frame % 30 < 3, "frame %u", frame);
    }
    /* Zero crossings in 10 ms: 8.8 of the low tone, 17.6 of the high one. Windows that hold the
     * change itself are left out. */
    for (unsigned window = 1; window < 360; window++) {
        unsigned crossings = 0, phase = window % 100;
        const int16_t *at = (const int16_t *)(const void *)samples + (size_t)window * 480;
        for (unsigned i = 1; i < 480; i++) crossings += (at[i - 1] < 0) != (at[i] < 0);
        if (phase == 0 || phase == 9 || phase == 10 || phase == 99) continue;
        cr_assert_eq(crossings > 13, phase < 10, "at %u0 ms: %u", window, crossings);
    }
    take_free(t);
}
