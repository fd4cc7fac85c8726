#include "tests/sim/scenario.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"

/* A folder with tests/sim/scenarios in it, removed with its files at the end. */
static char folder[64];

static void folder_make(void) {
    char path[PATH_MAX];
    strcpy(folder, "/tmp/shoal-scenarios.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    static const char *const below[] = {"tests", "tests/sim", "tests/sim/scenarios"};
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, below[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
}

static void folder_remove(void) {
    static const char *const inside[] = {"tests/sim/scenarios", "tests/sim", "tests", "."};
    char path[PATH_MAX], file[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, inside[i]);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
            snprintf(file, sizeof file, "%.200s/%.255s", path, e->d_name);
            if (e->d_type == DT_REG) unlink(file);
        }
        if (dir != NULL) closedir(dir);
        rmdir(i + 1 < ARRAY_LEN(inside) ? path : folder);
    }
}

TestSuite(scenario, .init = folder_make, .fini = folder_remove);

static void write_file(const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tests/sim/scenarios/%s.txt", folder, name);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL);
    fputs(text, f);
    fclose(f);
}

static struct scenario load(const char *where, const char *name) {
    struct scenario s;
    char why[SCENARIO_WHY_MAX] = "";
    cr_assert_eq(scenario_load(where, name, &s, why, sizeof why), 0, "%s", why);
    return s;
}

/* The file is refused with this error and this line, which is one, and `ret` stays as it was. */
static void expect_refused(const char *text, int err, const char *said) {
    struct scenario s = {.peers = 77};
    char why[SCENARIO_WHY_MAX] = "", expected[PATH_MAX];
    write_file("bad", text);
    snprintf(expected, sizeof expected, "%s/tests/sim/scenarios/bad.txt:%s", folder, said);
    cr_expect_eq(scenario_load(folder, "bad", &s, why, sizeof why), err, "%s", why);
    cr_expect_eq(s.peers, 77);
    cr_expect_str_eq(why, expected);
}

Test(scenario, starts_from_the_values_of_the_table_and_the_uplinks_of_the_reference) {
    struct scenario s = scenario_default();
    cr_assert_eq(s.peers, 1000);
    cr_assert_float_eq(s.bitrate, 3e6, 0);
    cr_assert_float_eq(s.loss, 0.005, 0);
    cr_assert_eq(s.mtu, 1500);
    cr_assert_not(s.crypto);
    cr_assert_eq(s.classes_len, 3);
    cr_assert_float_eq(s.classes[0].share * s.classes[0].ratio, 0.75, 1e-9);
    cr_assert_float_eq(s.classes[2].share, 0.4, 0);
    cr_assert_eq(s.expectations_len, 0);
    cr_assert_str_empty(s.name);
}

Test(scenario, reads_values_comments_uplinks_and_expectations) {
    write_file("good", "# what it is \n\n"
                       "peers 10k # many\n"
                       "  bitrate\t2.5M\n"
                       "delay_mean 0.04s\nsession_median 2min\njoin_spread 500ms\nmtu 1400\n"
                       "crypto yes\nreorders 1\nprivate no\n"
                       "uplinks 0.5*2  0.5*.5\n"
                       "expect lag_ms.p99 <= 450\n"
                       "expect within_1s > 0.999 # nearly all");
    struct scenario s = load(folder, "good");
    cr_assert_str_eq(s.name, "good");
    cr_assert_str_eq(s.description, "what it is");
    cr_assert_eq(s.peers, 10000);
    cr_assert_float_eq(s.bitrate, 2.5e6, 0);
    cr_assert_float_eq(s.delay_mean, 40, 1e-9);
    cr_assert_float_eq(s.session_median, 120, 1e-9);
    cr_assert_float_eq(s.join_spread, 0.5, 1e-9);
    cr_assert_eq(s.mtu, 1400);
    cr_assert(s.crypto && s.reorders && !s.private);
    cr_assert_eq(s.classes_len, 2);
    cr_assert_float_eq(s.classes[1].ratio, 0.5, 0);
    cr_assert_eq(s.expectations_len, 2);
    cr_assert_str_eq(s.expectations[0].figure, "lag_ms.p99");
    cr_assert_str_eq(s.expectations[0].operator, "<=");
    cr_assert_float_eq(s.expectations[0].value, 450, 0);
    cr_assert_str_eq(s.expectations[1].operator, ">");
}

