/* options.h - what the person who runs the program wants: one table (options.def), read from four
 * places, each above the one before: the table's defaults, the config file, the environment, the
 * command line.
 *
 * A list (HOSTS) that a higher place names replaces the lower one's. An option that is not of the
 * command is refused on the command line, and skipped in the config file and the environment, which
 * all commands share. What is wrong is said in one line, with what would be right. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "cli/command.h"
#include "cli/option_value.h"

#define OPTIONS_MESSAGE_MAX 600  /* longer values are cut in it */
#define OPTIONS_ARGUMENTS_MAX 8  /* links of a relay */
#define OPTIONS_SETTINGS_MAX 128 /* options on one command line */

enum option_id {
#define OPTION(kind, field, ...) OPTION_##field,
#include "cli/options.def"
#undef OPTION
    OPTION_COUNT
};

enum option_place {
    PLACE_DEFAULT,
    PLACE_CONFIG,
    PLACE_ENVIRONMENT,
    PLACE_COMMAND_LINE,
};

struct options {
    const struct command *command;
    int arguments_len;
    const char *arguments[OPTIONS_ARGUMENTS_MAX]; /* borrowed from argv */
    enum option_place place[OPTION_COUNT];        /* where the value that counts is from */
#define OPTION(kind, field, ...) value_##kind field;
#include "cli/options.def"
#undef OPTION
};

extern const struct option option_table[OPTION_COUNT];

/* Everything together: `argv` are the words behind the command's name. Fills `ret`, or returns an
 * error with `message` (OPTIONS_MESSAGE_MAX bytes, no newline) and nothing to release:
 * ERR_ARGUMENT for what was typed wrong, another where a config file cannot be read. */
MUST_CHECK int options_read(struct options *ret, const struct command *command, int argc,
                            char *const *argv, char *message);
void options_release(struct options *options);

/* For the readers of each place. */
const struct option *option_find(const char *name);
/* Whether the value is in use: given somewhere, or a default. */
bool options_has(const struct options *options, enum option_id id);
/* `origin` is how the place calls the option: "--max-upload", "file:3: max-upload". */
MUST_CHECK int options_set(struct options *options, const struct option *option, const char *text,
                           enum option_place place, const char *origin, char *message);

/* SHOAL_MAX_UPLOAD for max-upload; `ret` takes OPTION_VARIABLE_MAX bytes. */
#define OPTION_VARIABLE_MAX 48
const char *option_variable(const struct option *option, char *ret);

#endif
