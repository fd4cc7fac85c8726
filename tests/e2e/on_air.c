/* on_air.c - a whole channel on one machine: bootstrap node, source, relay and four viewers, who
 * record what the source shows, picture by picture.
 *
 * What is asserted is what was watched. How long a cold start takes, lags, overhead, processor and
 * memory are printed as a report, in the log of this test. E2E_SECONDS=60 runs it longer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/err.h"
#include "tests/e2e/recorded.h"
#include "tests/e2e/stage.h"
#include "tests/lib/json.h"

#define SECONDS_DEFAULT 15
#define SECONDS_MAX 240
#define VIEWERS 4
#define RECEIVERS (VIEWERS + 1)
#define LINES_MAX 1024
#define WARM_US (5 * US_PER_S) /* lags are reported from here on */
#define SOURCE_UPLOAD_MAX 3.5  /* in stream rates, of the five that it would be without peers */
#define DATAGRAM_HEADERS 28    /* IPv4 and UDP */

struct show {
    struct actor *source, *relay, *viewers[VIEWERS];
    char link[STAGE_LINK_MAX];
    char source_file[PATH_MAX], files[VIEWERS][PATH_MAX];
    struct process *pipe_reader;
};

static double seconds_wanted(void) {
    const char *text = getenv("E2E_SECONDS");
    long seconds = text == NULL ? SECONDS_DEFAULT : strtol(text, NULL, 10);
    must(seconds > 0 && seconds <= SECONDS_MAX, "E2E_SECONDS: 1 to %d", SECONDS_MAX);
    return (double)seconds;
}

/* The fourth viewer writes to a pipe, as to a player; `cat` stands for the player. */
static void start_on_pipe(struct show *s) {
    char pipe[PATH_MAX];
    must(mkfifo(stage_file("pipe", pipe), 0600) == 0, "no pipe");
    const char *const argv[] = {"cat", pipe, NULL};
    s->pipe_reader =
        process_start(&(struct process_config){.argv = argv, .stdout_path = s->files[3]});
    must(s->pipe_reader != NULL, "cat does not run");
    s->viewers[3] = stage_start_with(
        &(struct actor_config){.name = "viewer 4", .command = "join", .stdout_path = pipe}, "-o",
        "-", "--http", "off", s->link, NULL);
}

static void start_all(struct show *s) {
    static const char *const names[VIEWERS] = {"1.ts", "2.mp4", "3.mkv", "4.ts"};
    stage_file("source.mkv", s->source_file);
    for (size_t i = 0; i < VIEWERS; i++) stage_file(names[i], s->files[i]);
    s->source = stage_start("source", "broadcast", "--size", "1280x720", "--fps", "30", "--bitrate",
                            "3M", "-o", s->source_file, NULL);
    stage_link(s->source, s->link);
    s->relay = stage_start("relay", "relay", s->link, NULL);
    s->viewers[0] = stage_start("viewer 1", "join", s->link, "-o", s->files[0], NULL);
    s->viewers[1] =
        stage_start("viewer 2", "join", s->link, "-o", s->files[1], "--http", "off", NULL);
    s->viewers[2] =
        stage_start("viewer 3", "join", s->link, "-o", s->files[2], "--http", "off", NULL);
    start_on_pipe(s);
}

/* Peers carry what the source does not. */
static void check_upload(const struct show *s) {
    double served = actor_number(s->relay, "bytes.media_out");
    double received = 0;
    for (size_t i = 0; i < VIEWERS; i++) {
        served += actor_number(s->viewers[i], "bytes.media_out");
        received = actor_number(s->viewers[i], "bytes.media_in");
    }
    must(served > 0, "no peer served another");
    double ratio = actor_number(s->source, "bytes.out") / received;
    must(ratio < SOURCE_UPLOAD_MAX, "the source sent %.2f streams for %d receivers", ratio,
         RECEIVERS);
}

static void check_recording(const char *path, const struct recorded *whole, double seconds) {
    struct recorded part;
    recorded_read(&part, path, true, true);
    must(recorded_find(&part.video, &whole->video) >= 0, "%s: %zu pictures are not the source's",
         path, part.video.len);
    must(recorded_find(&part.audio, &whole->audio) >= 0, "%s: %zu packets are not the source's",
         path, part.audio.len);
    must((double)part.video.len > seconds * 15, "%s: only %zu pictures", path, part.video.len);
    must((double)part.audio.len > seconds * 20, "%s: only %zu packets", path, part.audio.len);
    printf("%-8s %zu pictures and %zu packets of sound, all the source's\n", strrchr(path, '/') + 1,
           part.video.len, part.audio.len);
    recorded_free(&part);
}