Test(scenario, takes_the_values_of_its_base_and_not_its_expectations) {
    write_file("first", "# first\nloss 0.1\njitter 7\nuplinks 1*1\nexpect within_1s >= 0.9\n");
    write_file("second", "# second\n\nbase first\nloss 0.2\nexpect stall_free >= 0.5\n");
    struct scenario s = load(folder, "second");
    cr_assert_str_eq(s.name, "second");
    cr_assert_str_eq(s.description, "second");
    cr_assert_float_eq(s.loss, 0.2, 0);
    cr_assert_float_eq(s.jitter, 7, 0);
    cr_assert_eq(s.classes_len, 1);
    cr_assert_eq(s.expectations_len, 1);
    cr_assert_str_eq(s.expectations[0].figure, "stall_free");
}

Test(scenario, refuses_bad_values_with_file_and_line) {
    expect_refused("# x\nlosss 1\n", ERR_UNKNOWN,
                   "2: 'losss': no such parameter; shoal-sim --help lists them");
    expect_refused("# x\n\nloss 2\n", ERR_RANGE, "3: loss '2': expected a number from 0 to 1");
    expect_refused("# x\nloss -1\n", ERR_FORMAT, "2: loss '-1': expected a number from 0 to 1");
    expect_refused("# x\nloss 1.2.3\n", ERR_FORMAT,
                   "2: loss '1.2.3': expected a number from 0 to 1");
    expect_refused("# x\nloss nan\n", ERR_FORMAT, "2: loss 'nan': expected a number from 0 to 1");
    expect_refused("# x\nloss 0000000000000000000000000.1\n", ERR_FORMAT,
                   "2: loss '0000000000000000000000000.1': expected a number from 0 to 1");
    expect_refused("# x\npeers 2.5\n", ERR_FORMAT,
                   "2: peers '2.5': expected a whole number from 2 to 200000, or with k");
    expect_refused("# x\npeers 1\n", ERR_RANGE,
                   "2: peers '1': expected a whole number from 2 to 200000, or with k");
    expect_refused("# x\nbitrate 3m\n", ERR_FORMAT,
                   "2: bitrate '3m': expected a number from 0 to 100000000 b/s, or with k, M");
    expect_refused("# x\nseconds 0\n", ERR_RANGE,
                   "2: seconds '0': expected a number from 0.1 to 3600 s, or with s, ms, min");
    expect_refused("# x\ncrypto 2\n", ERR_FORMAT, "2: crypto '2': expected yes or no");
    expect_refused("# x\nresource-index 1\n", ERR_UNKNOWN,
                   "2: 'resource-index': names in files have _ for -");
    expect_refused("# x\nloss\n", ERR_FORMAT, "2: 'loss': expected NAME VALUE");
    expect_refused("# x\nloss 0.1 0.2\n", ERR_FORMAT,
                   "2: loss '0.1 0.2': expected a number from 0 to 1");
}

static void expect_uplinks_refused(const char *value, int err) {
    char text[200], said[400];
    snprintf(text, sizeof text, "# x\nuplinks %s\n", value);
    snprintf(said, sizeof said,
             "2: uplinks '%.60s': expected 1 to 4 of SHARE*RATIO with shares that add up to 1 and "
             "ratios up to 100, as in 0.15*5 0.45*1 0.4*0.25",
             value);
    expect_refused(text, err, said);
}

Test(scenario, refuses_uplinks_that_are_no_classes) {
    expect_uplinks_refused("1", ERR_FORMAT);
    expect_uplinks_refused("1*", ERR_FORMAT);
    expect_uplinks_refused("x*1", ERR_FORMAT);
    expect_uplinks_refused("1*1x", ERR_FORMAT);
    expect_uplinks_refused("0.5*1", ERR_RANGE);
    expect_uplinks_refused("1*101", ERR_RANGE);
    expect_uplinks_refused("0.2*1 0.2*1 0.2*1 0.2*1 0.2*1", ERR_RANGE);
}

