#include "cli/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/log.h"
#include "core/base/err.h"
#include "tests/lib/process.h"

#define WORDS_MAX 160
#define CONFIG_TEST_SIZE 20000 /* a line, and as many lines, over their bounds */

static struct sandbox sandbox;
static char message[OPTIONS_MESSAGE_MAX];

/* Away from the machine's own config file and variables. */
static void start(void) {
    cr_assert_eq(sandbox_make(&sandbox), 0);
    setenv("XDG_CONFIG_HOME", sandbox.path, 1);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[OPTION_VARIABLE_MAX];
        unsetenv(option_variable(&option_table[i], name));
    }
    message[0] = '\0';
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(options, .init = start, .fini = stop);

/* A command line as one text of words. */
static int read_line(struct options *ret, const char *line) {
    static char copy[4096];
    char *argv[WORDS_MAX];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_read(ret, command_find(argv[0]), argc - 1, argv + 1, message);
}

static struct options taken(const char *line) {
    struct options o;
    cr_assert_eq(read_line(&o, line), 0, "%s: %s", line, message);
    return o;
}

static void refused(const char *line, const char *expected) {
    struct options o;
    cr_expect_eq(read_line(&o, line), ERR_ARGUMENT, "%s", line);
    cr_expect_str_eq(message, expected);
}