static void check_recordings(const struct show *s, double seconds) {
    struct recorded whole;
    recorded_read(&whole, s->source_file, true, true);
    for (size_t i = 0; i < VIEWERS; i++) check_recording(s->files[i], &whole, seconds);
    recorded_free(&whole);
}

/* The report. */

struct lags {
    size_t len;
    double p50[LINES_MAX], p95[LINES_MAX], p99[LINES_MAX];
};

static bool collect_lag(const char *line, void *data) {
    struct lags *l = data;
    double uptime;
    if (l->len == LINES_MAX || json_number(line, "uptime_us", &uptime) || uptime < WARM_US)
        return false;
    size_t i = l->len;
    if (json_number(line, "lag_us.p50", &l->p50[i]) == 0 &&
        json_number(line, "lag_us.p95", &l->p95[i]) == 0 &&
        json_number(line, "lag_us.p99", &l->p99[i]) == 0)
        l->len++;
    return false;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t len, double q) {
    if (len == 0) return 0;
    qsort(values, len, sizeof values[0], compare);
    return values[(size_t)(q * (double)(len - 1))];
}

/* A time since the start; a source has none of some. */
static void print_start(const struct actor *a, const char *field) {
    double us = actor_number(a, field);
    if (us < 0)
        printf(" %7s", "-");
    else
        printf(" %7.0f", us / 1e3);
}

static void report_actor(struct actor *a) {
    static struct lags l;
    l.len = 0;
    actor_each_line(a, collect_lag, &l);
    printf("%-9s", a->name);
    print_start(a, "holder_us");
    print_start(a, "first_chunk_us");
    print_start(a, "first_output_us");
    printf("  %4.0f %4.0f  %5.0f %5.0f %5.0f %5.0f  %6.2f %6.2f  %5.1f %5.1f\n",
           actor_number(a, "chunks.missed"), actor_number(a, "chunks.repaired"),
           quantile(l.p50, l.len, 0.5) / 1e3, quantile(l.p95, l.len, 0.5) / 1e3,
           quantile(l.p99, l.len, 0.5) / 1e3, quantile(l.p99, l.len, 1) / 1e3,
           actor_number(a, "bytes.media_in") / 1e6, actor_number(a, "bytes.out") / 1e6,
           100 * actor_number(a, "cpu_us") / actor_number(a, "uptime_us"),
           actor_number(a, "rss_anon_bytes") / 1e6);
}

static void report(const struct show *s) {
    struct actor *all[] = {s->source,     s->relay,      s->viewers[0],
                           s->viewers[1], s->viewers[2], s->viewers[3]};
    printf(
        "          from the start to, ms          chunks    lag ms, median s      worst    MB "
        "         cpu   anon\n"
        "          holder   chunk  output  miss  rep    p50   p95   p99   p99   media    out     "
        "%%    MB\n");
    double sent = 0, received = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        report_actor(all[i]);
        sent += actor_number(all[i], "bytes.out") +
                DATAGRAM_HEADERS * actor_number(all[i], "datagrams.out");
        received += actor_number(all[i], "bytes.media_in");
    }
    printf("source upload %.2f streams, overhead %.1f %%\n",
           actor_number(s->source, "bytes.out") * RECEIVERS / received,
           100 * (sent / received - 1));
}

static void watches(struct actor *a, double seconds) {
    uint64_t deadline_us = (uint64_t)(seconds * 1e6) + STAGE_DEADLINE_US;
    int err = process_wait_number(a->process, a->stats, "uptime_us", seconds * 1e6, deadline_us);
    must(err == 0, "%s: %s", a->name, err_text(err));
}

int main(void) {
    struct show s = {0};
    stage_open();
    start_all(&s);
    double seconds = seconds_wanted();
    for (size_t i = 0; i < VIEWERS; i++) watches(s.viewers[i], seconds);
    for (size_t i = 0; i < VIEWERS; i++) actor_missed_nothing(s.viewers[i]);
    actor_missed_nothing(s.relay);
    check_upload(&s);
    report(&s);
    for (size_t i = 0; i < VIEWERS; i++)
        must(actor_stop(s.viewers[i], SIGTERM) == 0, "a viewer fails at its end");
    must(program_wait_exit(s.pipe_reader) == 0, "cat fails");
    must(actor_stop(s.source, SIGINT) == 0, "the source fails at its end");
    must(actor_stop(s.relay, SIGTERM) == 0, "the relay fails at its end");
    check_recordings(&s, seconds);
    must(actor_stop(stage_bootstrap(), SIGTERM) == 0, "the bootstrap node fails at its end");
    stage_close();
    return 0;
}
