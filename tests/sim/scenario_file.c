#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/sim/report.h"
#include "tests/sim/scenario.h"

#define LINE_MAX_BYTES 256
#define LINES_MAX 200
#define PATH_MAX_BYTES 512

/* A file that is being read. */
struct source {
    const char *folder; /* below which tests/sim/scenarios stands */
    char path[PATH_MAX_BYTES];
    unsigned line;
    unsigned depth; /* files that are based on this one */
    bool has_settings;
    char description[sizeof((struct scenario){0}.description)];
    char *why;
    size_t why_size;
};

PRINTF_LIKE(3, 4)
static int refuse(const struct source *at, int err, const char *format, ...) {
    va_list args;
    size_t len = 0;
    if (at->line > 0) len = (size_t)snprintf(at->why, at->why_size, "%s:%u: ", at->path, at->line);
    if (len >= at->why_size) return err;
    va_start(args, format);
    vsnprintf(at->why + len, at->why_size - len, format, args);
    va_end(args);
    return err;
}

static int is_scenario(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

/* `at` is where the name stands: nowhere (line 0), or a line with `base`. */
static int refuse_missing(const struct source *at, const char *name) {
    char path[PATH_MAX_BYTES], names[SCENARIO_WHY_MAX / 2] = "";
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/tests/sim/scenarios", at->folder);
    int n = scandir(path, &entries, is_scenario, alphasort);
    if (n < 0) return refuse(at, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    size_t len = 0;
    for (int i = 0; i < n; i++) {
        int stem = (int)strlen(entries[i]->d_name) - 4;
        if (len < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", i ? ", " : "", stem,
                                    entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return refuse(at, ERR_NOT_FOUND, "'%.60s': no such scenario; there are %s", name, names);
}

static bool is_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len < sizeof((struct scenario){0}.name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int expect(const struct source *at, struct scenario *s, char *text) {
    static const char *const operators[] = {"<=", ">=", "==", "<", ">"};
    char *rest, *figure = strtok_r(text, " \t", &rest), *operator= strtok_r(NULL, " \t", &rest);
    char *value = strtok_r(NULL, " \t", &rest), *end;
    if (value == NULL || strtok_r(NULL, " \t", &rest) != NULL)
        return refuse(at, ERR_FORMAT,
                      "expected expect FIGURE OPERATOR VALUE, as in "
                      "expect lag_ms.p99 <= 450");
    if (!report_has_figure(figure))
        return refuse(at, ERR_UNKNOWN,
                      "'%.60s': no such figure; expected a path as in "
                      "lag_ms.p99 or within_1s (report.def has them)",
                      figure);
    size_t known = 0;
    while (known < ARRAY_LEN(operators) && strcmp(operators[known], operator) != 0) known++;
    if (known == ARRAY_LEN(operators))
        return refuse(at, ERR_FORMAT, "'%.60s': expected <=, >=, ==, < or >", operator);
    double number = strtod(value, &end);
    if (!isdigit((unsigned char)*value) || *end != '\0')
        return refuse(at, ERR_FORMAT, "'%.60s': expected a number of 0 or more", value);
    if (s->expectations_len == SCENARIO_EXPECTATIONS_MAX)
        return refuse(at, ERR_FULL, "more than %d expectations", SCENARIO_EXPECTATIONS_MAX);
    struct scenario_expectation *e = &s->expectations[s->expectations_len++];
    snprintf(e->figure, sizeof e->figure, "%s", figure);
    snprintf(e->operator, sizeof e->operator, "%s", operator);
    e->value = number;
    return 0;
}

static int file_read(const struct source *by, const char *name, struct scenario *s);

static int base(const struct source *at, struct scenario *s, const char *name) {
    if (at->has_settings)
        return refuse(at, ERR_FORMAT, "base %.60s: must stand before everything else", name);
    if (at->depth + 1 > SCENARIO_BASES_MAX)
        return refuse(at, ERR_FULL, "base %.60s: more than %d files, or a circle of them", name,
                      SCENARIO_BASES_MAX);
    int err = file_read(at, name, s);
    s->expectations_len = 0;
    return err;
}

static char *trim(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) len--;
    text[len] = '\0';
    return text;
}

static int line_take(struct source *at, struct scenario *s, char *line) {
    char *comment = strchr(line, '#');
    if (at->line == 1) {
        char *text = comment == line ? trim(line + 1) : "";
        if (*text == '\0' || strlen(text) >= sizeof at->description)
            return refuse(at, ERR_FORMAT,
                          "expected a comment of at most %zu characters that says "
                          "what the scenario is",
                          sizeof at->description - 1);
        strcpy(at->description, text);
    }
    if (comment != NULL) *comment = '\0';
    char *name = trim(line);
    if (*name == '\0') return 0;
    char *value = name + strcspn(name, " \t");
    if (*value != '\0') *value++ = '\0';
    value = trim(value);
    if (*value == '\0') return refuse(at, ERR_FORMAT, "'%.60s': expected NAME VALUE", name);
    if (strcmp(name, "base") == 0) return base(at, s, value);
    at->has_settings = true;
    if (strcmp(name, "expect") == 0) return expect(at, s, value);
    if (strchr(name, '-') != NULL)
        return refuse(at, ERR_UNKNOWN, "'%.60s': names in files have _ for -", name);
    char reason[SCENARIO_WHY_MAX];
    int err = scenario_set(s, name, value, reason, sizeof reason);
    return err ? refuse(at, err, "%s", reason) : 0;
}

static int lines_take(struct source *at, FILE *file, struct scenario *s) {
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(line);
        if (++at->line > LINES_MAX) return refuse(at, ERR_FULL, "more than %d lines", LINES_MAX);
        if (len + 1 == sizeof line && line[len - 1] != '\n')
            return refuse(at, ERR_FORMAT, "more than %d characters in a line", LINE_MAX_BYTES - 2);
        int err = line_take(at, s, line);
        if (err) return err;
    }
    if (ferror(file)) return refuse(at, ERR_SYSTEM, "cannot be read: %s", strerror(errno));
    if (at->line > 0) return 0;
    at->line = 1;
    return refuse(at, ERR_TRUNCATED, "empty: expected a comment that says what the scenario is");
}

static int file_read(const struct source *by, const char *name, struct scenario *s) {
    struct source at = {.folder = by->folder, .why = by->why, .why_size = by->why_size};
    if (!is_name(name)) return refuse_missing(by, name);
    at.depth = by->depth + 1;
    int len = snprintf(at.path, sizeof at.path, "%s/tests/sim/scenarios/%s.txt", by->folder, name);
    if (len < 0 || (size_t)len >= sizeof at.path)
        return refuse(by, ERR_RANGE, "'%.60s...': the folder's path is too long", by->folder);
    FILE *file = fopen(at.path, "re");
    if (file == NULL && errno == ENOENT) return refuse_missing(by, name);
    if (file == NULL) return refuse(by, ERR_SYSTEM, "%s: %s", at.path, strerror(errno));
    int err = lines_take(&at, file, s);
    fclose(file); /* only read */
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->description, sizeof s->description, "%s", at.description);
    return err;
}

int scenario_load(const char *folder, const char *name, struct scenario *ret, char *ret_why,
                  size_t why_size) {
    struct source nowhere = {.folder = folder, .why = ret_why, .why_size = why_size};
    struct scenario s = scenario_default();
    int err = file_read(&nowhere, name, &s);
    if (err) return err;
    char reason[SCENARIO_WHY_MAX];
    err = scenario_check(&s, reason, sizeof reason);
    if (err)
        return refuse(&nowhere, err, "%s/tests/sim/scenarios/%s.txt: %s", folder, name, reason);
    *ret = s;
    return 0;
}
