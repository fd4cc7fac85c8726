/* What --stats says, and that limits which a person sets are kept: measured by the program's own
 * counters, as a person would. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/e2e/stage.h"
#include "tests/lib/json.h"

#define LINES_MAX 256
#define HEADERS 28      /* IPv4 and UDP, of a datagram */
#define WINDOW_US 5e6   /* over which a limit is kept */
#define LIMIT_BPS 1e6   /* of --max-upload 1M */
#define LIMIT_SLACK 1.1 /* a second's line is written a little early or late */
#define NEAR_US 50000   /* two clocks that are read one after the other */

TestSuite(figures, .init = stage_open, .fini = stage_close);

/* The contract, written out: what is always a number, what may be null, what is text, and which of
 * the numbers only grow. */
static const char *const numbers[] = {"t_us",
                                      "uptime_us",
                                      "links",
                                      "parents",
                                      "children",
                                      "chunks.ok",
                                      "chunks.missed",
                                      "chunks.repaired",
                                      "skips",
                                      "bytes.in",
                                      "bytes.out",
                                      "bytes.media_in",
                                      "bytes.media_out",
                                      "bytes.control_in",
                                      "bytes.control_out",
                                      "bytes.duplicate_in",
                                      "datagrams.in",
                                      "datagrams.out",
                                      "buffer_us",
                                      "rss_bytes",
                                      "rss_anon_bytes",
                                      "cpu_us"};
static const char *const maybes[] = {"broadcast",      "dht_port",        "lag_us.p50",
                                     "lag_us.p95",     "lag_us.p99",      "holder_us",
                                     "first_chunk_us", "first_output_us", "uplink_bps"};
static const char *const texts[] = {"role", "channel", "listen", "http"};
static const char *const growing[] = {"t_us",
                                      "uptime_us",
                                      "chunks.ok",
                                      "chunks.missed",
                                      "chunks.repaired",
                                      "skips",
                                      "bytes.in",
                                      "bytes.out",
                                      "bytes.media_in",
                                      "bytes.media_out",
                                      "bytes.control_in",
                                      "bytes.control_out",
                                      "bytes.duplicate_in",
                                      "datagrams.in",
                                      "datagrams.out",
                                      "cpu_us"};

struct contract {
    unsigned lines;
    double before[ARRAY_LEN(growing)];
};

static bool check_line(const char *line, void *data) {
    struct contract *c = data;
    double value;
    char text[512];
    must(json_check(line) == 0, "no JSON: %s", line);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        must(json_number(line, numbers[i], &value) == 0, "%s: %s", numbers[i], line);
    for (size_t i = 0; i < ARRAY_LEN(maybes); i++) {
        int err = json_number(line, maybes[i], &value);
        must(err == 0 || err == ERR_STATE, "%s: %s", maybes[i], line);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int err = json_text(line, texts[i], text, sizeof text);
        must(err == 0 || err == ERR_STATE, "%s: %s", texts[i], line);
    }
    for (size_t i = 0; i < ARRAY_LEN(growing); i++) {
        must(json_number(line, growing[i], &value) == 0 && value >= c->before[i],
             "%s went back: %s", growing[i], line);
        c->before[i] = value;
    }
    c->lines++;
    return false;
}

static void keeps_the_contract(struct actor *a) {
    struct contract c = {0};
    actor_each_line(a, check_line, &c);
    double seconds = actor_number(a, "uptime_us") / 1e6;
    fprintf(stderr, "%s: %u lines in %.1f s\n", a->name, c.lines, seconds);
    must(c.lines > seconds / 2, "%s: %u lines in %.1f s", a->name, c.lines, seconds);
}

static void starts_in_order(const struct actor *a) {
    double holder = actor_number(a, "holder_us"), chunk = actor_number(a, "first_chunk_us"),
           output = actor_number(a, "first_output_us");
    must(holder > 0 && chunk + NEAR_US >= holder && output + NEAR_US >= chunk,
         "%s: holder %.0f, chunk %.0f, output %.0f", a->name, holder, chunk, output);
}

static void idles_cheaply(const struct actor *a) {
    fprintf(stderr, "%s: %.2f %% of a core, %.1f MB anonymous\n", a->name,
            100 * actor_number(a, "cpu_us") / actor_number(a, "uptime_us"),
            actor_number(a, "rss_anon_bytes") / 1e6);
}

Test(figures, have_every_field_a_line_a_second_and_counters_that_only_grow) {
    char link[STAGE_LINK_MAX], file[PATH_MAX];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *relay = stage_start("relay", "relay", link, NULL);
    struct actor *idle = stage_start("idle", "join", link, "--http", "off", NULL);
    struct actor *records = stage_start("records", "join", link, "--max-upload", "0", "-o",
                                        stage_file("viewer.ts", file), NULL);
    struct actor *all[] = {relay, idle, records, source, stage_bootstrap()};
    for (size_t i = 0; i < 3; i++) actor_wait(all[i], "chunks.ok", 150);
    starts_in_order(idle);
    starts_in_order(records);
    starts_in_order(relay);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) cr_assert_eq(actor_stop(all[i], SIGTERM), 0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) keeps_the_contract(all[i]);
    cr_assert_eq(actor_number(records, "bytes.media_out"), 0, "--max-upload 0 only watches");
    for (size_t i = 0; i < 3; i++) actor_missed_nothing(all[i]);
    idles_cheaply(idle);
    idles_cheaply(records);
}

