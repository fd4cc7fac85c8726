/* test_media.h - a short broadcast, made in memory with libavformat: H.264 and AAC as CMAF
 * fragments, in the order in which a source publishes them. No file and no clock is involved. */
#ifndef TEST_MEDIA_H
#define TEST_MEDIA_H

#include "core/proto/fragment.h"
#include "core/proto/manifest.h"

#define TEST_MEDIA_FRAGMENTS_MAX 4096

struct test_media_config {
    bool no_video, no_audio;
    unsigned frames;        /* of video (or as long an audio); 0: 75 */
    unsigned fps;           /* 0: 25 */
    unsigned keyint;        /* frames; 0: 25 */
    unsigned bframes;       /* between reference frames */
    uint16_t width, height; /* 0: 320x180 */
    uint64_t start_us;      /* media time of the first frame */
    unsigned shade;         /* changes the picture, so that two broadcasts can be told apart */
};

struct test_media {
    struct track tracks[2];
    size_t tracks_len;
    size_t len;
    struct fragment *fragments[TEST_MEDIA_FRAGMENTS_MAX];
};

/* Never NULL: a failure of the encoder ends the test program. */
struct test_media *test_media_new(const struct test_media_config *config);
void test_media_free(struct test_media *m);

/* The initialisation segment and all fragments of a kind, as a file that any player takes. */
void test_media_write_file(const struct test_media *m, enum track_kind kind, const char *path);
/* Index of the first fragment of the kind at or behind `from` that satisfies `random_access`;
 * `m->len` where there is none. */
size_t test_media_find(const struct test_media *m, enum track_kind kind, size_t from,
                       bool random_access);

#endif
