#include "cli/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/xdg.h"
#include "core/base/err.h"

struct config_line {
    const char *path;
    unsigned number;
    char *message;
};

PRINTF_LIKE(2, 3) static int refuse(const struct config_line *at, const char *format, ...) {
    va_list args;
    int len = snprintf(at->message, OPTIONS_MESSAGE_MAX, "%.200s:%u: ", at->path, at->number);
    va_start(args, format);
    vsnprintf(at->message + len, OPTIONS_MESSAGE_MAX - (size_t)len, format, args);
    va_end(args);
    return ERR_ARGUMENT;
}

static char *trim(char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) len--;
    text[len] = '\0';
    return text;
}

static char *unquote(char *text) {
    size_t len = strlen(text);
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') return text;
    text[len - 1] = '\0';
    return text + 1;
}

static int name_refuse(const struct config_line *at, const char *name) {
    struct nearest nearest = nearest_init(name);
    for (size_t i = 0; i < OPTION_COUNT; i++) nearest_offer(&nearest, option_table[i].name);
    if (nearest.name == NULL) return refuse(at, "'%.60s': no such option", name);
    return refuse(at, "'%.60s': no such option; did you mean %s?", name, nearest.name);
}

static int line_take(struct options *options, const struct config_line *at, char *line) {
    char *name = trim(line);
    if (name[0] == '\0' || name[0] == '#') return 0;
    char *equals = strchr(name, '=');
    if (equals == NULL) return refuse(at, "'%.60s': expected name = value", name);
    *equals = '\0';
    name = trim(name);
    const struct option *option = option_find(name);
    if (option == NULL) return name_refuse(at, name);
    if (option == &option_table[OPTION_config]) return refuse(at, "%s: not in a config file", name);
    if (!(option->commands & 1u << options->command->id)) return 0;
    char origin[OPTIONS_MESSAGE_MAX];
    snprintf(origin, sizeof origin, "%.160s:%u: %s", at->path, at->number, name);
    return options_set(options, option, unquote(trim(equals + 1)), PLACE_CONFIG, origin,
                       at->message);
}

static int lines_take(struct options *options, struct config_line *at, FILE *file) {
    char line[CONFIG_LINE_MAX];
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(line);
        if (++at->number > CONFIG_LINES_MAX)
            return refuse(at, "more than %d lines", CONFIG_LINES_MAX);
        if (len + 1 == sizeof line && line[len - 1] != '\n')
            return refuse(at, "'%.60s...': the line is too long", line);
        int err = line_take(options, at, line);
        if (err) return err;
    }
    if (!ferror(file)) return 0;
    snprintf(at->message, OPTIONS_MESSAGE_MAX, "%.200s: cannot be read: %s", at->path,
             strerror(errno));
    return ERR_SYSTEM;
}

int config_file_read(struct options *options, const char *path, char *message) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int err = errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
        snprintf(message, OPTIONS_MESSAGE_MAX, "%.200s: cannot open the config file: %s", path,
                 strerror(errno));
        return err;
    }
    struct config_line at = {path, 0, message};
    int err = lines_take(options, &at, file);
    fclose(file); /* only read */
    return err;
}

int config_file_read_default(struct options *options, char *message) {
    char path[PATH_MAX];
    /* Without a home there is no such file either. */
    if (xdg_path(XDG_CONFIG, "config", path) != 0) return 0;
    int err = config_file_read(options, path, message);
    return err == ERR_NOT_FOUND ? 0 : err;
}