struct rates {
    size_t len;
    double t_us[LINES_MAX], sent[LINES_MAX];
};

static bool take_rate(const char *line, void *data) {
    struct rates *r = data;
    double bytes, datagrams;
    if (r->len == LINES_MAX) return false;
    cr_assert_eq(json_number(line, "t_us", &r->t_us[r->len]), 0);
    cr_assert_eq(json_number(line, "bytes.out", &bytes), 0);
    cr_assert_eq(json_number(line, "datagrams.out", &datagrams), 0);
    r->sent[r->len++] = bytes + HEADERS * datagrams;
    return false;
}

/* The most that it sent in any window, in bits a second. */
static double most_sent(struct actor *a) {
    static struct rates r;
    double most = 0;
    r.len = 0;
    actor_each_line(a, take_rate, &r);
    for (size_t i = 0; i < r.len; i++)
        for (size_t j = i + 1; j < r.len; j++) {
            double us = r.t_us[j] - r.t_us[i];
            if (us < WINDOW_US) continue;
            double bps = (r.sent[j] - r.sent[i]) * 8e6 / us;
            if (bps > most) most = bps;
            break;
        }
    return most;
}

/* Five viewers of a stream of 0.6 Mb/s would take more from the relay than it may send. */
Test(figures, a_relay_keeps_its_limit_of_upload) {
    char link[STAGE_LINK_MAX];
    struct actor *viewers[5];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *relay = stage_start("relay", "relay", "--max-upload", "1M", link, NULL);
    actor_wait(relay, "chunks.ok", 1);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        viewers[i] =
            stage_start("viewer", "join", link, "--max-upload", "0", "--http", "off", NULL);
    actor_wait(relay, "children", 1);
    actor_wait_more(relay, "uptime_us", 2 * WINDOW_US);
    double most = most_sent(relay);
    fprintf(stderr, "relay: at most %.2f Mb/s over %.0f s\n", most / 1e6, WINDOW_US / 1e6);
    cr_assert_gt(most, 0);
    must(most <= LIMIT_BPS * LIMIT_SLACK, "the relay sent %.2f Mb/s", most / 1e6);
}

/* What the source says of its uplink, in Mb/s. */
static void says_thin(struct actor *source, double *ret_carries, double *ret_needs) {
    char said[256];
    int err = process_wait_line(source->process, PROCESS_ERR, "warn uplink: your uplink carries ",
                                STAGE_DEADLINE_US, said, sizeof said);
    must(err == 0, "no warning");
    fprintf(stderr, "%s\n", said);
    int n = sscanf(said, "%lf of %lf Mb/s: viewers will stall; lower --bitrate", ret_carries,
                   ret_needs);
    must(n == 2 && strstr(said, "; lower --bitrate") != NULL, "%s", said);
}

/* The stream has 0.5 Mb/s of picture and sound. */
Test(figures, a_broadcaster_says_when_its_limit_is_below_the_stream) {
    char link[STAGE_LINK_MAX];
    double carries, needs;
    struct actor *source = stage_start("source", "broadcast", SMALL, "--preset", "ultrafast",
                                       "--max-upload", "300k", NULL);
    stage_link(source, link);
    says_thin(source, &carries, &needs);
    must(carries > 0.25 && carries < 0.35 && needs > 0.45 && needs < 2, "wrong figures");
}

/* Two viewers who pass nothing on, and an uplink for one of them. */
Test(figures, a_broadcaster_says_when_its_uplink_is_too_thin_for_its_viewers) {
    char link[STAGE_LINK_MAX];
    struct actor *viewers[2];
    struct actor *source = stage_start("source", "broadcast", SMALL, "--preset", "ultrafast",
                                       "--max-upload", "700k", NULL);
    stage_link(source, link);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        viewers[i] =
            stage_start("viewer", "join", link, "--max-upload", "0", "--http", "off", NULL);
    /* How much is asked for depends on how many are let in. */
    actor_wait_said(source, "warn uplink: your uplink ");
    must(actor_has_said(source, "0.7 ") && actor_has_said(source, "; lower --bitrate"),
         "wrong words");
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        must(!process_has_ended(viewers[i]->process), "a viewer has ended");
}

/* An uplink that carries all is not complained of. */
Test(figures, a_broadcaster_with_a_good_uplink_does_not_complain) {
    char link[STAGE_LINK_MAX];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *viewer = stage_start("viewer", "join", link, "--http", "off", NULL);
    actor_wait(viewer, "chunks.ok", 60);
    actor_wait(source, "uptime_us", 5e6);
    must(!actor_has_said(source, "warn uplink"), "a warning without a reason");
}
