#include "tests/unit/media_source/take.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "media/interrupt.h"

static char folder[64];

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) fprintf(stderr, "%s is left behind\n", folder);
}

const char *take_path(const char *name) {
    static char paths[4][128];
    static unsigned next;
    if (folder[0] == '\0') { /* each test is a process of its own */
        strcpy(folder, "/tmp/shoal-source-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
        atexit(remove_folder);
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void take_run(char *ret, size_t size, const char *format, ...) {
    char command[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    FILE *f = popen(command, "r");
    cr_assert_not_null(f);
    size_t len = fread(ret, 1, size - 1, f);
    ret[len] = '\0';
    char rest[4096];
    while (fread(rest, 1, sizeof rest, f) > 0) {
    }
    cr_assert_eq(pclose(f), 0, "%s: %s", command, ret);
}

const char *take_make(const char *name, const char *arguments) {
    const char *path = take_path(name);
    char text[1024];
    take_run(text, sizeof text, "ffmpeg -nostdin -v error -y %s %s 2>&1", arguments, path);
    cr_assert_str_empty(text);
    return path;
}

struct source_config take_config(const char *input) {
    struct source_config c = source_config_default();
    c.input = input;
    c.pace = false;
    c.lossless = true;
    c.preset = "ultrafast";
    c.video_bitrate_bps = 400000;
    return c;
}

struct source *take_open(const struct source_config *config) {
    char why[SOURCE_WHY_MAX] = "";
    struct source *s = NULL;
    cr_assert_eq(source_open(&s, config, why, sizeof why), 0, "%s", why);
    return s;
}

void take_wait(struct source *s) {
    struct pollfd p = {.fd = source_fd(s), .events = POLLIN};
    cr_assert_eq(poll(&p, 1, (int)(TAKE_DEADLINE_US / US_PER_MS)), 1, "nothing came");
}

static bool is_far(const uint64_t *far_us, size_t n, uint64_t until_us) {
    for (size_t i = 0; i < n; i++)
        if (far_us[i] < until_us) return false;
    return true;
}

struct take *take_all(struct source *s, uint64_t until_us) {
    struct take *t = calloc(1, sizeof *t);
    cr_assert_not_null(t);
    memcpy(t->tracks, source_tracks(s, &t->tracks_len), sizeof t->tracks);
    uint64_t far_us[SOURCE_TRACKS_MAX] = {0};
    while (t->state == SOURCE_RUNNING && !is_far(far_us, t->tracks_len, until_us)) {
        take_wait(s);
        struct fragment *f;
        while ((f = source_next(s)) != NULL) {
            far_us[f->track] = f->pts_us + f->duration_us;
            cr_assert_lt(t->len, (size_t)TAKE_FRAGMENTS_MAX);
            if (!f->end) {
                t->fragments[t->len++] = f;
                continue;
            }
            t->ends[f->track]++;
            cr_assert_eq(f->len, 0);
            fragment_unref(f);
        }
        const char *why;
        t->state = source_state(s, &why);
        if (why != NULL) snprintf(t->why, sizeof t->why, "%s", why);
    }
    source_stats(s, &t->stats);
    source_free(s);
    return t;
}

struct take *take_input(const struct source_config *config, uint64_t until_us) {
    struct source *s = take_open(config);
    cr_assert_eq(source_start(s), 0);
    return take_all(s, until_us);
}

void take_free(struct take *t) {
    for (size_t i = 0; i < t->len; i++) fragment_unref(t->fragments[i]);
    free(t);
}

uint8_t take_track(const struct take *t, enum track_kind kind) {
    for (size_t i = 0; i < t->tracks_len; i++)
        if (t->tracks[i].kind == kind) return (uint8_t)i;
    cr_assert_fail("no track of kind %d", kind);
    return 0;
}

const char *take_write(const struct take *t, uint8_t track, const char *name) {
    const char *path = take_path(name);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fwrite(t->tracks[track].init, 1, t->tracks[track].init_len, f);
    for (size_t i = 0; i < t->len; i++)
        if (t->fragments[i]->track == track)
            fwrite(t->fragments[i]->data, 1, t->fragments[i]->len, f);
    cr_assert_eq(fclose(f), 0);
    return path;
}

uint64_t take_payload(const struct take *t, uint8_t track) {
    uint64_t sum = 0;
    for (size_t i = 0; i < t->len; i++) {
        const struct fragment *f = t->fragments[i];
        if (f->track != track) continue;
        uint32_t moof = load_u32(f->data); /* the first box; the mdat is all the rest */
        cr_assert_arr_eq(f->data + 4, "moof", 4);
        cr_assert_arr_eq(f->data + moof + 4, "mdat", 4);
        cr_assert_eq(moof + load_u32(f->data + moof), f->len);
        sum += f->len - moof - 8;
    }
    return sum;
}

const char *take_refusal(const struct source_config *config, int err) {
    static char why[SOURCE_WHY_MAX];
    struct source *s = NULL;
    int got = source_open(&s, config, why, sizeof why);
    cr_assert_eq(got, err, "%d: %s", got, why);
    cr_assert_null(s);
    cr_assert_null(strchr(why, '\n'), "one line: %s", why);
    return why;
}

uint64_t take_contiguous(const struct take *t, uint8_t track, uint64_t start_us) {
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

unsigned take_decode(const char *path) {
    char text[512];
    take_run(text, sizeof text, "ffmpeg -nostdin -v error -xerror -i %s -f null - 2>&1", path);
    cr_assert_str_empty(text, "%s", text);
    take_run(text, sizeof text,
             "ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 %s",
             path);
    return (unsigned)atoi(text);
}
