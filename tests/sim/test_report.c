#include "tests/sim/report.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/json.h"

static struct report r; /* too large for a stack */

/* Distinct values everywhere, so that no two can be taken for each other. */
static void fill(void) {
    memset(&r, 0, sizeof r);
    r.peers = 1000;
    r.seed = 7;
    strcpy(r.scenario, "half-killed");
    r.lag_p50_ms = 101, r.lag_p99_ms = 399, r.lag_p999_ms = 700.5, r.lag_max_ms = INFINITY;
    r.within_1s = 0.999875, r.stall_free = 0.99, r.within_1s_settled = 0.9991;
    r.source_upload_x = 1.7654;
    r.overhead_total = 0.14, r.overhead_headers = 0.07, r.overhead_control = 0.03;
    r.overhead_duplicate = 0.025, r.overhead_repair = 0.015;
    r.startup_p50_ms = 810, r.startup_p95_ms = 1620;
    r.failover_p50_ms = 120, r.failover_p99_ms = 450;
    r.free_rider_lag_ms = 890;
    r.unverified_delivered = 3, r.honest_banned = 2, r.recovery_s = 4.5;
    r.events = 123456789, r.events_per_cpu_s = 2.5e6;
    r.simulated_s = 90, r.cpu_s = 30, r.speed_x = 3, r.rss_mb = 412.5;
    r.trace = 0xfedcba9876543210;
}

TestSuite(report, .init = fill);

static char *text_of(void (*print)(const struct report *, FILE *)) {
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    print(&r, to);
    fclose(to);
    return text;
}

Test(report, has_no_quantile_of_nothing) {
    report_finish(&r);
    cr_assert_float_eq(r.lag_p50_ms, 0, 0);
    cr_assert_float_eq(r.lag_max_ms, 0, 0);
}

Test(report, gives_quantiles_at_the_upper_end_of_their_millisecond) {
    for (unsigned i = 0; i < 1000; i++) lag_histogram_add(&r.lag, i * US_PER_MS + 999);
    cr_assert_eq(r.lag.total, 1000);
    cr_assert_float_eq(lag_histogram_quantile(&r.lag, 0), 1, 0);
    cr_assert_float_eq(lag_histogram_quantile(&r.lag, 0.5), 500, 0);
    cr_assert_float_eq(lag_histogram_quantile(&r.lag, 1), 1000, 0);
    report_finish(&r);
    cr_assert_float_eq(r.lag_p50_ms, 500, 0);
    cr_assert_float_eq(r.lag_p99_ms, 990, 0);
    cr_assert_float_eq(r.lag_p999_ms, 999, 0);
    cr_assert_float_eq(r.lag_max_ms, 999.999, 1e-9);
}

Test(report, counts_what_never_came_as_infinitely_late) {
    for (unsigned i = 0; i < 995; i++) lag_histogram_add(&r.lag, 10 * US_PER_MS);
    for (unsigned i = 0; i < 5; i++) lag_histogram_add(&r.lag, TIME_NEVER);
    report_finish(&r);
    cr_assert_eq(r.lag.infinite, 5);
    cr_assert_float_eq(r.lag_p99_ms, 11, 0);
    cr_assert(isinf(r.lag_p999_ms));
    cr_assert(isinf(r.lag_max_ms));
}

Test(report, does_not_make_what_is_very_late_look_earlier) {
    lag_histogram_add(&r.lag, 3999 * US_PER_MS);
    cr_assert_float_eq(lag_histogram_quantile(&r.lag, 1), REPORT_LAG_BINS, 0);
    lag_histogram_add(&r.lag, 9000 * US_PER_MS);
    cr_assert_float_eq(lag_histogram_quantile(&r.lag, 0.5), 9000, 0);
}

