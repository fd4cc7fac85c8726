#include "cli/command_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/nearest.h"
#include "core/base/err.h"

struct words {
    const struct command *command;
    int left;
    char *const *at;
    char *message;
};

static bool option_is_of(const struct option *option, const struct command *command) {
    return (option->commands & 1u << command->id) != 0;
}

PRINTF_LIKE(2, 3) static int refuse(const struct words *words, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(words->message, OPTIONS_MESSAGE_MAX, format, args);
    va_end(args);
    return ERR_ARGUMENT;
}

static int option_refuse(const struct words *words, const char *name) {
    struct nearest nearest = nearest_init(name);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_is_of(&option_table[i], words->command))
            nearest_offer(&nearest, option_table[i].name);
    if (option_find(name) != NULL)
        return refuse(words, "--%.60s: not an option of 'shoal %s'", name, words->command->name);
    if (nearest.name != NULL)
        return refuse(words, "--%.60s: no such option; did you mean --%s?", name, nearest.name);
    return refuse(words, "--%.60s: no such option; see 'shoal help %s'", name,
                  words->command->name);
}

static int setting_add(struct command_line *line, const struct words *words,
                       const struct option *option, const char *value) {
    if (line->settings_len == OPTIONS_SETTINGS_MAX)
        return refuse(words, "--%.60s: too many options", option->name);
    line->settings[line->settings_len++] = (struct setting){option, value};
    return 0;
}

/* The word behind the option, which has none of its own. */
static int value_take(struct command_line *line, struct words *words, const struct option *option) {
    char expected[VALUE_EXPECTED_MAX];
    if (option->kind == KIND_FLAG) return setting_add(line, words, option, "yes");
    if (words->left == 0)
        return refuse(words, "--%.60s: needs a value: %s", option->name,
                      option_value_expected(option, expected));
    words->left--;
    return setting_add(line, words, option, *words->at++);
}

static int long_option(struct command_line *line, struct words *words, const char *word) {
    char name[NEAREST_NAME_MAX + 1];
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
    snprintf(name, sizeof name, "%.*s", (int)size_min(len, sizeof name - 1), word);
    const struct option *option = len < sizeof name ? option_find(name) : NULL;
    if (option == NULL || !option_is_of(option, words->command)) return option_refuse(words, name);
    if (equals != NULL) return setting_add(line, words, option, equals + 1);
    return value_take(line, words, option);
}

static int short_option(struct command_line *line, struct words *words, const char *word) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &option_table[i];
        if (option->short_name != word[0] || !option_is_of(option, words->command)) continue;
        if (word[1] == '\0') return value_take(line, words, option);
        return setting_add(line, words, option, word + 1);
    }
    return refuse(words, "-%.1s: no such option; see 'shoal help %s'", word, words->command->name);
}

static int argument_add(struct command_line *line, const struct words *words, const char *word) {
    if (line->arguments_len == words->command->arguments_most ||
        line->arguments_len == OPTIONS_ARGUMENTS_MAX)
        return refuse(words, "'%.60s': one argument too many for 'shoal %s'", word,
                      words->command->name);
    line->arguments[line->arguments_len++] = word;
    return 0;
}

int command_line_split(struct command_line *ret, const struct command *command, int argc,
                       char *const *argv, char *message) {
    struct words words = {command, argc, argv, message};
    bool only_arguments = false;
    int err = 0;
    memset(ret, 0, sizeof *ret);
    while (!err && words.left > 0) {
        const char *word = *words.at++;
        words.left--;
        if (only_arguments || word[0] != '-' || word[1] == '\0')
            err = argument_add(ret, &words, word);
        else if (word[1] != '-')
            err = short_option(ret, &words, word + 1);
        else if (word[2] != '\0')
            err = long_option(ret, &words, word + 2);
        else
            only_arguments = true;
    }
    if (!err && ret->arguments_len < command->arguments_least)
        err = refuse(&words, "'shoal %s': %s is missing", command->name, command->arguments);
    return err;
}

const char *command_line_last(const struct command_line *line, const struct option *option) {
    const char *value = NULL;
    for (int i = 0; i < line->settings_len; i++)
        if (line->settings[i].option == option) value = line->settings[i].value;
    return value;
}

int command_line_apply(const struct command_line *line, struct options *options, char *message) {
    for (int i = 0; i < line->settings_len; i++) {
        const struct setting *s = &line->settings[i];
        char origin[NEAREST_NAME_MAX + 3];
        snprintf(origin, sizeof origin, "--%s", s->option->name);
        int err = options_set(options, s->option, s->value, PLACE_COMMAND_LINE, origin, message);
        if (err) return err;
    }
    options->arguments_len = line->arguments_len;
    memcpy(options->arguments, line->arguments, sizeof line->arguments);
    return 0;
}
