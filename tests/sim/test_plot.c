#include "tests/sim/plot.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/sim/chart.h"

static struct report r; /* too large for a stack */
static char folder[64];

static void start(void) {
    strcpy(folder, "/tmp/shoal-plot.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    memset(&r, 0, sizeof r);
    strcpy(r.scenario, "reference");
    r.warmup_s = 2;
    r.stream_bps = 3e6;
    r.seconds_len = 10;
    for (unsigned i = 0; i < r.seconds_len; i++)
        r.seconds[i] = (struct report_second){.lag_p50_ms = 100 + i,
                                              .lag_p99_ms = 300 + i,
                                              .peers = 10,
                                              .media = 3750000,
                                              .headers = 200000,
                                              .control = 100000,
                                              .duplicate = 50000,
                                              .repair = 25000};
    for (unsigned i = 0; i < 1000; i++) lag_histogram_add(&r.lag, i * 400);
    report_finish(&r);
}

static void stop(void) { cr_expect_eq(rmdir(folder), 0, "a picture was left behind"); }

TestSuite(plot, .init = start, .fini = stop);

static const char *path_of(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The picture as text, with a zero behind it; the file is removed. */
static char *take_file(const char *path, size_t *ret_len) {
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s is not there", path);
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)len + 1);
    cr_assert_eq(fread(text, 1, (size_t)len, f), (size_t)len);
    fclose(f);
    unlink(path);
    if (ret_len != NULL) *ret_len = (size_t)len;
    return text;
}

static char *run_svg(void) {
    char why[300] = "";
    cr_assert_eq(plot_run(&r, path_of("run.svg"), why, sizeof why), 0, "%s", why);
    return take_file(path_of("run.svg"), NULL);
}

static unsigned count(const char *text, const char *what) {
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) n++;
    return n;
}

Test(plot, writes_a_whole_svg_with_every_class_of_upload) {
    char *svg = run_svg();
    cr_assert_eq(strncmp(svg, "<?xml", 5), 0);
    cr_assert(strstr(svg, "width=\"900px\" height=\"1000px\"") != NULL);
    cr_assert(strstr(svg, "</svg>\n") != NULL);
    /* An area and its square in the legend. */
    cr_expect_geq(count(svg, "fill:rgb(33.7%,70.6%,91.4%)"), 2);
    cr_expect_geq(count(svg, "fill:rgb(0%,62%,45.1%)"), 2);
    cr_expect_geq(count(svg, "fill:rgb(90.2%,62.4%,0%)"), 2);
    free(svg);
}

