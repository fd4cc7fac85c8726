/* main.c - the program "shoal": finds the command, reads its options, runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/help.h"
#include "cli/log.h"
#include "cli/manual.h"
#include "cli/options.h"
#include "cli/version.h"
#include "core/base/err.h"
#include "core/crypto/random.h"

static int unknown_command(const char *name) {
    const struct command *nearest = command_nearest(name);
    fprintf(stderr, "shoal: '%.60s': no such command; ", name);
    if (nearest != NULL && command_is_built(nearest))
        fprintf(stderr, "did you mean '%s'?\n", nearest->name);
    else
        fprintf(stderr, "see 'shoal --help'\n");
    return EXIT_USAGE;
}

/* What was asked for on standard output has arrived there, or the program has failed. */
static int printed(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_DONE;
    perror("shoal: standard output");
    return EXIT_FAILED;
}

static int help(const char *name) {
    const struct command *command = name == NULL ? NULL : command_find(name);
    if (name != NULL && (command == NULL || !command_is_built(command)))
        return unknown_command(name);
    if (command == NULL)
        help_overview(stdout);
    else
        help_command(stdout, command);
    return printed();
}

/* What stands in the place of a command. Returns an exit status, or -1 for none of these. */
static int about(const char *word, const char *next) {
    if (strcmp(word, "help") == 0) return help(next);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return help(NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("shoal %s\n", SHOAL_VERSION);
        return printed();
    }
    if (strcmp(word, "--manual-part") == 0 && next != NULL && manual_print(stdout, next))
        return printed();
    if (strcmp(word, "--completion") == 0) {
        completion_print(stdout);
        return printed();
    }
    return -1;
}

static bool help_is_wanted(int argc, char *const *argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static int run(const struct command *command, int argc, char *const *argv) {
    struct options options;
    char message[OPTIONS_MESSAGE_MAX];
    int err = options_read(&options, command, argc, argv, message);
    if (err) {
        fprintf(stderr, "shoal: %s\n", message);
        return err == ERR_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
    }
    log_start_stderr((enum log_level)options.log.index);
    int status = command_run(&options);
    log_status_end();
    options_release(&options);
    return status;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of the write */
    if (random_start() != 0) {
        fprintf(stderr, "shoal: no random numbers from the system\n");
        return EXIT_FAILED;
    }
    if (argc < 2) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    int status = about(argv[1], argc > 2 ? argv[2] : NULL);
    if (status >= 0) return status;
    const struct command *command = command_find(argv[1]);
    if (command == NULL || !command_is_built(command)) return unknown_command(argv[1]);
    if (help_is_wanted(argc - 2, argv + 2)) return help(command->name);
    return run(command, argc - 2, argv + 2);
}
