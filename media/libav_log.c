#include "media/libav_log.h"

#include <libavutil/error.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_line[LIBAV_LINE_MAX];

/* Without the line's end, and without what a terminal would obey. */
static void tidy(char *line) {
    size_t len = strlen(line);
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == ' ')) line[--len] = '\0';
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
}

static void keep(void *object, int level, const char *format, va_list args) {
    (void)object;
    if (level > AV_LOG_ERROR) return;
    char line[LIBAV_LINE_MAX];
    vsnprintf(line, sizeof line, format, args);
    tidy(line);
    if (line[0] != '\0') memcpy(last_line, line, sizeof line);
}

static void take_over(void) { av_log_set_callback(keep); }

void libav_log_capture(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, take_over);
}

void libav_log_clear(void) { last_line[0] = '\0'; }

bool libav_log_has_line(void) { return last_line[0] != '\0'; }

const char *libav_error_text(int err, char *ret) {
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_make_error_string(text, sizeof text, err);
    if (last_line[0] == '\0' || strstr(last_line, text) != NULL)
        snprintf(ret, LIBAV_TEXT_MAX, "%s", text);
    else
        snprintf(ret, LIBAV_TEXT_MAX, "%s (%s)", text, last_line);
    return ret;
}