Test(report, prints_one_line_of_json_in_the_order_of_the_table) {
    char *text = text_of(report_print_json);
    cr_assert_str_eq(text,
                     "{\"peers\":1000,\"seed\":7,\"scenario\":\"half-killed\","
                     "\"lag_ms\":{\"p50\":101.0,\"p99\":399.0,\"p999\":700.5,\"max\":null},"
                     "\"within_1s\":0.999875,\"stall_free\":0.990000,\"source_upload_x\":1.7654,"
                     "\"overhead\":{\"total\":0.14000,\"headers\":0.07000,\"control\":0.03000,"
                     "\"duplicate\":0.02500,\"repair\":0.01500},"
                     "\"startup_ms\":{\"p50\":810.0,\"p95\":1620.0},"
                     "\"failover_ms\":{\"p50\":120.0,\"p99\":450.0},\"free_rider_lag_ms\":890.0,"
                     "\"unverified_delivered\":3,\"events\":123456789,\"events_per_cpu_s\":2500000,"
                     "\"simulated_s\":90.000,\"cpu_s\":30.000,\"speed_x\":3.000,\"rss_mb\":412.5,"
                     "\"trace\":\"fedcba9876543210\"}\n");
    cr_assert_eq(json_check(text), 0);
    free(text);
}

Test(report, prints_seconds_only_where_asked) {
    double number;
    r.seconds_len = 2;
    r.seconds[1] = (struct report_second){.lag_p50_ms = 90,
                                          .lag_p99_ms = INFINITY,
                                          .peers = 5,
                                          .media = 10,
                                          .headers = 11,
                                          .control = 12,
                                          .duplicate = 13,
                                          .repair = 14,
                                          .source_bytes = 15};
    char *text = text_of(report_print_json_seconds), *without = text_of(report_print_json);
    cr_assert_eq(json_check(text), 0, "%s", text);
    cr_assert_eq(json_number(text, "overhead.repair", &number), 0);
    cr_assert(strstr(text, ",\"seconds\":[{\"lag_ms\":{\"p50\":0.0,") != NULL, "%s", text);
    cr_assert(strstr(text, ",{\"lag_ms\":{\"p50\":90.0,\"p99\":null},\"peers\":5,\"media\":10,"
                           "\"headers\":11,\"control\":12,\"duplicate\":13,\"repair\":14,"
                           "\"source_bytes\":15}]}\n") != NULL,
              "%s", text);
    cr_assert(strstr(without, "seconds\":") == NULL, "%s", without);
    free(text);
    free(without);
}

Test(report, has_nothing_that_is_no_json_number) {
    double number;
    r.within_1s = NAN;
    r.lag_p50_ms = -INFINITY;
    char *text = text_of(report_print_json);
    cr_assert_eq(json_check(text), 0);
    cr_assert_eq(json_number(text, "within_1s", &number), ERR_STATE);
    cr_assert_eq(json_number(text, "lag_ms.p50", &number), ERR_STATE);
    free(text);
}

/* The same number by the path in the JSON and in report_figure. */
Test(report, finds_each_figure_by_its_path_in_the_json) {
    static const char *const paths[] = {"peers",
                                        "seed",
                                        "lag_ms.p50",
                                        "lag_ms.p99",
                                        "lag_ms.p999",
                                        "within_1s",
                                        "stall_free",
                                        "source_upload_x",
                                        "overhead.total",
                                        "overhead.headers",
                                        "overhead.control",
                                        "overhead.duplicate",
                                        "overhead.repair",
                                        "startup_ms.p50",
                                        "startup_ms.p95",
                                        "failover_ms.p50",
                                        "failover_ms.p99",
                                        "free_rider_lag_ms",
                                        "unverified_delivered",
                                        "events",
                                        "events_per_cpu_s",
                                        "simulated_s",
                                        "cpu_s",
                                        "speed_x",
                                        "rss_mb"};
    char *text = text_of(report_print_json);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        double printed = -1, found = -2;
        cr_expect_eq(json_number(text, paths[i], &printed), 0, "%s", paths[i]);
        cr_expect(report_figure(&r, paths[i], &found), "%s", paths[i]);
        cr_expect_float_eq(printed, found, 1e-9, "%s", paths[i]);
    }
    free(text);
}

