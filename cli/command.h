/* command.h - the commands of the program, from commands.def, and the functions that run them. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "core/base/base.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct options;

enum command_id {
#define COMMAND(id, ...) COMMAND_##id,
#include "cli/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

/* Sets of commands, for the rows of options.def. */
#define FOR(command) (1u << COMMAND_##command)
#define RUNS (FOR(broadcast) | FOR(join) | FOR(relay) | FOR(info))
#define SENDS (FOR(broadcast) | FOR(join) | FOR(relay))
#define EVERY ((1u << COMMAND_COUNT) - 1)

struct command {
    enum command_id id;
    const char *name;
    const char *arguments; /* as help shows them */
    int arguments_least, arguments_most;
    const char *line; /* for the overview */
    const char *text;
};

extern const struct command command_table[COMMAND_COUNT];

/* NULL where there is none of that name. */
const struct command *command_find(const char *name);
/* The one whose name is nearest to what was typed, NULL where none is near. */
const struct command *command_nearest(const char *name);
/* Whether this program has the command's function. */
bool command_is_built(const struct command *command);
/* Runs the command that the options name; returns the program's exit status. */
int command_run(const struct options *options);

/* One file each: cmd_keygen.c and so on. */
int cmd_broadcast(const struct options *options);
int cmd_join(const struct options *options);
int cmd_relay(const struct options *options);
int cmd_info(const struct options *options);
int cmd_keygen(const struct options *options);
int cmd_link(const struct options *options);

#endif
