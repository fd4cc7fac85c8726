#include "tests/unit/media_sink/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUT_MAX (4 << 20)

static void must(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "probe: %s\n", what);
    abort();
}

const char *probe_directory(void) {
    static char path[64];
    if (path[0] != '\0') return path;
    snprintf(path, sizeof path, "/tmp/shoal-sink-%ld-XXXXXX", (long)getpid());
    must(mkdtemp(path) != NULL, "no temporary directory");
    return path;
}

const char *probe_path(const char *name) {
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", probe_directory(), name);
    return path;
}

void probe_clean(void) {
    char *said = probe_run("rm -rf %s", probe_directory());
    free(said);
}

char *probe_run(const char *format, ...) {
    char command[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    must(n > 0 && (size_t)n < sizeof command, "command too long");
    FILE *in = popen(command, "r");
    char *text = malloc(OUTPUT_MAX);
    must(in != NULL && text != NULL, command);
    size_t len = fread(text, 1, OUTPUT_MAX - 1, in);
    text[len] = '\0';
    pclose(in);
    return text;
}

char *probe_frame_hashes(const char *path, const char *stream) {
    return probe_run("ffmpeg -v error -nostdin -i %s -map 0:%s -f framehash -hash md5 - "
                     "</dev/null 2>&1 | grep -v '^#' | awk '{print $NF}'",
                     path, stream);
}

size_t probe_count_lines(const char *text) {
    size_t n = 0;
    for (; *text != '\0'; text++) n += *text == '\n';
    return n;
}

char *probe_complaints(const char *path) {
    /* Times as they stand in the file: not moved to a grid of frames, and a gap of more than 10 s
     * not taken for a break. */
    return probe_run("ffmpeg -v error -nostdin -xerror -dts_delta_threshold 100000 -i %s "
                     "-fps_mode passthrough -f null - </dev/null 2>&1",
                     path);
}

size_t probe_dts(const char *path, const char *stream, double *ret, size_t max) {
    char *text = probe_run("ffprobe -v error -select_streams %s -show_entries packet=dts_time "
                           "-of csv=p=0 %s </dev/null",
                           stream, path);
    size_t n = 0;
    char *rest = text;
    for (char *line; n < max && (line = strsep(&rest, "\n")) != NULL;)
        if (*line >= '0' && *line <= '9') ret[n++] = strtod(line, NULL);
    free(text);
    return n;
}

bool probe_is_growing(const double *times, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (times[i] <= times[i - 1]) return false;
    return true;
}