Test(report, finds_the_figures_of_expectations_and_no_others) {
    double value;
    cr_assert(report_figure(&r, "within_1s_settled", &value));
    cr_assert_float_eq(value, 0.9991, 0);
    cr_assert(report_figure(&r, "honest_banned", &value));
    cr_assert_float_eq(value, 2, 0);
    cr_assert(report_figure(&r, "recovery_s", &value));
    cr_assert_float_eq(value, 4.5, 0);
    static const char *const unknown[] = {"",          "lag_ms",   "lag_ms.", "lag_ms.p5",
                                          "p50",       "scenario", "trace",   "overhead.totals",
                                          "lag_msp50", ".peers"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        cr_expect_not(report_has_figure(unknown[i]), "%s", unknown[i]);
}

Test(report, prints_ten_lines_for_people) {
    char *text = text_of(report_print_text);
    static const char *const lines[] = {
        "scenario      half-killed, 1000 peers, seed 7\n",
        "lag           p50 101 ms, p99 399 ms, p99.9 700 ms, max never\n",
        "chunks        99.987 % within 1 s; 99.00 % of the peers missed none\n",
        "overhead      14.0 %: headers 7.0, control 3.0, duplicates 2.5, repairs 1.5\n",
        "start         p50 810 ms, p95 1.62 s\n",
        "free riders   lag p99 890 ms\n",
        "hostile       3 unverified delivered, 2 honest banned, back within 4.50 s\n",
        "simulator     90 s in 30.0 s of CPU (3.00x), 2.50 M events/s, 412 MB\n",
        "trace         fedcba9876543210\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        cr_expect(strstr(text, lines[i]) != NULL, "%s is not in\n%s", lines[i], text);
    free(text);
    r.free_rider_lag_ms = 0;
    text = text_of(report_print_text);
    cr_assert(strstr(text, "free riders") == NULL);
    free(text);
}

static unsigned check(const char *figure, const char *operator, double value, const char *said) {
    struct scenario s = {.name = "s", .expectations_len = 1};
    strcpy(s.expectations[0].figure, figure);
    strcpy(s.expectations[0].operator, operator);
    s.expectations[0].value = value;
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    unsigned broken = report_check(&r, &s, to);
    fclose(to);
    cr_expect_str_eq(text, said);
    free(text);
    return broken;
}

Test(report, says_which_expectations_do_not_hold) {
    cr_assert_eq(check("lag_ms.p99", "<=", 399, ""), 0);
    cr_assert_eq(check("lag_ms.p99", ">=", 399, ""), 0);
    cr_assert_eq(check("lag_ms.p99", "==", 399, ""), 0);
    cr_assert_eq(check("lag_ms.p99", "<", 400, ""), 0);
    cr_assert_eq(check("lag_ms.p99", ">", 398, ""), 0);
    cr_assert_eq(check("lag_ms.p99", "<", 399, "s, seed 7: lag_ms.p99 is 399, expected < 399\n"),
                 1);
    cr_assert_eq(check("lag_ms.p99", ">", 399, "s, seed 7: lag_ms.p99 is 399, expected > 399\n"),
                 1);
    cr_assert_eq(check("lag_ms.p99", "==", 398, "s, seed 7: lag_ms.p99 is 399, expected == 398\n"),
                 1);
    cr_assert_eq(check("lag_ms.max", "<=", 450, "s, seed 7: lag_ms.max is inf, expected <= 450\n"),
                 1);
    cr_assert_eq(
        check("within_1s", ">=", 0.9999, "s, seed 7: within_1s is 0.999875, expected >= 0.9999\n"),
        1);
    cr_assert_eq(check("no.figure", "<=", 1, "s: no such figure: no.figure\n"), 1);
}

Test(report, takes_what_is_no_number_for_a_broken_expectation) {
    r.within_1s = NAN;
    struct scenario s = {
        .expectations_len = 3,
        .expectations = {{"within_1s", "<=", 1}, {"within_1s", ">=", 0}, {"within_1s", "==", 1}}};
    FILE *to = fopen("/dev/null", "w");
    cr_assert_eq(report_check(&r, &s, to), 3);
    fclose(to);
}