Test(plot, writes_a_png_of_twice_the_size) {
    static const char begin[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x07\x08\0\0\x07\xd0";
    char why[300];
    size_t len;
    cr_assert_eq(plot_run(&r, path_of("run.png"), why, sizeof why), 0, "%s", why);
    char *png = take_file(path_of("run.png"), &len);
    cr_assert_gt(len, 10000);
    cr_assert_arr_eq(png, begin, sizeof begin - 1);
    free(png);
}

/* In the orange of the p99: strokes in the legend and the panel, and filled for what never came. */
Test(plot, shows_a_second_whose_chunks_never_came) {
    char *before = run_svg();
    r.seconds[5].lag_p99_ms = INFINITY;
    char *after = run_svg();
    static const char filled[] = "fill:rgb(83.5%,36.9%,0%)";
    cr_assert_eq(count(after, filled), count(before, filled) + 1);
    free(before);
    free(after);
}

Test(plot, draws_what_has_nothing_in_it) {
    memset(&r, 0, sizeof r);
    free(run_svg());
    r.seconds_len = 3;
    r.warmup_s = 30; /* nothing of the measured window */
    lag_histogram_add(&r.lag, TIME_NEVER);
    report_finish(&r);
    r.within_1s = NAN;
    free(run_svg());
}

Test(plot, refuses_names_that_are_no_picture_and_places_that_are_none) {
    char why[300], far[600];
    cr_assert_lt(plot_run(&r, path_of("run.gif"), why, sizeof why), 0);
    cr_assert(strstr(why, "run.gif: expected the name of an .svg or .png file") != NULL, "%s", why);
    cr_assert_lt(plot_run(&r, ".svg", why, sizeof why), 0);
    memset(far, 'x', sizeof far);
    strcpy(far + sizeof far - 5, ".svg");
    cr_assert_lt(plot_run(&r, far, why, sizeof why), 0);
    static const char *const names[] = {"none/run.svg", "none/run.png"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        *why = '\0';
        cr_assert_lt(plot_run(&r, path_of(names[i]), why, sizeof why), 0);
        cr_assert(strstr(why, names[i]) != NULL, "%s", why);
        struct plot_sweep s = {.len = 1, .rows = {{.peers = 10}}};
        cr_assert_eq(plot_sweep(&s, path_of(names[i]), why, sizeof why), ERR_SYSTEM);
    }
}

Test(chart, ends_axes_at_round_numbers) {
    static const double cases[][2] = {{1, 1},    {1.2, 1.5}, {0.16, 0.2},  {412, 500}, {7, 8},
                                      {8.1, 10}, {2.5, 3},   {3000, 3000}, {0, 1},     {-3, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_float_eq(chart_nice_most(cases[i][0]), cases[i][1], 1e-9, "%g", cases[i][0]);
    cr_expect_float_eq(chart_nice_most(INFINITY), 1, 0);
    cr_expect_float_eq(chart_nice_most(NAN), 1, 0);
}

/* --- sweeps --- */

static int read_sweep(const char *text, struct plot_sweep *ret, char *why, size_t why_size) {
    FILE *f = tmpfile();
    cr_assert(f != NULL);
    fputs(text, f);
    rewind(f);
    int err = plot_sweep_read(f, ret, why, why_size);
    fclose(f);
    return err;
}

Test(plot, reads_the_rows_of_a_sweep_and_draws_them) {
    struct plot_sweep s;
    char why[300] = "";
    int err = read_sweep("a sweep\n10 90 210.5 0.12 1.5\n1000 150 360 0.13 1.6\n"
                         "100000 300 inf 0.14 1.7\n",
                         &s, why, sizeof why);
    cr_assert_eq(err, 0, "%s", why);
    cr_assert_str_eq(s.title, "a sweep");
    cr_assert_eq(s.len, 3);
    cr_assert_float_eq(s.rows[0].lag_p99_ms, 210.5, 0);
    cr_assert_float_eq(s.rows[1].overhead, 0.13, 0);
    cr_assert_float_eq(s.rows[2].source_upload_x, 1.7, 0);
    cr_assert(isinf(s.rows[2].lag_p99_ms));
    for (s.len = 1; s.len <= 3; s.len++) {
        cr_assert_eq(plot_sweep(&s, path_of("s.svg"), why, sizeof why), 0, "%s", why);
        char *svg = take_file(path_of("s.svg"), NULL);
        cr_assert(strstr(svg, "</svg>") != NULL);
        cr_assert_eq(count(svg, "NaN") + count(svg, "nan") + count(svg, "inf"), 0);
        free(svg);
    }
}

static void expect_refused(const char *text, int err, const char *said) {
    struct plot_sweep s;
    char why[300] = "";
    cr_expect_eq(read_sweep(text, &s, why, sizeof why), err, "%s", text);
    cr_expect(strstr(why, said) != NULL, "'%s' is not in '%s'", said, why);
}

Test(plot, refuses_a_sweep_without_a_title) {
    char text[200];
    expect_refused("", ERR_FORMAT, "expected a title of at most 127 characters");
    expect_refused("\n10 90 210 0.12 1\n", ERR_FORMAT, "expected a title");
    memset(text, 'x', PLOT_TITLE_MAX);
    strcpy(text + PLOT_TITLE_MAX, "\n10 90 210 0.12 1\n");
    expect_refused(text, ERR_FORMAT, "expected a title");
}

Test(plot, refuses_rows_that_are_none) {
    expect_refused("t\n", ERR_TRUNCATED, "no rows");
    expect_refused("t\n10 90 210 0.12\n", ERR_FORMAT, "row 1: '10 90 210 0.12': expected peers");
    expect_refused("t\n10 90 210 0.12 1 2\n", ERR_FORMAT, "row 1");
    expect_refused("t\n10 90 x 0.12 1\n", ERR_FORMAT, "row 1");
    expect_refused("t\n\n", ERR_FORMAT, "row 1: ''");
    expect_refused("t\n1 90 210 0.12 1\n", ERR_RANGE, "row 1");
    expect_refused("t\ninf 90 210 0.12 1\n", ERR_RANGE, "row 1");
    expect_refused("t\n10 -90 210 0.12 1\n", ERR_RANGE, "row 1");
    expect_refused("t\n10 90 nan 0.12 1\n", ERR_RANGE, "row 1");
    expect_refused("t\n10 90 210 inf 1\n", ERR_RANGE, "row 1");
    expect_refused("t\n10 90 210 0.12 inf\n", ERR_RANGE, "row 1");
    expect_refused("t\n10 90 210 0.12 1\n10 90 210 0.12 1\n", ERR_RANGE, "row 2");
    char many[2000] = "t\n";
    for (unsigned i = 0; i <= PLOT_SWEEP_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%u 1 1 1 1\n", i + 2);
    expect_refused(many, ERR_FULL, "more than 32 rows");
}
