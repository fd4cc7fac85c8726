#include "media/h264_sps.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "media/cmaf_reader.h"
#include "tests/lib/test_media.h"

static struct cmaf_track read_video(unsigned bframes) {
    struct test_media *m = test_media_new(
        &(struct test_media_config){.frames = 8, .bframes = bframes, .no_audio = true});
    struct cmaf_track t;
    cr_assert_eq(cmaf_read_init(m->tracks[0].init, m->tracks[0].init_len, &t), 0);
    test_media_free(m);
    return t;
}

Test(h264_sps, without_reordering_no_frame_is_held_back) {
    struct cmaf_track t = read_video(0);
    cr_expect_eq(h264_reorder_frames(t.config, t.config_len), 0);
}

Test(h264_sps, reordering_is_read_from_behind_the_timing) {
    struct cmaf_track t = read_video(2);
    cr_expect_eq(h264_reorder_frames(t.config, t.config_len), 2);
}

Test(h264_sps, a_stream_that_does_not_say_holds_back_no_more_than_it_refers_to) {
    /* Main profile, level 3; 1111: numbered 0, counts of 4 bits, order by count; 00100: 3 reference
     * frames; 0 1 1: 16 by 16 pixels; 1 1 0: frames, direct inference, no cropping; 0: no VUI. */
    static const uint8_t avcc[] = {1,    77, 0, 30, 0xff, 0xe1, 0,   7,
                                   0x67, 77, 0, 30, 0xf2, 0x3c, 0x80};
    cr_expect_eq(h264_reorder_frames(avcc, sizeof avcc), 3);
}

Test(h264_sps, a_configuration_cut_anywhere_is_refused_or_read_inside_its_bounds) {
    struct cmaf_track t = read_video(2);
    size_t sps_end = 8 + ((size_t)t.config[6] << 8 | t.config[7]);
    for (size_t len = 0; len < sps_end; len++) {
        uint8_t *cut = malloc(len > 0 ? len : 1);
        cr_assert_not_null(cut);
        memcpy(cut, t.config, len);
        cr_expect_lt(h264_reorder_frames(cut, len), 0, "%zu bytes", len);
        free(cut);
    }
}

Test(h264_sps, no_bit_that_flips_gives_more_than_the_maximum) {
    struct cmaf_track t = read_video(2);
    for (size_t bit = 0; bit < 8u * t.config_len; bit++) {
        t.config[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_expect_leq(h264_reorder_frames(t.config, t.config_len), H264_REORDER_MAX);
        t.config[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(h264_sps, a_configuration_without_a_parameter_set_is_refused) {
    static const uint8_t avcc[] = {1, 77, 0, 30, 0xff, 0xe0, 0};
    cr_expect_lt(h264_reorder_frames(avcc, sizeof avcc), 0);
}