static void config_write(const char *name, const char *text) {
    char path[PATH_MAX];
    mkdir(sandbox_file(&sandbox, "shoal", path), 0700);
    FILE *file = fopen(sandbox_file(&sandbox, name, path), "w");
    cr_assert_not_null(file);
    fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

Test(options, have_the_defaults_of_the_table) {
    struct options o = taken("broadcast");
    cr_assert_eq(o.bitrate, 2500000);
    cr_assert_eq(o.keyint, US_PER_S);
    cr_assert_eq(o.max_upload, UNLIMITED);
    cr_assert_str_eq(o.preset.word, "veryfast");
    cr_assert(!o.loop && o.title == NULL && !o.http.is_set && o.arguments_len == 0);
    cr_assert(options_has(&o, OPTION_bitrate) && !options_has(&o, OPTION_title));
    options_release(&o);
}

Test(options, are_taken_in_every_form) {
    struct options o = taken("join -o a.ts --http=off --max-upload 0 --log debug -- -link");
    cr_assert_str_eq(o.output, "a.ts");
    cr_assert(o.http.is_off);
    cr_assert_eq(o.max_upload, 0);
    cr_assert_eq(o.log.index, LOG_DEBUG);
    cr_assert_eq(o.arguments_len, 1);
    cr_assert_str_eq(o.arguments[0], "-link");
    options_release(&o);

    o = taken("join LINK -o - --overwrite");
    cr_assert_str_eq(o.output, "-");
    cr_assert(o.overwrite);
    options_release(&o);

    o = taken("broadcast -b900k --loop=no -");
    cr_assert_eq(o.bitrate, 900000);
    cr_assert(!o.loop);
    cr_assert_str_eq(o.arguments[0], "-");
    options_release(&o);
}

Test(options, that_are_wrong_are_said_with_what_is_right) {
    refused("join L --max-upload 3x",
            "--max-upload '3x': expected a rate such as 800k or 2.5M, 0 for none");
    refused("join L --bitrat 3M", "--bitrat: no such option; see 'shoal help join'");
    refused("broadcast --bitrat 3M", "--bitrat: no such option; did you mean --bitrate?");
    refused("broadcast --btirate=3M", "--btirate: no such option; did you mean --bitrate?");
    refused("join L --bitrate 3M", "--bitrate: not an option of 'shoal join'");
    refused("join L -x", "-x: no such option; see 'shoal help join'");
    refused("join L --stats", "--stats: needs a value: the name of a file");
    refused("join", "'shoal join': LINK is missing");
    refused("join L M", "'M': one argument too many for 'shoal join'");
    refused("broadcast --loop=maybe", "--loop 'maybe': expected yes or no");
}

Test(options, of_a_bounded_number_fit_on_a_command_line) {
    char line[4096] = "broadcast";
    for (int i = 0; i < OPTIONS_SETTINGS_MAX + 1; i++) strcat(line, " --loop");
    refused(line, "--loop: too many options");
}

Test(options, of_a_higher_place_count_more) {
    config_write("shoal/config", "bitrate = 1M\nkeyint = 2s\ntitle = from config\nloop = yes\n");
    setenv("SHOAL_KEYINT", "3s", 1);
    setenv("SHOAL_TITLE", "from environment", 1);
    struct options o = taken("broadcast --title=flag");
    cr_assert_eq(o.bitrate, 1000000);
    cr_assert_eq(o.keyint, 3 * US_PER_S);
    cr_assert_str_eq(o.title, "flag");
    cr_assert(o.loop);
    cr_assert_eq(o.place[OPTION_preset], PLACE_DEFAULT);
    cr_assert_eq(o.place[OPTION_bitrate], PLACE_CONFIG);
    cr_assert_eq(o.place[OPTION_keyint], PLACE_ENVIRONMENT);
    cr_assert_eq(o.place[OPTION_title], PLACE_COMMAND_LINE);
    options_release(&o);
    o = taken("broadcast --loop=no");
    cr_assert(!o.loop);
    options_release(&o);
}

Test(options, that_are_lists_are_replaced_by_a_higher_place) {
    config_write("shoal/config", "bootstrap = a:1\nbootstrap = b:2\n");
    struct options o = taken("relay");
    cr_assert_eq(o.bootstrap.len, 2);
    options_release(&o);
    o = taken("relay --bootstrap c:3");
    cr_assert_eq(o.bootstrap.len, 1);
    cr_assert_str_eq(o.bootstrap.text[0], "c:3");
    options_release(&o);
    o = taken("relay --bootstrap none");
    cr_assert(o.bootstrap.is_set && o.bootstrap.len == 0);
    options_release(&o);
}

Test(options, from_a_config_file_may_have_comments_blanks_and_quotes) {
    config_write("shoal/config", "# comment\n\n  \t\n  title =  \"  # not a comment \"  \r\n"
                                 "max-upload=1M");
    struct options o = taken("broadcast");
    cr_assert_str_eq(o.title, "  # not a comment ");
    cr_assert_eq(o.max_upload, 1000000);
    options_release(&o);
    o = taken("keygen"); /* the file is for all commands */
    options_release(&o);
}

/* What follows the file's name and the colon. */
static void config_refused(const char *text, const char *expected) {
    struct options o;
    config_write("shoal/config", text);
    cr_expect_eq(read_line(&o, "broadcast"), ERR_ARGUMENT, "%s", text);
    const char *rest = strstr(message, "/config:");
    cr_assert_not_null(rest, "%s", message);
    cr_expect_str_eq(rest + strlen("/config:"), expected);
}

Test(options, from_a_malformed_config_file_are_refused_with_the_line) {
    config_refused("bitrate = 1M\nloop\n", "2: 'loop': expected name = value");
    config_refused("bitrte = 1M\n", "1: 'bitrte': no such option; did you mean bitrate?");
    config_refused("= 1M\n", "1: '': no such option");
    config_refused("\n\nbitrate = fast\n",
                   "3: bitrate 'fast': expected a rate such as 800k or 2.5M from 50k to 50M");
    config_refused("config = other\n", "1: config: not in a config file");
    config_refused("bitrate =\n",
                   "1: bitrate '': expected a rate such as 800k or 2.5M from 50k to 50M");
}

Test(options, from_a_config_file_without_end_are_refused) {
    static char text[CONFIG_TEST_SIZE];
    memset(text, 'a', sizeof text - 1);
    config_write("shoal/config", text);
    struct options o;
    cr_assert_eq(read_line(&o, "broadcast"), ERR_ARGUMENT);
    cr_assert_not_null(strstr(message, "the line is too long"));
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = '\n';
    config_write("shoal/config", text);
    cr_assert_eq(read_line(&o, "broadcast"), ERR_ARGUMENT);
    cr_assert_not_null(strstr(message, "lines"));
}

Test(options, from_a_named_config_file_need_the_file) {
    char line[PATH_MAX + 64], path[PATH_MAX];
    struct options o;
    snprintf(line, sizeof line, "broadcast --config %s", sandbox_file(&sandbox, "mine", path));
    cr_assert_eq(read_line(&o, line), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(message, "cannot open the config file: No such file"));
    config_write("mine", "bitrate = 700k\n");
    config_write("shoal/config", "bitrate = 800k\n");
    o = taken(line);
    cr_assert_eq(o.bitrate, 700000);
    options_release(&o);
    setenv("SHOAL_CONFIG", path, 1);
    o = taken("broadcast");
    cr_assert_eq(o.bitrate, 700000);
    options_release(&o);
}

Test(options, from_the_environment_name_the_variable_where_they_are_wrong) {
    struct options o;
    setenv("SHOAL_MAX_UPLOAD", "fast", 1);
    cr_assert_eq(read_line(&o, "join L"), ERR_ARGUMENT);
    cr_assert_str_eq(message,
                     "SHOAL_MAX_UPLOAD 'fast': expected a rate such as 800k or 2.5M, 0 for none");
    o = taken("keygen"); /* no option of keygen */
    options_release(&o);
}

Test(options, that_choose_a_level_are_in_the_order_of_the_levels) {
    static const char *const words[] = {[LOG_ERROR] = "error",
                                        [LOG_WARN] = "warn",
                                        [LOG_INFO] = "info",
                                        [LOG_DEBUG] = "debug",
                                        [LOG_TRACE] = "trace"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        struct choice choice;
        cr_assert_eq(option_value_parse(&option_table[OPTION_log], words[i], &choice), 0);
        cr_assert_eq(choice.index, i);
    }
}

Test(options, have_names_of_their_own) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct option *a = &option_table[i], *b = &option_table[j];
            cr_expect_str_neq(a->name, b->name);
            cr_expect(a->short_name == 0 || a->short_name != b->short_name, "-%c", a->short_name);
        }
        cr_expect_leq(strlen(option_table[i].name), 30);
    }
}
