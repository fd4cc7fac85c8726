#include "cli/help.h"

#include <string.h>

#define OPTION_INDENT 8

void help_overview(FILE *to) {
    fprintf(to,
            "shoal - live video with no server\n\nusage: shoal COMMAND [OPTION...] [ARGUMENT...]"
            "\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        if (command_is_built(c)) fprintf(to, "  %-10s %-10s  %s\n", c->name, c->arguments, c->line);
    }
    fprintf(to, "\n'shoal help COMMAND' tells more; 'shoal --version' says which this is.\n");
}

bool option_is_shared(const struct option *option) {
    return option->commands == RUNS || option->commands == SENDS || option->commands == EVERY;
}

/* Words, wrapped, with `indent` blanks in front of each line. */
static void print_wrapped(FILE *to, const char *text, size_t indent) {
    size_t column = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len > HELP_COLUMNS) {
            fputc('\n', to);
            column = 0;
        }
        if (column == 0) {
            fprintf(to, "%*s", (int)indent, "");
            column = indent;
        } else {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, len, to);
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

static void print_option(FILE *to, const struct option *option) {
    fprintf(to, "  ");
    if (option->short_name != 0) fprintf(to, "-%c, ", option->short_name);
    fprintf(to, "--%s", option->name);
    if (option->argument != NULL) fprintf(to, " %s", option->argument);
    bool is_telling = option->kind != KIND_FLAG && option->fallback != NULL;
    if (is_telling && strcmp(option->fallback, "0") != 0)
        fprintf(to, "  (default %s)", option->fallback);
    fputc('\n', to);
    print_wrapped(to, option->help, OPTION_INDENT);
}

static void print_options(FILE *to, const struct command *command, bool is_shared,
                          const char *title) {
    bool is_first = true;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        if (!(option->commands & 1u << command->id) || option_is_shared(option) != is_shared)
            continue;
        if (is_first) fprintf(to, "\n%s:\n", title);
        is_first = false;
        print_option(to, option);
    }
}

void help_command(FILE *to, const struct command *command) {
    fprintf(to, "usage: shoal %s [OPTION...] %s\n\n", command->name, command->arguments);
    print_wrapped(to, command->text, 0);
    print_options(to, command, false, "options");
    print_options(to, command, true, "common options");
}