Test(scenario, refuses_expectations_that_cannot_be_checked) {
    static const char usage[] =
        "2: expected expect FIGURE OPERATOR VALUE, as in expect lag_ms.p99 <= 450";
    expect_refused("# x\nexpect within_1s 0.9\n", ERR_FORMAT, usage);
    expect_refused("# x\nexpect within_1s >= 0.9 1\n", ERR_FORMAT, usage);
    expect_refused("# x\nexpect lag.p99 <= 4\n", ERR_UNKNOWN,
                   "2: 'lag.p99': no such figure; expected a path as in lag_ms.p99 or within_1s "
                   "(report.def has them)");
    expect_refused("# x\nexpect within_1s =< 4\n", ERR_FORMAT,
                   "2: '=<': expected <=, >=, ==, < or >");
    expect_refused("# x\nexpect within_1s <= 4x\n", ERR_FORMAT,
                   "2: '4x': expected a number of 0 or more");
    expect_refused("# x\nexpect within_1s <= -4\n", ERR_FORMAT,
                   "2: '-4': expected a number of 0 or more");
    char many[1024] = "# x\n";
    for (unsigned i = 0; i <= SCENARIO_EXPECTATIONS_MAX; i++)
        strcat(many, "expect within_1s > 0.9\n");
    expect_refused(many, ERR_FULL, "18: more than 16 expectations");
}

Test(scenario, refuses_files_without_a_description_and_without_end) {
    static const char usage[] =
        "1: expected a comment of at most 127 characters that says what the scenario is";
    char text[2000] = "# ";
    expect_refused("loss 0.1\n", ERR_FORMAT, usage);
    expect_refused("loss 0.1 # x\n", ERR_FORMAT, usage);
    expect_refused("#\n", ERR_FORMAT, usage);
    expect_refused("", ERR_TRUNCATED,
                   "1: empty: expected a comment that says what the scenario is");
    memset(text + 2, 'x', 128);
    expect_refused(text, ERR_FORMAT, usage);
    memset(text + 2, 'x', 300);
    expect_refused(text, ERR_FORMAT, "1: more than 254 characters in a line");
    strcpy(text, "# x");
    for (unsigned i = 0; i < 200; i++) strcat(text, "\n#");
    expect_refused(text, ERR_FULL, "201: more than 200 lines");
}

Test(scenario, refuses_a_base_that_is_late_missing_or_a_circle) {
    expect_refused("# x\nloss 0\nbase other\n", ERR_FORMAT,
                   "3: base other: must stand before everything else");
    expect_refused("# x\nbase other\n", ERR_NOT_FOUND,
                   "2: 'other': no such scenario; there are bad");
    expect_refused("# x\nbase bad\n", ERR_FULL,
                   "2: base bad: more than 4 files, or a circle of them");
    expect_refused("# x\nbase ../bad\n", ERR_NOT_FOUND,
                   "2: '../bad': no such scenario; there are bad");
    struct scenario s;
    char why[SCENARIO_WHY_MAX];
    write_file("wrong", "# wrong\nloss 7\n");
    write_file("above", "# above\nbase wrong\n");
    cr_assert_eq(scenario_load(folder, "above", &s, why, sizeof why), ERR_RANGE);
    cr_assert(strstr(why, "/wrong.txt:2: loss '7'") != NULL, "%s", why);
}

