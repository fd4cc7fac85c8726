/* The program as a person calls it: what it prints where, and how it exits. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/proto/channel_link.h"
#include "tests/lib/process.h"

#define DEADLINE_US (30 * US_PER_S)

static struct sandbox sandbox;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    cr_assert_eq(sandbox_make(&sandbox), 0);
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(commands, .init = start, .fini = stop);

/* Runs to the end; the caller frees it. */
static struct process *ended(int expected, const char *const *words) {
    const char *argv[16] = {process_shoal()};
    for (size_t i = 0; words[i] != NULL; i++) argv[i + 1] = words[i];
    struct process *p = process_start(&(struct process_config){.argv = argv, .sandbox = &sandbox});
    cr_assert_not_null(p, "%s does not run", argv[0]);
    int status;
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
    cr_assert_eq(status, expected, "%s: exit %d: %s", argv[1], status,
                 process_output(p, PROCESS_ERR));
    return p;
}
#define RUN(expected, ...) ended(expected, (const char *const[]){__VA_ARGS__, NULL})

/* One line on standard error that starts with the program's name, and nothing on standard output.
 */
static void refused(struct process *p, const char *expected) {
    const char *told = process_output(p, PROCESS_ERR);
    cr_expect_str_eq(process_output(p, PROCESS_OUT), "");
    cr_expect_not_null(strstr(told, expected), "'%s' without '%s'", told, expected);
    cr_expect_eq(strncmp(told, "shoal: ", 7), 0, "%s", told);
    cr_expect_eq(strchr(told, '\n') - told, (ptrdiff_t)strlen(told) - 1, "%s", told);
    process_free(p);
}

static struct channel_link link_of(struct process *p) {
    struct channel_link link;
    char text[CHANNEL_LINK_TEXT_MAX];
    const char *line = process_output(p, PROCESS_OUT);
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "link ", DEADLINE_US, text, sizeof text), 0);
    cr_assert_eq(strlen(line), strlen("link \n") + strlen(text), "more than the link: %s", line);
    cr_assert_eq(channel_link_parse(text, &link), 0, "%s", text);
    process_free(p);
    return link;
}

Test(commands, keygen_makes_a_key_and_link_prints_its_link_again) {
    char path[PATH_MAX];
    struct stat st;
    struct channel_link made = link_of(RUN(0, "keygen"));
    struct channel_link again = link_of(RUN(0, "link"));
    cr_assert(public_key_equal(&made.channel, &again.channel) && !made.has_read_key);
    cr_assert_eq(stat(sandbox_file(&sandbox, "shoal/channel.key", path), &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    refused(RUN(1, "keygen"), "exists already");
}

Test(commands, keygen_makes_private_channels_and_named_links) {
    char path[PATH_MAX];
    sandbox_file(&sandbox, "my.key", path);
    struct channel_link made = link_of(RUN(0, "keygen", "--private", path));
    cr_assert(made.has_read_key);
    struct channel_link again = link_of(RUN(0, "link", path, "--name", "Fish & chips", "--peer",
                                            "[::1]:7000", "--peer=node.example:1"));
    cr_assert(public_key_equal(&made.channel, &again.channel));
    cr_assert_arr_eq(made.read_key.bytes, again.read_key.bytes, READ_KEY_BYTES);
    cr_assert_str_eq(again.name, "Fish & chips");
    cr_assert_eq(again.peers_len, 2);
    cr_assert_str_eq(again.peers[0], "[::1]:7000");
}

Test(commands, refuse_what_is_called_wrongly_with_status_2) {
    refused(RUN(2, "keygn"), "did you mean 'keygen'?");
    refused(RUN(2, "frobnicate"), "see 'shoal --help'");
    refused(RUN(2, "keygen", "--privte"), "did you mean --private?");
    refused(RUN(2, "keygen", "a", "b"), "'b': one argument too many");
    refused(RUN(2, "link", "--log", "loud"), "--log 'loud': expected one of error, warn");
}

Test(commands, refuse_a_key_file_that_is_missing_or_readable_with_status_1) {
    char path[PATH_MAX];
    refused(RUN(1, "link"), "channel.key: no such key file");
    sandbox_file(&sandbox, "my.key", path);
    link_of(RUN(0, "keygen", path));
    cr_assert_eq(chmod(path, 0644), 0);
    refused(RUN(1, "link", path), "chmod 600 ");
}

Test(commands, say_when_standard_output_cannot_be_written) {
    const char *const lines[][4] = {{process_shoal(), "link", NULL}, {process_shoal(), "--help"}};
    link_of(RUN(0, "keygen"));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        int status;
        struct process *p = process_start(&(struct process_config){
            .argv = lines[i], .sandbox = &sandbox, .stdout_path = "/dev/full"});
        cr_assert_not_null(p);
        cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
        cr_assert_eq(status, 1);
        process_free(p);
    }
}

Test(commands, help_goes_to_standard_output_and_its_absence_to_standard_error) {
    static const char *const asked[][3] = {
        {"--help"},           {"-h"},         {"help"},     {"help", "keygen"},
        {"keygen", "--help"}, {"link", "-h"}, {"--version"}};
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct process *p = ended(0, asked[i]);
        cr_expect_gt(strlen(process_output(p, PROCESS_OUT)), 8, "%s", asked[i][0]);
        cr_expect_str_eq(process_output(p, PROCESS_ERR), "");
        process_free(p);
    }
    struct process *p = ended(2, (const char *const[]){NULL});
    cr_expect_str_eq(process_output(p, PROCESS_OUT), "");
    cr_expect_not_null(strstr(process_output(p, PROCESS_ERR), "usage:"));
    process_free(p);
}
