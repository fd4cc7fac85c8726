/* command_line.h - the words of a command line, taken apart: "--name value", "--name=value",
 * "-n value", "-nvalue", flags without a value, and arguments; behind "--" only arguments.
 *
 * The names are checked here and the values later, when the places below are known. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "cli/options.h"

struct setting {
    const struct option *option;
    const char *value; /* borrowed from argv */
};

struct command_line {
    int settings_len;
    struct setting settings[OPTIONS_SETTINGS_MAX];
    int arguments_len;
    const char *arguments[OPTIONS_ARGUMENTS_MAX];
};

/* Returns 0, or ERR_ARGUMENT with a message. */
MUST_CHECK int command_line_split(struct command_line *ret, const struct command *command, int argc,
                                  char *const *argv, char *message);
/* The value that was given last, or NULL. */
const char *command_line_last(const struct command_line *line, const struct option *option);
MUST_CHECK int command_line_apply(const struct command_line *line, struct options *options,
                                  char *message);

#endif
