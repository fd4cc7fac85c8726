#include "tests/e2e/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/err.h"
#include "tests/lib/json.h"

#define TOLD_MAX 2000 /* of an actor's last words */

static struct {
    struct sandbox sandbox;
    struct actor actors[STAGE_ACTORS_MAX];
    size_t len;
    char bootstrap[64];
} stage;

static void print_end(const char *title, const char *text) {
    size_t len = strlen(text);
    fprintf(stderr, "%s\n%s%s", title, len > TOLD_MAX ? "..." : "",
            len > TOLD_MAX ? text + len - TOLD_MAX : text);
}

static bool remember_line(const char *line, void *data) {
    snprintf(data, PROCESS_LINE_MAX, "%s\n", line);
    return false;
}

static void print_actor(struct actor *a) {
    char title[64], line[PROCESS_LINE_MAX] = "no line\n";
    if (a->process == NULL) return;
    snprintf(title, sizeof title, "--- %s %s:", a->name,
             process_has_ended(a->process) ? "(ended)" : "");
    print_end(title, process_output(a->process, PROCESS_ERR));
    actor_each_line(a, remember_line, line);
    fputs(line, stderr);
}

void must(bool condition, const char *format, ...) {
    if (condition) return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    for (size_t i = 0; i < stage.len; i++) print_actor(&stage.actors[i]);
    exit(1);
}

const char *stage_file(const char *name, char *ret) {
    return sandbox_file(&stage.sandbox, name, ret);
}

bool stage_file_exists(const char *name) {
    char path[PATH_MAX];
    struct stat st;
    return stat(stage_file(name, path), &st) == 0;
}

struct actor *stage_bootstrap(void) {
    return &stage.actors[0];
}
const char *stage_bootstrap_address(void) { return stage.bootstrap; }

/* Starting. */

static void start(struct actor *a, const struct actor_config *config, va_list args) {
    const char *argv[STAGE_WORDS_MAX] = {process_shoal(), config->command};
    size_t n = 2;
    char name[48];
    snprintf(name, sizeof name, "stats-%u", a->starts++);
    sandbox_file(&a->sandbox, name, a->stats);
    const char *const common[] = {
        "--bootstrap", config->is_alone ? "none" : stage.bootstrap, "--listen",
        "127.0.0.1:0", config->is_hushed ? NULL : "--stats",        a->stats};
    for (size_t i = 0; i < ARRAY_LEN(common) && common[i] != NULL; i++) argv[n++] = common[i];
    for (const char *word; (word = va_arg(args, const char *)) != NULL;) {
        must(n + 1 < STAGE_WORDS_MAX, "too many words");
        argv[n++] = word;
    }
    process_free(a->process);
    a->process = process_start(&(struct process_config){.argv = argv,
                                                        .sandbox = &a->sandbox,
                                                        .stdin_path = config->stdin_path,
                                                        .stdout_path = config->stdout_path});
    must(a->process != NULL, "%s does not run", argv[0]);
}

static struct actor *add(const char *name) {
    must(stage.len < STAGE_ACTORS_MAX, "too many actors");
    struct actor *a = &stage.actors[stage.len++];
    *a = (struct actor){0};
    snprintf(a->name, sizeof a->name, "%s", name);
    must(sandbox_make(&a->sandbox) == 0, "no directory for %s", name);
    return a;
}

struct actor *stage_start(const char *name, const char *command, ...) {
    struct actor *a = add(name);
    va_list args;
    va_start(args, command);
    start(a, &(struct actor_config){.name = name, .command = command}, args);
    va_end(args);
    return a;
}

struct actor *stage_start_with(const struct actor_config *config, ...) {
    struct actor *a = add(config->name);
    va_list args;
    va_start(args, config);
    start(a, config, args);
    va_end(args);
    return a;
}

void stage_start_again(struct actor *a, const struct actor_config *config, ...) {
    va_list args;
    va_start(args, config);
    start(a, config, args);
    va_end(args);
}

