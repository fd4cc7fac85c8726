#include "tests/e2e/recorded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/e2e/stage.h"

#define DECODE_DEADLINE_US (120 * US_PER_S)
#define ARGUMENTS_MAX 40

/* "0, 604, 604, 1, 1382400, 13ea39...": the sixth is the hash; there can be more. */
static bool hash_of(char *line, char *ret) {
    if (line[0] == '#') return false;
    char *rest = line, *field = NULL;
    for (size_t i = 0; i < 6; i++) {
        field = strsep(&rest, ",");
        if (field == NULL) return false;
    }
    field += strspn(field, " ");
    field[strcspn(field, " \n")] = '\0';
    if (strlen(field) != RECORDED_HASH_TEXT - 1) return false;
    memcpy(ret, field, RECORDED_HASH_TEXT);
    return true;
}

static void track_read(struct recorded_track *ret, const char *path) {
    char line[1024];
    FILE *f = fopen(path, "re");
    must(f != NULL, "no %s", path);
    ret->len = 0;
    ret->hashes = calloc(RECORDED_MAX, RECORDED_HASH_TEXT);
    must(ret->hashes != NULL, "out of memory");
    while (ret->len < RECORDED_MAX && fgets(line, sizeof line, f) != NULL)
        if (hash_of(line, ret->hashes[ret->len])) ret->len++;
    fclose(f);
}

static size_t append(const char **argv, size_t n, const char *const *words) {
    for (size_t i = 0; words[i] != NULL; i++) argv[n++] = words[i];
    return n;
}

void recorded_read(struct recorded *ret, const char *path, bool has_video, bool has_audio) {
    char video[PATH_MAX], audio[PATH_MAX];
    stage_file("video.md5", video);
    stage_file("audio.md5", audio);
    const char *argv[ARGUMENTS_MAX] = {0};
    const char *const begin[] = {"ffmpeg", "-v",      "error", "-xerror", "-nostdin",
                                 "-y",     "-copyts", "-i",    path,      NULL};
    const char *const pictures[] = {"-map", "0:v:0",    "-fps_mode", "passthrough",
                                    "-f",   "framemd5", video,       NULL};
    /* Packets as they are, in the same shape from every container; and decoded, for errors. */
    const char *const sound[] = {"-map",          "0:a:0", "-c",       "copy", "-bsf:a",
                                 "aac_adtstoasc", "-f",    "framemd5", audio,  "-map",
                                 "0:a:0",         "-f",    "null",     "-",    NULL};
    size_t n = append(argv, 0, begin);
    if (has_video) n = append(argv, n, pictures);
    if (has_audio) append(argv, n, sound);
    struct process *p = process_start(&(struct process_config){.argv = argv});
    must(p != NULL, "ffmpeg does not run");
    int status = -1, err = process_wait_exit(p, DECODE_DEADLINE_US, &status);
    must(err == 0 && status == 0 && process_output(p, PROCESS_ERR)[0] == '\0',
         "%s does not decode (%d): %s", path, status, process_output(p, PROCESS_ERR));
    process_free(p);
    *ret = (struct recorded){0};
    if (has_video) track_read(&ret->video, video);
    if (has_audio) track_read(&ret->audio, audio);
    must(!has_video || ret->video.len > 0, "%s holds no picture", path);
    must(!has_audio || ret->audio.len > 0, "%s holds no sound", path);
}

void recorded_free(struct recorded *r) {
    free(r->video.hashes);
    free(r->audio.hashes);
    *r = (struct recorded){0};
}

ptrdiff_t recorded_find(const struct recorded_track *part, const struct recorded_track *whole) {
    for (size_t at = 0; at + part->len <= whole->len; at++)
        if (memcmp(whole->hashes[at], part->hashes[0], part->len * RECORDED_HASH_TEXT) == 0)
            return (ptrdiff_t)at;
    return ERR_NOT_FOUND;
}
