#include "cli/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command_line.h"
#include "cli/config_file.h"
#include "core/base/err.h"

#define VALUE_SHOWN_MAX 80 /* of a value that is wrong */

const struct option option_table[OPTION_COUNT] = {
#define OPTION(kind, field, name, short_name, argument, fallback, least, most, commands, help)     \
    [OPTION_##                                                                                     \
        field] = {name,  short_name, KIND_##kind, argument, fallback,                              \
                  least, most,       commands,    help,     offsetof(struct options, field)},
#include "cli/options.def"
#undef OPTION
};

static void *option_value(struct options *options, const struct option *option) {
    return (char *)options + option->offset;
}

static enum option_id option_id(const struct option *option) {
    return (enum option_id)(option - option_table);
}

const struct option *option_find(const char *name) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(option_table[i].name, name) == 0) return &option_table[i];
    return NULL;
}

bool options_has(const struct options *options, enum option_id id) {
    return options->place[id] != PLACE_DEFAULT || option_table[id].fallback != NULL;
}

const char *option_variable(const struct option *option, char *ret) {
    int len = snprintf(ret, OPTION_VARIABLE_MAX, "SHOAL_%s", option->name);
    assert(len < OPTION_VARIABLE_MAX);
    for (char *c = ret; *c != '\0'; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return ret;
}

int options_set(struct options *options, const struct option *option, const char *text,
                enum option_place place, const char *origin, char *message) {
    enum option_place *at = &options->place[option_id(option)];
    assert(place >= *at);
    if (place > *at && option->kind == KIND_HOSTS)
        option_value_clear(option, option_value(options, option));
    int err = option_value_parse(option, text, option_value(options, option));
    if (!err) {
        *at = place;
        return 0;
    }
    char expected[VALUE_EXPECTED_MAX];
    snprintf(message, OPTIONS_MESSAGE_MAX, "%.200s '%.*s': expected %s", origin, VALUE_SHOWN_MAX,
             text, err == ERR_MEMORY ? err_text(err) : option_value_expected(option, expected));
    return err == ERR_MEMORY ? err : ERR_ARGUMENT;
}

static void defaults_set(struct options *options) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        if (option->fallback == NULL) continue;
        int err = option_value_parse(option, option->fallback, option_value(options, option));
        assert(!err); /* the table's own values; a test reads them all */
    }
}

static int environment_read(struct options *options, char *message) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        char name[OPTION_VARIABLE_MAX];
        const char *text = getenv(option_variable(option, name));
        if (text == NULL || !(option->commands & 1u << options->command->id)) continue;
        int err = options_set(options, option, text, PLACE_ENVIRONMENT, name, message);
        if (err) return err;
    }
    return 0;
}

/* The file that the command line names, or the environment, or the one that may be there. */
static int config_read(struct options *options, const struct command_line *line, char *message) {
    const char *path = command_line_last(line, &option_table[OPTION_config]);
    if (path == NULL) path = getenv("SHOAL_CONFIG");
    if (path != NULL) return config_file_read(options, path, message);
    return config_file_read_default(options, message);
}

int options_read(struct options *ret, const struct command *command, int argc, char *const *argv,
                 char *message) {
    struct options options;
    struct command_line line;
    memset(&options, 0, sizeof options);
    options.command = command;
    defaults_set(&options);

    int err = command_line_split(&line, command, argc, argv, message);
    if (!err) err = config_read(&options, &line, message);
    if (!err) err = environment_read(&options, message);
    if (!err) err = command_line_apply(&line, &options, message);
    if (err)
        options_release(&options);
    else
        *ret = options;
    return err;
}

void options_release(struct options *options) {
    if (options == NULL) return;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        option_value_clear(&option_table[i], option_value(options, &option_table[i]));
}
