#include "tests/lib/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/err.h"

/* Long enough for a loaded machine; a wait that succeeds takes milliseconds. */
#define DEADLINE_US (20 * US_PER_S)
#define SHORT_US (20 * US_PER_MS)

static struct process *shell(const struct sandbox *sandbox, const char *script) {
    struct process *p = process_run(sandbox, "/bin/sh", "-c", script, NULL);
    cr_assert_not_null(p);
    return p;
}

Test(process, waits_for_a_line_and_gives_what_stands_behind_its_prefix) {
    char rest[64];
    struct process *p = shell(NULL, "echo noise; echo link shoal:abc; echo page x >&2; read never");
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "link ", DEADLINE_US, rest, sizeof rest), 0);
    cr_assert_str_eq(rest, "shoal:abc");
    cr_assert_eq(process_wait_line(p, PROCESS_ERR, "page ", DEADLINE_US, rest, sizeof rest), 0);
    cr_assert_str_eq(rest, "x");
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "link ", DEADLINE_US, rest, 4), ERR_FULL);
    process_free(p);
}

Test(process, does_not_take_half_a_line) {
    struct process *p = shell(NULL, "printf 'link half'; exec sleep 1000");
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "link", SHORT_US, NULL, 0), ERR_TIMEOUT);
    process_free(p);
}

Test(process, says_when_the_program_ended_without_the_line) {
    struct process *p = shell(NULL, "echo other");
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "link", DEADLINE_US, NULL, 0), ERR_END);
    cr_assert_str_eq(process_output(p, PROCESS_OUT), "other\n");
    process_free(p);
}

Test(process, gives_the_exit_status_and_the_signal) {
    int status = -1;
    struct process *p = shell(NULL, "exit 7");
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
    cr_assert_eq(status, 7);
    cr_assert_eq(process_signal(p, SIGTERM), ERR_END);
    process_free(p);

    p = shell(NULL, "exec sleep 1000");
    cr_assert_eq(process_wait_exit(p, SHORT_US, &status), ERR_TIMEOUT);
    cr_assert_eq(process_signal(p, SIGTERM), 0);
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
    cr_assert_eq(status, 128 + SIGTERM);
    process_free(p);
}

Test(process, says_when_there_is_no_such_program) {
    cr_assert_null(process_run(NULL, "/nonexistent/program", NULL));
}

Test(process, reads_all_programs_while_it_waits_for_one) {
    int status = -1;
    struct process *talker = shell(NULL, "yes | head -c 3000000; echo end >&2");
    struct process *waiter = shell(NULL, "read x; exit 3");
    cr_assert_eq(process_wait_line(talker, PROCESS_ERR, "end", DEADLINE_US, NULL, 0), 0);
    cr_assert_eq(process_wait_exit(waiter, DEADLINE_US, &status), 0);
    cr_assert_eq(status, 3);
    cr_assert_leq(strlen(process_output(talker, PROCESS_OUT)), PROCESS_OUTPUT_MAX);
    process_free(talker);
    process_free(waiter);
}

Test(process, gives_each_sandbox_its_own_directories) {
    struct sandbox a, b;
    char line[PATH_MAX];
    cr_assert_eq(sandbox_make(&a), 0);
    cr_assert_eq(sandbox_make(&b), 0);
    cr_assert_str_neq(a.path, b.path);
    struct process *p = shell(&a, "echo $XDG_STATE_HOME; : > $HOME/file");
    cr_assert_eq(process_wait_line(p, PROCESS_OUT, "", DEADLINE_US, line, sizeof line), 0);
    cr_assert_str_eq(line, a.path);
    sandbox_remove(&a);
    sandbox_remove(&b);
    process_free(p);
}

Test(process, writes_output_to_a_file_where_it_is_told_to) {
    struct sandbox s;
    char path[PATH_MAX], line[16] = "";
    int status;
    cr_assert_eq(sandbox_make(&s), 0);
    const char *argv[] = {"cat", NULL};
    struct process_config config = {.argv = argv,
                                    .sandbox = &s,
                                    .stdin_path = "/proc/self/comm",
                                    .stdout_path = sandbox_file(&s, "out", path)};
    struct process *p = process_start(&config);
    cr_assert_not_null(p);
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(line, sizeof line, file));
    cr_assert_gt(strlen(line), 0);
    fclose(file);
    process_free(p);
    sandbox_remove(&s);
}

Test(process, follows_a_stats_file_from_before_it_exists) {
    struct sandbox s;
    char path[PATH_MAX];
    double value = 0;
    cr_assert_eq(sandbox_make(&s), 0);
    sandbox_file(&s, "stats", path);
    struct process *p =
        shell(&s, "i=0; while [ $i -lt 5 ]; do i=$((i+1));"
                  "printf '{\"chunks\":' >> $HOME/stats;"
                  "echo \"{\\\"ok\\\":$i}}\" >> $HOME/stats; done; exec sleep 1000");
    cr_assert_eq(process_wait_number(p, path, "chunks.ok", 5, DEADLINE_US), 0);
    cr_assert_eq(process_last_number(path, "chunks.ok", &value), 0);
    cr_assert_eq(value, 5);
    cr_assert_eq(process_wait_number(p, path, "chunks.ok", 6, SHORT_US), ERR_TIMEOUT);
    cr_assert_eq(process_signal(p, SIGKILL), 0);
    cr_assert_eq(process_wait_number(p, path, "chunks.ok", 6, DEADLINE_US), ERR_END);
    process_free(p);
    sandbox_remove(&s);
}

/* The child of a test that dies: a shell that starts another one through the library would need a
 * program of its own, so the test forks, and the fork dies with a program running. */
Test(process, leaves_no_program_behind_when_the_test_dies) {
    int pipes[2];
    char c;
    cr_assert_eq(pipe(pipes), 0);
    pid_t test = fork();
    if (test == 0) {
        /* The program holds the pipe's end, so that its end is seen as the end of the file. */
        close(pipes[0]);
        struct process *p = shell(NULL, "exec sleep 1000");
        (void)p;
        raise(SIGKILL);
    }
    close(pipes[1]);
    cr_assert_eq(read(pipes[0], &c, 1), 0);
    close(pipes[0]);
}