Test(scenario, says_which_scenarios_there_are) {
    struct scenario s;
    char why[SCENARIO_WHY_MAX];
    write_file("one", "# one\n");
    write_file("two", "# two\n");
    static const char *const names[] = {"three", "", "../one", "One",
                                        "a-name-of-more-than-31-characters"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char said[200];
        snprintf(said, sizeof said, "'%s': no such scenario; there are one, two", names[i]);
        cr_expect_eq(scenario_load(folder, names[i], &s, why, sizeof why), ERR_NOT_FOUND);
        cr_expect_str_eq(why, said);
    }
    cr_assert_eq(scenario_load("/nowhere", "one", &s, why, sizeof why), ERR_NOT_FOUND);
    cr_assert_str_eq(why, "/nowhere/tests/sim/scenarios: No such file or directory");
    char far[600];
    memset(far, 'x', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    cr_assert_eq(scenario_load(far, "one", &s, why, sizeof why), ERR_RANGE);
    cr_assert(strstr(why, "the folder's path is too long") != NULL, "%s", why);
}

Test(scenario, cuts_a_message_where_there_is_little_room) {
    struct scenario s;
    for (size_t size = 1; size < 100; size++) {
        char why[100];
        memset(why, 'x', sizeof why);
        write_file("bad", "# x\nloss 2\n");
        cr_assert_lt(scenario_load(folder, "bad", &s, why, size), 0);
        cr_assert_lt(strnlen(why, sizeof why), size);
        cr_assert_lt(scenario_set(&s, "bitrate", "x", why, size), 0);
        cr_assert_lt(strnlen(why, sizeof why), size);
    }
}

Test(scenario, refuses_values_that_contradict_each_other) {
    static const char *const cases[][2] = {
        {"delay_least 50", "delay_least, delay_mean and delay_most must be in this order"},
        {"delay_mean 91", "delay_least, delay_mean and delay_most must be in this order"},
        {"find_p95 100", "find_median must be at most find_p95"},
        {"bitrate 0", "bitrate and audio are both 0: there is nothing to send"},
        {"polluters 0.6\nfree_riders 0.6",
         "free_riders, polluters and replayers must be at most 1 together"},
        {"crowd_share 0.1\ncrowd_at 55", "crowd_at + crowd_over must be at most seconds"},
        {"kill_share 0.1\nkill_at 60", "kill_at must be less than seconds"},
        {"partition_share 0.1\npartition_at 60", "partition_at must be less than seconds"},
        {"source_restart_at 60", "source_restart_at must be less than seconds"},
        {"source_cut_at 60", "source_cut_at must be less than seconds"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200], said[200];
        snprintf(text, sizeof text, "# x\n%s\n", cases[i][0]);
        snprintf(said, sizeof said, " %s", cases[i][1]);
        expect_refused(text, ERR_RANGE, said);
    }
}

Test(scenario, takes_flags_with_values_behind_or_in_them) {
    char *argv[] = {"--resource-index", "1.1",       "--loss=3", "--crypto", "--declared=no",
                    "--json",           "--uplinks", "1*1",      "--peers",  NULL};
    struct scenario s = scenario_default();
    char why[SCENARIO_WHY_MAX];
    int at = 0;
    s.declared = true;
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 1);
    cr_assert_eq(at, 2);
    cr_assert_float_eq(s.resource_index, 1.1, 0);
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), ERR_RANGE);
    cr_assert_str_eq(why, "--loss '3': expected a number from 0 to 1");
    cr_assert_eq(at, 2);
    at = 3;
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 1);
    cr_assert(s.crypto);
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 1);
    cr_assert_not(s.declared);
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 0);
    cr_assert_eq(at, 5);
    at = 6;
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 1);
    cr_assert_eq(s.classes_len, 1);
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), ERR_FORMAT);
    cr_assert_str_eq(why, "--peers: needs a value");
    at = 9;
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), 0);
}

Test(scenario, names_flags_in_messages_as_they_are_written) {
    char *argv[] = {"--resource-index", "x", NULL}, *none[] = {"loss", "--",
                                                               "---------------------"
                                                               "-----------------",
                                                               NULL};
    struct scenario s = scenario_default();
    char why[SCENARIO_WHY_MAX];
    int at = 0;
    cr_assert_eq(scenario_take_flag(&s, argv, &at, why, sizeof why), ERR_FORMAT);
    cr_assert_str_eq(why, "--resource-index 'x': expected a number from 0 to 100 x");
    for (at = 0; at < 3; at++) cr_assert_eq(scenario_take_flag(&s, none, &at, why, sizeof why), 0);
}

