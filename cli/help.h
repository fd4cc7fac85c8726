/* help.h - what --help prints, made from commands.def and options.def. */
#ifndef HELP_H
#define HELP_H

#include <stdio.h>

#include "cli/options.h"

#define HELP_COLUMNS 80

/* The commands that this program has, a line each. */
void help_overview(FILE *to);
/* A command with its options. */
void help_command(FILE *to, const struct command *command);
/* Whether the option stands among those that a command shares with others, not with its own. */
bool option_is_shared(const struct option *option);

#endif
