#include "media/source.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "media/interrupt.h"
#include "media/pace_clock.h"
#include "tests/unit/media_source/take.h"

/* The decode time within the fragment says what the fragment says; at 30 fps, 15,360 units a
 * second. */
static void check_decode_time(const struct fragment *f, uint8_t track) {
    const uint8_t *tfdt = memmem(f->data, f->len, "tfdt", 4);
    cr_assert_not_null(tfdt);
    uint64_t time = (uint64_t)load_u32(tfdt + 8) << 32 | load_u32(tfdt + 12);
    uint64_t us = time * US_PER_S / (track == 0 ? 15360 : 48000);
    cr_assert_leq(llabs((long long)(us - f->pts_us)), 1, "%llu, %llu", (unsigned long long)us,
                  (unsigned long long)f->pts_us);
}

static void check_rate(unsigned width, unsigned height, uint32_t bitrate_bps) {
    struct source_config c = take_config("test:");
    c.width = width;
    c.height = height;
    c.video_bitrate_bps = bitrate_bps;
    c.preset = "veryfast";
    struct take *t = take_input(&c, 10 * US_PER_S);
    uint8_t video = take_track(t, TRACK_VIDEO);
    uint64_t end_us = take_contiguous(t, video, 0);
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
    struct source_config c = take_config(take_make("a.mkv", TAKE_BOTH));
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
    uint64_t video_end_us = take_contiguous(t, 0, first_us);
    uint64_t audio_end_us = take_contiguous(t, 1, 0);
    cr_assert_eq(video_end_us - first_us, 3 * US_PER_S);
    cr_assert_geq(audio_end_us, 2900 * US_PER_MS);
    cr_assert_leq(audio_end_us, 3200 * US_PER_MS);

    cr_assert_eq(take_decode(take_write(t, 0, "video.mp4")), 75);
    unsigned sounds = take_decode(take_write(t, 1, "audio.mp4"));
    cr_assert_eq(sounds, (audio_end_us * 48 + 512000) / 1024000);
    take_free(t);
}

Test(source, describes_its_tracks, .timeout = 60) {
    struct source_config c = take_config(take_make("a.mkv", TAKE_BOTH));
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
    struct source_config c = take_config(take_make("a.m4a", TAKE_SOUND "-c:a aac"));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks_len, 1);
    cr_assert_eq(t->tracks[0].kind, TRACK_AUDIO);
    cr_assert_eq(t->ends[0], 1);
    cr_assert_geq(take_contiguous(t, 0, 0), 2900 * US_PER_MS);
    take_free(t);
}

Test(source, takes_picture_without_sound, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", TAKE_PICTURE TAKE_ENCODE));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks_len, 1);
    cr_assert_eq(t->tracks[0].kind, TRACK_VIDEO);
    cr_assert_eq(take_contiguous(t, 0, 0), 3 * US_PER_S);
    take_free(t);
}

Test(source, takes_surround_sound_as_two_channels, .timeout = 300) {
    struct source_config c =
        take_config(take_make("six.wav", "-f lavfi -i anoisesrc=d=1 -ac 6 -ar 96000"));
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert_eq(t->state, SOURCE_ENDED);
    cr_assert_eq(t->tracks[0].channels, 2);
    cr_assert_geq(take_contiguous(t, 0, 0), 990 * US_PER_MS);
    take_free(t);
}

Test(source, scales_and_changes_the_frame_rate, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", TAKE_PICTURE TAKE_ENCODE));
    c.width = 160;
    c.fps_num = 10;
    c.fps_den = 1;
    struct take *t = take_input(&c, TIME_NEVER);
    cr_assert(t->tracks[0].width == 160 && t->tracks[0].height == 90);
    cr_assert(t->tracks[0].fps_num == 10 && t->tracks[0].fps_den == 1);
    uint64_t end_us = take_contiguous(t, 0, 0);
    unsigned frames = take_decode(take_write(t, 0, "video.mp4"));
    cr_assert_eq(end_us, frames * 100 * US_PER_MS);
    cr_assert(frames == 30 || frames == 31);
    char text[64];
    take_run(text, sizeof text, "ffprobe -v error -show_entries stream=width,height -of csv=p=0 %s",
             take_path("video.mp4"));
    cr_assert_eq(strncmp(text, "160,90", 6), 0);
    take_free(t);
}

Test(source, fills_up_to_a_higher_frame_rate, .timeout = 300) {
    struct source_config c = take_config(take_make("v.mp4", TAKE_PICTURE TAKE_ENCODE));
    c.fps_num = 60;
    c.fps_den = 1;
    struct take *t = take_input(&c, TIME_NEVER);
    uint64_t end_us = take_contiguous(t, 0, 0);
    unsigned frames = take_decode(take_write(t, 0, "video.mp4"));
    cr_assert_leq(llabs((long long)(end_us - frames * US_PER_S / 60)), 1);
    cr_assert_geq(frames, 177);
    cr_assert_leq(frames, 180);
    take_free(t);
}

/* The first sample's time of day is that of its release: media time and capture go in step. */
Test(source, paces_a_file_in_real_time, .timeout = 300) {
    struct source_config c = take_config(take_make("a.mkv", TAKE_BOTH));
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
        cr_assert_geq(wall_us + PACE_LATE_MAX_US, media_us);
    }
    take_free(t);
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
    for (size_t i = 0; i < t->len; i++) check_decode_time(t->fragments[i], t->fragments[i]->track);
    take_decode(take_write(t, 0, "video.mp4"));
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