Test(scenario, lists_every_flag_in_its_help) {
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    scenario_print_help(to);
    fclose(to);
    cr_assert(strstr(text, "  --resource-index X           total raw upload over peers x stream "
                           "rate; 0: the classes as they are (1.25 x)\n") != NULL,
              "%s", text);
    cr_assert(strstr(text, "  --crypto                     real signatures") != NULL, "%s", text);
    cr_assert(strstr(text, "  --uplinks 'SHARE*RATIO...'") != NULL, "%s", text);
#define SCENARIO_FIELD(name, type, least, most, initial, unit, help)                               \
    cr_expect(strstr(text, help) != NULL, "%s", #name);
#include "tests/sim/scenario.def"
#undef SCENARIO_FIELD
    free(text);
}

/* --- the files in the tree --- */

static const char *const required[] = {"reference",      "static",         "flash-crowd",
                                       "half-killed",    "partition",      "free-riders",
                                       "polluters",      "equivocation",   "replayed-broadcast",
                                       "eclipse",        "source-restart", "skewed-uplinks",
                                       "thin-source",    "keyframes",      "low-rate",
                                       "low-rate-audio", "lossy",          "tiny",
                                       "source-only",    "source-cut",     "wan"};

Test(scenario, reads_each_file_of_the_tree) {
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        struct scenario s = load(".", required[i]);
        cr_expect_str_eq(s.name, required[i]);
        bool has_unverified = false;
        for (unsigned e = 0; e < s.expectations_len; e++)
            has_unverified |= strcmp(s.expectations[e].figure, "unverified_delivered") == 0;
        cr_expect(has_unverified, "%s", required[i]);
        cr_expect_geq(s.expectations_len, 2, "%s", required[i]);
    }
}

/* What flags without a scenario run is the reference too. */
Test(scenario, has_a_reference_that_says_what_the_defaults_are) {
    struct scenario s = load(".", "reference"), d = scenario_default();
#define SCENARIO_FIELD(name, type, least, most, initial, unit, help)                               \
    cr_expect_float_eq((double)s.name, (double)d.name, 1e-12, "%s", #name);
#include "tests/sim/scenario.def"
#undef SCENARIO_FIELD
    cr_assert_eq(s.classes_len, d.classes_len);
    cr_assert_arr_eq(s.classes, d.classes, sizeof d.classes);
}

Test(scenario, has_files_that_differ_from_the_reference_in_what_they_are_about) {
    cr_expect_float_eq(load(".", "static").session_median, 0, 0);
    cr_expect_float_eq(load(".", "flash-crowd").crowd_share, 0.9, 0);
    cr_expect_float_eq(load(".", "half-killed").kill_share, 0.5, 0);
    cr_expect_gt(load(".", "partition").partition_share, 0);
    cr_expect_float_eq(load(".", "free-riders").free_riders, 0.5, 0);
    cr_expect_float_eq(load(".", "polluters").polluters, 0.1, 0);
    cr_expect_gt(load(".", "equivocation").equivocation, 0);
    cr_expect_gt(load(".", "replayed-broadcast").replayers, 0);
    cr_expect_gt(load(".", "eclipse").eclipse, 0);
    cr_expect_gt(load(".", "source-restart").source_restart_at, 0);
    cr_expect_gt(load(".", "source-cut").source_cut_at, 0);
    cr_expect_float_eq(load(".", "thin-source").source_uplink, 1.2, 0);
    cr_expect_float_eq(load(".", "keyframes").keyframe_ratio, 8, 0);
    cr_expect_float_eq(load(".", "low-rate").bitrate, 350e3, 0);
    cr_expect_float_eq(load(".", "low-rate-audio").bitrate, 0, 0);
    cr_expect_float_eq(load(".", "low-rate-audio").audio, 128e3, 0);
    cr_expect_float_eq(load(".", "lossy").loss, 0.03, 0);
    cr_expect_gt(load(".", "lossy").loss_burst, 1);
    cr_expect_eq(load(".", "tiny").peers, 3);
    cr_expect(load(".", "source-only").source_only);
    cr_expect_float_eq(load(".", "source-only").source_uplink_per_peer, 1.3, 0);
}