struct actor *stage_start_source(void) {
    return stage_start("source", "broadcast", SMALL, "--preset", "ultrafast", NULL);
}

void stage_open(void) {
    must(sandbox_make(&stage.sandbox) == 0, "no directory");
    struct actor *a = add("bootstrap");
    stage_start_again(a, &(struct actor_config){.command = "relay", .is_alone = true}, NULL);
    char port[16];
    int err = process_wait_line(a->process, PROCESS_ERR,
                                "info dht: a bootstrap node: others reach it with --bootstrap "
                                "HOST:",
                                STAGE_DEADLINE_US, port, sizeof port);
    must(err == 0, "no bootstrap node");
    snprintf(stage.bootstrap, sizeof stage.bootstrap, "127.0.0.1:%s", port);
}

void stage_close(void) {
    for (size_t i = stage.len; i-- > 0;) {
        process_free(stage.actors[i].process);
        sandbox_remove(&stage.actors[i].sandbox);
    }
    stage.len = 0;
    sandbox_remove(&stage.sandbox);
}

const char *stage_link(struct actor *source, char *ret) {
    int err = process_wait_line(source->process, PROCESS_OUT, "link ", STAGE_DEADLINE_US, ret,
                                STAGE_LINK_MAX);
    must(err == 0, "%s printed no link", source->name);
    return ret;
}

/* Watching. */

void actor_wait(struct actor *a, const char *field, double least) {
    int err = process_wait_number(a->process, a->stats, field, least, STAGE_DEADLINE_US);
    must(err == 0, "%s: %s does not come to %.0f: %s", a->name, field, least, err_text(err));
}

void actors_wait_more(struct actor *const *actors, size_t n, const char *field, double more) {
    double goals[STAGE_ACTORS_MAX];
    must(n <= STAGE_ACTORS_MAX, "too many actors");
    for (size_t i = 0; i < n; i++) goals[i] = actor_number(actors[i], field) + more;
    for (size_t i = 0; i < n; i++) actor_wait(actors[i], field, goals[i]);
}

void actor_wait_more(struct actor *a, const char *field, double more) {
    actors_wait_more(&a, 1, field, more);
}

double stage_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double actor_number(const struct actor *a, const char *field) {
    double value;
    int err = process_last_number(a->stats, field, &value);
    if (err == ERR_STATE) return -1;
    must(err == 0, "%s: no %s in its figures", a->name, field);
    return value;
}

void actor_each_line(struct actor *a, process_predicate *visit, void *data) {
    int err = process_wait_stats(a->process, a->stats, visit, data, 0);
    if (err != ERR_TIMEOUT && err != ERR_END) must(false, "%s: no figures", a->name);
}

void actor_wait_said(struct actor *a, const char *prefix) {
    int err = process_wait_line(a->process, PROCESS_ERR, prefix, STAGE_DEADLINE_US, NULL, 0);
    must(err == 0, "%s does not say '%s'", a->name, prefix);
}

bool actor_has_said(const struct actor *a, const char *part) {
    return strstr(process_output(a->process, PROCESS_ERR), part) != NULL;
}

int program_wait_exit(struct process *p) {
    int status = -1;
    int err = process_wait_exit(p, STAGE_DEADLINE_US, &status);
    must(err == 0, "a process does not end");
    return status;
}

int actor_wait_exit(struct actor *a) {
    int status = -1;
    int err = process_wait_exit(a->process, STAGE_DEADLINE_US, &status);
    must(err == 0, "%s does not end", a->name);
    return status;
}

int actor_stop(struct actor *a, int signal_number) {
    must(process_signal(a->process, signal_number) == 0, "%s has ended by itself", a->name);
    return actor_wait_exit(a);
}

void actor_missed_nothing(const struct actor *a) {
    must(actor_number(a, "chunks.ok") > 0, "%s got nothing", a->name);
    must(actor_number(a, "chunks.missed") == 0, "%s missed %.0f", a->name,
         actor_number(a, "chunks.missed"));
    must(actor_number(a, "skips") == 0, "%s skipped", a->name);
}
