/* libav_log.h - FFmpeg's libraries say nothing on standard error; their last error line is kept.
 *
 * The line is kept for each thread on its own, so that two sources cannot mix theirs up. */
#ifndef LIBAV_LOG_H
#define LIBAV_LOG_H

#include <stdbool.h>

#include "core/base/base.h"

#define LIBAV_LINE_MAX 200

/* Takes over av_log for the whole program; any number of times, from any thread. */
void libav_log_capture(void);
/* The calling thread forgets its line. */
void libav_log_clear(void);
bool libav_log_has_line(void);

/* One line for the libav error `err`: its text and, where the calling thread has one since the last
 * libav_log_clear, the library's own line in brackets. Fills LIBAV_TEXT_MAX bytes, returns `ret`.
 */
#define LIBAV_TEXT_MAX (LIBAV_LINE_MAX + 80)
const char *libav_error_text(int err, char *ret);

#endif
