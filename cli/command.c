#include "cli/command.h"

#include <assert.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/options.h"

const struct command command_table[COMMAND_COUNT] = {
#define COMMAND(id, arguments, least, most, line, text)                                            \
    [COMMAND_##id] = {COMMAND_##id, #id, arguments, least, most, line, text},
#include "cli/commands.def"
#undef COMMAND
};

static int (*const functions[COMMAND_COUNT])(const struct options *) = {
    [COMMAND_broadcast] = cmd_broadcast, [COMMAND_join] = cmd_join,     [COMMAND_relay] = cmd_relay,
    [COMMAND_info] = cmd_info,           [COMMAND_keygen] = cmd_keygen, [COMMAND_link] = cmd_link,
};

const struct command *command_find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(command_table[i].name, name) == 0) return &command_table[i];
    return NULL;
}

const struct command *command_nearest(const char *name) {
    struct nearest nearest = nearest_init(name);
    for (size_t i = 0; i < COMMAND_COUNT; i++) nearest_offer(&nearest, command_table[i].name);
    return nearest.name == NULL ? NULL : command_find(nearest.name);
}

bool command_is_built(const struct command *command) { return functions[command->id] != NULL; }

int command_run(const struct options *options) {
    assert(command_is_built(options->command));
    return functions[options->command->id](options);
}
