/* stage.h - real processes of the program on a network of their own: a bootstrap node on loopback,
 * and around it sources, relays and viewers, each with directories and a --stats file of its own.
 *
 * A test that cannot go on says why, shows what every actor said last, and exits: the processes end
 * and the directories go with it. Waits are for events, and end with a deadline that is far beyond
 * what a slow machine takes. */
#ifndef STAGE_H
#define STAGE_H

#include "tests/lib/process.h"

#define STAGE_ACTORS_MAX 16
#define STAGE_DEADLINE_US (60 * US_PER_S)
#define STAGE_WORDS_MAX 24 /* of one command line */
#define STAGE_LINK_MAX 512

/* A small picture where its size does not matter: two encoders fit on one core. */
#define SMALL "--size", "320x180", "--fps", "25", "--bitrate", "400k"

struct actor {
    char name[32];
    struct sandbox sandbox; /* stays when it is started again */
    struct process *process;
    char stats[PATH_MAX];
    unsigned starts;
};

struct actor_config {
    const char *name;
    const char *command;
    const char *stdin_path, *stdout_path; /* as struct process_config */
    bool is_alone;                        /* --bootstrap none */
    bool is_hushed;                       /* no --stats */
};

/* Says what is wrong and ends the test, where the condition does not hold. */
PRINTF_LIKE(2, 3) void must(bool condition, const char *format, ...);

/* Starts the bootstrap node. */
void stage_open(void);
/* Ends what still runs. */
void stage_close(void);
/* The bootstrap node itself, and how others reach it. */
struct actor *stage_bootstrap(void);
const char *stage_bootstrap_address(void);
/* A path in the stage's own directory: fills PATH_MAX bytes and returns them. */
const char *stage_file(const char *name, char *ret);
bool stage_file_exists(const char *name);

/* "shoal COMMAND" with the words of a list that ends with NULL. */
struct actor *stage_start(const char *name, const char *command, ...);
struct actor *stage_start_with(const struct actor_config *config, ...);
/* The same actor once more, with its directories, after it has ended. */
void stage_start_again(struct actor *a, const struct actor_config *config, ...);
/* A test: channel with a small picture, whose key stands in the actor's directory. */
struct actor *stage_start_source(void);
/* What the source printed. */
const char *stage_link(struct actor *source, char *ret);

/* Waits until the number in the actor's --stats is at least that much. */
void actor_wait(struct actor *a, const char *field, double least);
/* Until it has grown by that much from now, for each of them. */
void actors_wait_more(struct actor *const *actors, size_t n, const char *field, double more);
void actor_wait_more(struct actor *a, const char *field, double more);
/* The number in the last line; -1 where it is null. */
double actor_number(const struct actor *a, const char *field);
/* Visits all lines so far; `visit` always returns false. */
void actor_each_line(struct actor *a, process_predicate *visit, void *data);
/* Waits for a line on standard error that starts so. */
void actor_wait_said(struct actor *a, const char *prefix);
bool actor_has_said(const struct actor *a, const char *part);

/* Sends the signal, waits for the end, and returns the exit status. */
int actor_stop(struct actor *a, int signal_number);
/* Waits for the end without a signal. */
int actor_wait_exit(struct actor *a);
/* Monotonic, for reports: no test depends on how long something took. */
double stage_now_s(void);

/* The same for any program. */
int program_wait_exit(struct process *p);

/* Nothing was missed, nothing was skipped. */
void actor_missed_nothing(const struct actor *a);

#endif
