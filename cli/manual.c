#include "cli/manual.h"

#include <string.h>

#include "cli/help.h"
#include "cli/options.h"
#include "cli/version.h"

/* Text for roff: a hyphen is a minus, a backslash is itself, and a line never starts with a dot. */
static void print_roff(FILE *to, const char *text) {
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
    }
}

static void print_line(FILE *to, const char *text) {
    print_roff(to, text);
    fputc('\n', to);
}

static void print_option(FILE *to, const struct option *option) {
    fputs(".TP\n\\fB", to);
    if (option->short_name != 0) fprintf(to, "\\-%c\\fR, \\fB", option->short_name);
    fputs("\\-\\-", to);
    print_roff(to, option->name);
    fputs("\\fR", to);
    if (option->argument != NULL) {
        fputs(" \\fI", to);
        print_roff(to, option->argument);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    print_line(to, option->help);
    char expected[VALUE_EXPECTED_MAX];
    if (option->kind != KIND_FLAG && option->kind != KIND_PATH && option->kind != KIND_CHOICE) {
        fputs("Takes ", to);
        print_roff(to, option_value_expected(option, expected));
        fputs(".\n", to);
    }
    if (option->kind != KIND_FLAG && option->fallback != NULL) {
        fputs("Default: ", to);
        print_roff(to, option->fallback);
        fputs(".\n", to);
    }
}

static void print_options(FILE *to, unsigned command, bool is_shared) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].commands & command && option_is_shared(&option_table[i]) == is_shared)
            print_option(to, &option_table[i]);
}

static void print_version(FILE *to) { fputs(SHOAL_VERSION, to); }

static void print_synopsis(FILE *to) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "%s.B shoal %s\n[\\fIOPTION\\fR...] ", i == 0 ? "" : ".br\n",
                command_table[i].name);
        print_line(to, command_table[i].arguments);
    }
}

static void print_commands(FILE *to) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        fprintf(to, ".SS shoal %s ", c->name);
        print_line(to, c->arguments);
        print_line(to, c->text);
        print_options(to, 1u << c->id, false);
    }
}

static void print_shared_options(FILE *to) { print_options(to, EVERY, true); }

static void print_environment(FILE *to) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[OPTION_VARIABLE_MAX];
        fprintf(to, "%s\\fB%s\\fR", i == 0 ? "" : ",\n", option_variable(&option_table[i], name));
    }
    fputs(".\n", to);
}

static void print_stats(FILE *to) {
    static const struct {
        const char *group, *name, *help;
        bool is_maybe;
    } stats[] = {
#define STAT(kind, group, name, help) {#group, #name, help, #kind[0] != 'N'},
#include "cli/stats.def"
#undef STAT
    };
    for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
        bool is_top = strcmp(stats[i].group, "top") == 0;
        fprintf(to, ".TP\n.B %s%s%s\n", is_top ? "" : stats[i].group, is_top ? "" : ".",
                stats[i].name);
        print_roff(to, stats[i].help);
        fputs(stats[i].is_maybe ? "; null while there is none\n" : "\n", to);
    }
}

bool manual_print(FILE *to, const char *part) {
    static const struct {
        const char *name;
        void (*print)(FILE *to);
    } parts[] = {{"version", print_version},         {"synopsis", print_synopsis},
                 {"commands", print_commands},       {"options", print_shared_options},
                 {"environment", print_environment}, {"stats", print_stats}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strcmp(parts[i].name, part) != 0) continue;
        parts[i].print(to);
        return true;
    }
    return false;
}

/* Options of the command; files where a value or an argument is expected. */
void completion_print(FILE *to) {
    fputs("_shoal() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        words='help",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++) fprintf(to, " %s", command_table[i].name);
    fputs(" --help --version'\n    else\n        case ${COMP_WORDS[1]} in\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "        %s) words='--help", command_table[i].name);
        for (size_t j = 0; j < OPTION_COUNT; j++)
            if (option_table[j].commands & 1u << i) fprintf(to, " --%s", option_table[j].name);
        fputs("' ;;\n", to);
    }
    fputs("        esac\n    fi\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ] || [[ $word == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    fi\n"
          "}\n"
          "complete -o filenames -F _shoal shoal\n",
          to);
}
