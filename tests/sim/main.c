/* shoal-sim - one simulated run: a scenario, a seed, a report. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/sim/plot.h"
#include "tests/sim/world.h"

#define WHY_MAX SCENARIO_WHY_MAX
#define USAGE 2

struct options {
    const char *plot;
    uint64_t seed;
    const char *trace; /* whose decisions are told on stderr; NULL: nobody's */
    uint64_t traced;
    bool json, series, expects, census;
};

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rss_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void print_help(void) {
    puts("usage: shoal-sim [--scenario NAME] [--seed K] [--PARAMETER VALUE]...\n"
         "                 [--json [--series]] [--plot FILE.svg|FILE.png] [--trace PEER] "
         "[--census] [--expect]\n"
         "\n"
         "Simulates a swarm of the program's own nodes in virtual time and reports lag, missed\n"
         "chunks, overhead and the source's upload. Without a scenario: reference.\n"
         "\n"
         "  --seed K        everything that is drawn follows from it (1)\n"
         "  --json          one object on stdout; with --series, also every second\n"
         "  --plot FILE     lag, its distribution and upload over time\n"
         "  --trace PEER    what that peer decides, in words, on stderr; 0 is the source; or all\n"
         "  --census        what the swarm is short of, a line a second on stderr\n"
         "  --expect        exit 1 where the scenario's expectations do not hold\n"
         "  --scenarios DIR the folder in which tests/sim/scenarios is (.)\n"
         "  --plot-sweep F  draws what scripts/sweep writes on stdin, runs nothing\n"
         "\n"
         "Parameters of the scenario:");
    scenario_print_help(stdout);
}

static int refuse(const char *why) {
    fprintf(stderr, "shoal-sim: %s\n", why);
    return USAGE;
}

/* The scenario's name comes first, wherever it stands: flags override it. */
static const char *value_of(int argc, char **argv, const char *flag, const char *otherwise) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], flag) == 0) return argv[i + 1];
    return otherwise;
}

static bool parse_number(const char *text, uint64_t *ret) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0 || end == text || *text == '-') return false;
    *ret = value;
    return true;
}

static bool is_switch(const char *flag, struct options *o) {
    if (strcmp(flag, "--json") == 0) return o->json = true;
    if (strcmp(flag, "--series") == 0) return o->series = true;
    if (strcmp(flag, "--census") == 0) return o->census = true;
    if (strcmp(flag, "--expect") == 0) return o->expects = true;
    return false;
}

/* Takes argv[*at] where it is one of ours; returns 1, 0 where it is not, or USAGE. */
static int take_option(char **argv, int *at, struct options *o) {
    char why[WHY_MAX];
    const char *flag = argv[*at], *value = argv[*at + 1];
    if (is_switch(flag, o)) {
        ++*at;
        return 1;
    }
    bool is_plot = strcmp(flag, "--plot") == 0, is_seed = strcmp(flag, "--seed") == 0;
    bool is_trace = strcmp(flag, "--trace") == 0;
    bool is_read = strcmp(flag, "--scenario") == 0 || strcmp(flag, "--scenarios") == 0;
    if (!is_plot && !is_seed && !is_trace && !is_read) return 0;
    if (value == NULL) {
        snprintf(why, sizeof why, "%s: a value is missing", flag);
        return refuse(why);
    }
    *at += 2;
    if (is_plot) o->plot = value;
    if (is_trace) o->trace = value;
    if (is_seed && (!parse_number(value, &o->seed) || o->seed == 0)) {
        snprintf(why, sizeof why, "--seed: '%s' is not a whole number from 1 on", value);
        return refuse(why);
    }
    return 1;
}

static int parse(int argc, char **argv, struct options *o, struct scenario *scenario) {
    char why[WHY_MAX];
    const char *folder = value_of(argc, argv, "--scenarios", ".");
    const char *name = value_of(argc, argv, "--scenario", "reference");
    if (scenario_load(folder, name, scenario, why, sizeof why)) return refuse(why);
    for (int i = 1; i < argc;) {
        int taken = take_option(argv, &i, o);
        if (taken == USAGE) return USAGE;
        if (taken == 0) taken = scenario_take_flag(scenario, argv, &i, why, sizeof why);
        if (taken < 0) return refuse(why);
        if (taken > 0) continue;
        snprintf(why, sizeof why, "'%s' is no flag; see --help", argv[i]);
        return refuse(why);
    }
    if (scenario_check(scenario, why, sizeof why)) return refuse(why);
    if (o->trace == NULL) return 0;
    o->traced = WORLD_TELL_ALL;
    if (strcmp(o->trace, "all") == 0) return 0;
    if (parse_number(o->trace, &o->traced) && o->traced < scenario->peers) return 0;
    snprintf(why, sizeof why, "--trace: '%s' is neither 'all' nor a whole number from 0 to %u",
             o->trace, scenario->peers - 1);
    return refuse(why);
}

static int finish(const struct report *r, const struct options *o, const struct scenario *s) {
    char why[WHY_MAX];
    if (o->json && o->series)
        report_print_json_seconds(r, stdout);
    else if (o->json)
        report_print_json(r, stdout);
    else
        report_print_text(r, stdout);
    if (o->plot != NULL && plot_run(r, o->plot, why, sizeof why)) return refuse(why);
    return o->expects && report_check(r, s, stderr) > 0 ? 1 : 0;
}

static int draw_sweep(const char *path) {
    char why[WHY_MAX];
    struct plot_sweep sweep;
    if (plot_sweep_read(stdin, &sweep, why, sizeof why)) return refuse(why);
    return plot_sweep(&sweep, path, why, sizeof why) ? refuse(why) : 0;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    if (argc == 3 && strcmp(argv[1], "--plot-sweep") == 0) return draw_sweep(argv[2]);
    struct options options = {.seed = 1};
    struct scenario scenario;
    int err = parse(argc, argv, &options, &scenario);
    if (err) return err;
    double began_s = cpu_s();
    struct world *w = world_new(&scenario, options.seed);
    if (options.trace != NULL) world_tell(w, (unsigned)options.traced, stderr);
    if (options.census) world_census(w, stderr);
    world_run_all(w);
    static struct report report; /* too large for a stack */
    world_report(w, &report);
    report.cpu_s = cpu_s() - began_s;
    report.rss_mb = rss_mb();
    report.events_per_cpu_s = (double)report.events / report.cpu_s;
    report.speed_x = report.simulated_s / report.cpu_s;
    world_free(w);
    return finish(&report, &options, &scenario);
}
