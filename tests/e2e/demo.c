/* scripts/demo, as `make demo` runs it: what a newcomer sees first, and that it cleans up. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/proto/channel_link.h"
#include "tests/lib/process.h"

#define DEADLINE_US (90 * US_PER_S)
#define COMMAND_MAX 8192

static struct sandbox sandbox;

static void start(void) {
    cr_assert_eq(random_start(), 0);
    cr_assert_eq(sandbox_make(&sandbox), 0);
    cr_assert_eq(setenv("TMPDIR", sandbox.path, 1), 0);
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(demo, .init = start, .fini = stop);

/* A process whose command line names the demo's own directory and the word: its id, or 0. */
static int find_process(const char *word) {
    DIR *d = opendir("/proc");
    cr_assert_not_null(d);
    int found = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL && found == 0;) {
        char path[64], command[COMMAND_MAX] = "";
        snprintf(path, sizeof path, "/proc/%.20s/cmdline", e->d_name);
        FILE *f = fopen(path, "re");
        if (f == NULL) continue;
        size_t len = fread(command, 1, sizeof command - 1, f);
        fclose(f);
        for (size_t i = 0; i < len; i++)
            if (command[i] == '\0') command[i] = ' ';
        if (strstr(command, sandbox.path) != NULL && strstr(command, word) != NULL)
            found = (int)strtol(e->d_name, NULL, 10);
    }
    closedir(d);
    return found;
}

static void left_nothing(void) {
    DIR *d = opendir(sandbox.path);
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        cr_expect(e->d_name[0] == '.', "%s is left behind", e->d_name);
    closedir(d);
    cr_expect_eq(find_process(""), 0, "a process is left behind");
}

static struct process *run(const char *seconds) {
    cr_assert_eq(setenv("DEMO_SECONDS", seconds, 1), 0);
    struct process *p = process_run(NULL, "scripts/demo", NULL);
    cr_assert_not_null(p);
    return p;
}

static void wait_line(struct process *p, const char *prefix, char *ret, size_t size) {
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, prefix, DEADLINE_US, ret, size), 0,
                 "no '%s': %s%s", prefix, process_output(p, PROCESS_OUT),
                 process_output(p, PROCESS_ERR));
}

static int end_of(struct process *p) {
    int status = -1;
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
    return status;
}

Test(demo, prints_link_page_and_status_and_leaves_nothing) {
    char text[CHANNEL_LINK_TEXT_MAX], page[128];
    struct channel_link link;
    unsigned viewers = 0;
    struct process *p = run("5");
    wait_line(p, "  link  ", text, sizeof text);
    cr_assert_eq(channel_link_parse(text, &link), 0, "%s", text);
    wait_line(p, "  page  http://127.0.0.1:", page, sizeof page);
    cr_assert_neq(find_process("broadcast"), 0);
    cr_assert_eq(end_of(p), 0, "%s", process_output(p, PROCESS_ERR));
    /* Of its last second: a busy machine passes over others. */
    const char *out = process_output(p, PROCESS_OUT), *last = NULL;
    for (const char *at = out; (at = strstr(at, "on air ")) != NULL; at++) last = at;
    cr_assert_not_null(last, "%s", out);
    cr_assert_eq(sscanf(last, "on air %*u s: viewers %u, lag ", &viewers), 1, "%s", last);
    cr_assert_eq(viewers, 1, "%s", out);
    cr_assert_not_null(strstr(last, ", missed 0, upload "), "%s", last);
    cr_assert_str_eq(process_output(p, PROCESS_ERR), "");
    left_nothing();
}

Test(demo, leaves_nothing_when_it_is_terminated) {
    char text[256];
    struct process *p = run("0");
    wait_line(p, "on air ", text, sizeof text);
    cr_assert_eq(process_signal(p, SIGTERM), 0);
    cr_assert_eq(end_of(p), 128 + SIGTERM);
    left_nothing();
}

Test(demo, leaves_nothing_when_it_is_terminated_before_it_is_on_air) {
    struct process *p = run("0");
    while (find_process("") == 0 && !process_has_ended(p)) continue;
    cr_assert_eq(process_signal(p, SIGTERM), 0);
    cr_assert_eq(end_of(p), 128 + SIGTERM);
    left_nothing();
}

Test(demo, says_which_process_has_ended) {
    char text[256];
    struct process *p = run("0");
    wait_line(p, "on air ", text, sizeof text);
    int source = find_process("broadcast");
    cr_assert_gt(source, 0);
    cr_assert_eq(kill(source, SIGKILL), 0);
    cr_assert_eq(end_of(p), 1);
    const char *said = process_output(p, PROCESS_ERR);
    cr_assert_not_null(strstr(said, "demo: the source has ended (exit status 137); it said last:"),
                       "%s", said);
    cr_assert_not_null(strstr(said, "    info key: made a new channel"), "%s", said);
    left_nothing();
}

Test(demo, refuses_a_time_that_is_none) {
    struct process *p = run("soon");
    cr_assert_eq(end_of(p), 2);
    cr_assert_not_null(strstr(process_output(p, PROCESS_ERR), "DEMO_SECONDS 'soon'"));
    left_nothing();
}
