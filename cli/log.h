/* log.h - what the program tells on standard error: lines "level area: text key=value", what went
 * wrong as "shoal: text", and one status line.
 *
 * On a terminal the status line stands at the bottom and is written over in place; elsewhere it is
 * a line at most once a minute. A line that one place in the code writes again and again is written
 * LOG_BURST times in LOG_WINDOW_US and then counted; errors and TRACE are always written. Control
 * characters, which could come from a peer, are shown as "?". Safe to use from any thread.
 *
 * A viewer can read INFO; what happens to single peers is DEBUG, each decision about one TRACE.
 * Never a secret key, and never a full address at INFO or above. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/base.h"

#define LOG_LINE_MAX 1000 /* longer ones are cut */
#define LOG_BURST 5
#define LOG_WINDOW_US (10 * US_PER_S)
#define LOG_STATUS_EVERY_US (60 * US_PER_S) /* where there is no terminal */

/* In the order of the words of --log. */
enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
    LOG_TRACE,
};

struct log_config {
    enum log_level level; /* the least important that is written */
    FILE *to;
    bool is_terminal;
    uint64_t (*now_us)(void); /* of a monotonic clock; NULL: the system's */
};

/* Without it, INFO and above go to standard error. */
void log_start(const struct log_config *config);
/* The level of a program's --log, on standard error, whatever that is. */
void log_start_stderr(enum log_level level);
bool log_is_on(enum log_level level);

/* One line without a newline. `format` also says which place in the code it is. */
PRINTF_LIKE(3, 4) void log_line(enum log_level level, const char *area, const char *format, ...);
/* What the program cannot do, for a person: it names the thing and what would be right. */
#define log_error(...) log_line(LOG_ERROR, "shoal", __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_line(LOG_TRACE, __VA_ARGS__)

/* How it goes, in one line. */
PRINTF_LIKE(1, 2) void log_status(const char *format, ...);
/* Leaves the last status where it is: before the program ends, or writes to the terminal itself. */
void log_status_end(void);

#endif
