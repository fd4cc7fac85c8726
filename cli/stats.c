#include "cli/stats.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/json_quote.h"
#include "core/base/err.h"

#define PROC_FILE_MAX 4096

/* One field of the table, with its value at hand. */
struct field {
    enum { FIELD_NUMBER, FIELD_MAYBE, FIELD_TEXT } kind;
    const char *group; /* "top": none */
    const char *name;
    uint64_t number;
    const char *text;
};

/* Where the line grows. The buffer is large enough for the longest one. */
struct line {
    char *text;
    size_t len;
};

PRINTF_LIKE(2, 3) static void put(struct line *line, const char *format, ...) {
    va_list args;
    size_t room = STATS_LINE_MAX - line->len;
    va_start(args, format);
    int len = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < room);
    line->len += (size_t)len;
}

static void put_text(struct line *line, const char *text) {
    char cut[STATS_TEXT_MAX + 1], quoted[JSON_QUOTE_MAX(STATS_TEXT_MAX)];
    snprintf(cut, sizeof cut, "%s", text);
    json_quote(cut, quoted, sizeof quoted);
    put(line, "%s", quoted);
}

static void put_value(struct line *line, const struct field *field) {
    if (field->kind == FIELD_TEXT && field->text != NULL)
        put_text(line, field->text);
    else if (field->kind == FIELD_TEXT ||
             (field->kind == FIELD_MAYBE && field->number == STATS_NONE))
        put(line, "null");
    else
        put(line, "%llu", (unsigned long long)field->number);
}

/* `open` is the group whose object is open: fields of a group stand together in the table. */
static void put_field(struct line *line, const char **open, const struct field *field) {
    bool is_same = strcmp(*open, field->group) == 0;
    if (!is_same && strcmp(*open, "top") != 0) put(line, "}");
    bool is_first = line->text[line->len - 1] == '{';
    if (!is_first) put(line, ",");
    if (!is_same && strcmp(field->group, "top") != 0) put(line, "\"%s\":{", field->group);
    *open = field->group;
    put(line, "\"%s\":", field->name);
    put_value(line, field);
}

/* The member of a group, or of the struct itself. */
#define MEMBER_top(name) stats->name
#define MEMBER_lag_us(name) stats->lag_us.name
#define MEMBER_chunks(name) stats->chunks.name
#define MEMBER_bytes(name) stats->bytes.name
#define MEMBER_datagrams(name) stats->datagrams.name
#define FIELD_OF_NUMBER(group, name)                                                               \
    { FIELD_NUMBER, #group, #name, MEMBER_##group(name), NULL }
#define FIELD_OF_MAYBE(group, name)                                                                \
    { FIELD_MAYBE, #group, #name, MEMBER_##group(name), NULL }
#define FIELD_OF_TEXT(group, name)                                                                 \
    { FIELD_TEXT, #group, #name, 0, MEMBER_##group(name) }

size_t stats_format(const struct stats *stats, char *ret) {
    const struct field fields[] = {
#define STAT(kind, group, name, help) FIELD_OF_##kind(group, name),
#include "cli/stats.def"
#undef STAT
    };
    struct line line = {ret, 0};
    const char *open = "top";
    put(&line, "{");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) put_field(&line, &open, &fields[i]);
    put(&line, strcmp(open, "top") == 0 ? "}\n" : "}}\n");
    return line.len;
}

/* Prometheus' text format, version 0.0.4. Texts have no place in it. */
static bool put_metric(const struct field *field, const char *help, char *ret, size_t size,
                       size_t *len) {
    if (field->kind == FIELD_TEXT || (field->kind == FIELD_MAYBE && field->number == STATS_NONE))
        return true;
    bool is_top = strcmp(field->group, "top") == 0;
    int n = snprintf(ret + *len, size - *len, "# HELP shoal_%s%s%s %s\nshoal_%s%s%s %llu\n",
                     is_top ? "" : field->group, is_top ? "" : "_", field->name, help,
                     is_top ? "" : field->group, is_top ? "" : "_", field->name,
                     (unsigned long long)field->number);
    if (n < 0 || (size_t)n >= size - *len) return false;
    *len += (size_t)n;
    return true;
}

int stats_metrics(const struct stats *stats, char *ret, size_t size) {
    const struct {
        struct field field;
        const char *help;
    } rows[] = {
#define STAT(kind, group, name, help) {FIELD_OF_##kind(group, name), help},
#include "cli/stats.def"
#undef STAT
    };
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!put_metric(&rows[i].field, rows[i].help, ret, size, &len)) return ERR_FULL;
    return (int)len;
}

#define INIT_NUMBER(group, name)
#define INIT_MAYBE(group, name) MEMBER_##group(name) = STATS_NONE;
#define INIT_TEXT(group, name)

void stats_init(struct stats *stats) {
    memset(stats, 0, sizeof *stats);
#define STAT(kind, group, name, help) INIT_##kind(group, name)
#include "cli/stats.def"
#undef STAT
}

static uint64_t clock_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

/* The text of a small file of /proc; empty where there is none. */
static const char *proc_read(const char *path, char *ret) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, PROC_FILE_MAX - 1);
    if (fd >= 0) close(fd);
    ret[n < 0 ? 0 : n] = '\0';
    return ret;
}

/* proc(5): field 22 is the start in clock ticks after boot; the second one may hold anything up to
 * the last parenthesis. 0 where it is not known. */
static uint64_t start_ticks(void) {
    char text[PROC_FILE_MAX];
    char *at = strrchr(proc_read("/proc/self/stat", text), ')');
    for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

uint64_t stats_process_start_us(void) {
    static uint64_t start_us; /* asked once: every time counts from the same moment */
    if (start_us != 0) return start_us;
    uint64_t ticks = start_ticks();
    long ticks_per_s = sysconf(_SC_CLK_TCK);
    uint64_t boot_us = clock_us(CLOCK_BOOTTIME), now_us = clock_us(CLOCK_MONOTONIC);
    start_us = now_us;
    if (ticks == 0 || ticks_per_s <= 0) return start_us;
    uint64_t age_us = u64_sub(boot_us, ticks * (US_PER_S / (uint64_t)ticks_per_s));
    start_us = u64_sub(now_us, age_us);
    return start_us;
}

/* "VmRSS:      5120 kB" in bytes. */
static uint64_t status_bytes(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

static uint64_t timeval_us(const struct timeval *t) {
    return (uint64_t)t->tv_sec * US_PER_S + (uint64_t)t->tv_usec;
}

void stats_fill_process(struct stats *stats) {
    char text[PROC_FILE_MAX];
    struct rusage usage;
    proc_read("/proc/self/status", text);
    stats->rss_bytes = status_bytes(text, "\nVmRSS:");
    stats->rss_anon_bytes = status_bytes(text, "\nRssAnon:");
    stats->t_us = clock_us(CLOCK_REALTIME);
    stats->uptime_us = u64_sub(clock_us(CLOCK_MONOTONIC), stats_process_start_us());
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        stats->cpu_us = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime);
}

int stats_open(const char *path, char *message) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) return fd;
    snprintf(message, STATS_MESSAGE_MAX, "%.300s: cannot be written: %s", path, strerror(errno));
    return ERR_SYSTEM;
}

int stats_append(int fd, struct stats *stats) {
    char line[STATS_LINE_MAX];
    stats_fill_process(stats);
    size_t len = stats_format(stats, line);
    ssize_t n;
    do n = write(fd, line, len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len) return 0;
    if (n >= 0) errno = ENOSPC; /* half a line: the disk is full */
    return ERR_SYSTEM;
}
