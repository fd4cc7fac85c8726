/* What the program says of a channel and of itself to who asks: shoal info, the player's page with
 * /live.mp4, /healthz and /metrics. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/recorded.h"
#include "tests/e2e/stage.h"

#define BODY_MAX (1 << 20)

TestSuite(pages, .init = stage_open, .fini = stage_close);

/* What curl gets; the caller's own words come behind the address. Returns the HTTP status. */
static int fetch(const char *base, const char *path, const char *header, char *body) {
    char url[256], code[16];
    snprintf(url, sizeof url, "%.*s%s", (int)(strrchr(base, '/') - base), base, path);
    const char *const argv[] = {"curl",           "-s", "-m",   "30", "-w",
                                "\n%{http_code}", "-H", header, url,  NULL};
    struct process *p = process_start(&(struct process_config){.argv = argv});
    must(p != NULL, "curl does not run");
    must(program_wait_exit(p) == 0, "curl %s fails", url);
    const char *out = process_output(p, PROCESS_OUT);
    const char *last = strrchr(out, '\n');
    must(last != NULL && last - out < BODY_MAX, "%s: no answer", url);
    memcpy(body, out, (size_t)(last - out));
    body[last - out] = '\0';
    snprintf(code, sizeof code, "%s", last + 1);
    process_free(p);
    return (int)strtol(code, NULL, 10);
}

static void page_of(struct actor *a, char *ret) {
    int err =
        process_wait_line(a->process, PROCESS_OUT, "page ", STAGE_DEADLINE_US, ret, STAGE_LINK_MAX);
    must(err == 0, "%s printed no page", a->name);
}

/* The program's answer on standard output, whole. */
static const char *answer(struct actor *info, int status) {
    must(actor_wait_exit(info) == status, "info: %s", process_output(info->process, PROCESS_OUT));
    return process_output(info->process, PROCESS_OUT);
}

static void says(const char *text, const char *part) {
    must(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
}

Test(pages, info_tells_what_is_on_air_and_what_is_not) {
    char link[STAGE_LINK_MAX];
    struct actor *source =
        stage_start("source", "broadcast", SMALL, "--title", "Herring & chips", NULL);
    stage_link(source, link);
    const char *told = answer(stage_start("info", "info", link, NULL), 0);
    fprintf(stderr, "%s\n", told);
    says(told, link);
    says(told, "title     Herring & chips\n");
    says(told, "video avc1.");
    says(told, " 320x180 25 fps 400 kb/s\n");
    says(told, "audio mp4a.40.2 48000 Hz stereo 128 kb/s\n");
    says(told, "state     on air\n");
    says(told, "holders   1");

    struct actor *relay = stage_start("relay", "relay", link, NULL);
    actor_wait(relay, "chunks.ok", 20);
    cr_assert_eq(actor_stop(source, SIGINT), 0);
    told = answer(stage_start("info of an end", "info", link, NULL), 1);
    says(told, "title     Herring & chips\n");
    says(told, "state     ended\n");

    cr_assert_eq(actor_stop(relay, SIGTERM), 0);
    told = answer(stage_start("info of nothing", "info", link, NULL), 1);
    fprintf(stderr, "%s\n", told);
    says(told, "state     not found: none of its holders answers\n");
}

static bool is_name(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') return false;
    return len > 0 && !isdigit((unsigned char)text[0]);
}

/* Prometheus' text format: comments with the type of what follows, then "name{label="..."} value".
 */
static void is_metrics(char *text) {
    unsigned samples = 0;
    char *rest = text, typed[128] = "";
    must(text[0] != '\0' && text[strlen(text) - 1] == '\n', "no newline at the end");
    for (char *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL;) {
        if (sscanf(line, "# TYPE %127s", typed) == 1 || strncmp(line, "# HELP ", 7) == 0) continue;
        size_t name = strcspn(line, "{ ");
        must(is_name(line, name), "no name: %s", line);
        must(strncmp(typed, line, strlen(typed)) == 0, "no type: %s", line);
        char *value = strrchr(line, ' '), *end;
        must(value != NULL, "no value: %s", line);
        (void)strtod(value + 1, &end);
        must(end != value + 1 && *end == '\0', "no number: %s", line);
        must(strncmp(line, "shoal_", 6) == 0, "not ours: %s", line);
        samples++;
    }
    must(samples > 20, "only %u samples", samples);
}

Test(pages, a_relay_tells_its_health_and_metrics_to_who_asks_by_its_address) {
    static char body[BODY_MAX];
    char link[STAGE_LINK_MAX], page[STAGE_LINK_MAX];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *relay = stage_start("relay", "relay", "--http", "127.0.0.1:0", link, NULL);
    actor_wait(relay, "chunks.ok", 20);
    page_of(relay, page);
    cr_assert_eq(fetch(page, "/healthz", "X: y", body), 200);
    says(body, "ok links=1");
    cr_assert_eq(fetch(page, "/metrics", "X: y", body), 200);
    says(body, "shoal_chunks_ok");
    is_metrics(body);
    cr_assert_eq(fetch(page, "/metrics", "Host: evil.example", body), 403);
    cr_assert_eq(fetch(page, "/metrics", "Origin: http://evil.example", body), 403);
    cr_assert_eq(fetch(page, "/live.mp4", "X: y", body), 404);
}

/* ffprobe's own words for the stream, and a few seconds of it, decoded. */
static void is_watched(const char *page) {
    char file[PATH_MAX], url[STAGE_LINK_MAX + 16];
    snprintf(url, sizeof url, "%slive.mp4", page);
    const char *const argv[] = {"curl", "-s", "-m", "3", "-o", stage_file("live.mp4", file),
                                url,    NULL};
    struct process *p = process_start(&(struct process_config){.argv = argv});
    must(p != NULL && program_wait_exit(p) == 28, "/live.mp4 does not go on"); /* time is over */
    process_free(p);
    const char *const probe[] = {
        "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height,sample_rate",
        file,      NULL};
    p = process_start(&(struct process_config){.argv = probe});
    must(p != NULL && program_wait_exit(p) == 0, "ffprobe: %s", process_output(p, PROCESS_ERR));
    const char *told = process_output(p, PROCESS_OUT);
    says(told, "codec_name=h264\nwidth=320\nheight=180\n");
    says(told, "codec_name=aac\nsample_rate=48000\n");
    process_free(p);
}

Test(pages, a_viewer_serves_a_page_and_the_stream_to_this_machine_alone) {
    static char body[BODY_MAX];
    char link[STAGE_LINK_MAX], page[STAGE_LINK_MAX];
    struct actor *source =
        stage_start("source", "broadcast", SMALL, "--title", "A <b> & \"c\"", NULL);
    stage_link(source, link);
    struct actor *viewer = stage_start("viewer", "join", link, NULL);
    actor_wait(viewer, "chunks.ok", 20);
    page_of(viewer, page);
    must(strncmp(page, "http://127.0.0.1:", 17) == 0, "the page is at %s", page);
    cr_assert_eq(fetch(page, "/", "X: y", body), 200);
    says(body, "<video");
    cr_assert_eq(fetch(page, "/status.json", "X: y", body), 200);
    says(body, "\"state\":\"on_air\",\"title\":\"A <b> & \\\"c\\\"\"");
    cr_assert_eq(fetch(page, "/", "Host: evil.example", body), 403);
    cr_assert_eq(fetch(page, "/live.mp4", "Origin: http://evil.example", body), 403);
    is_watched(page);
    actor_missed_nothing(viewer);
}

Test(pages, a_private_channel_is_for_who_has_the_whole_link) {
    char link[STAGE_LINK_MAX], bare[STAGE_LINK_MAX], file[PATH_MAX];
    struct recorded r;
    struct actor *source = stage_start("source", "broadcast", SMALL, "--private", NULL);
    stage_link(source, link);
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(link, "?"), link);
    must(strstr(link, "?read=") != NULL, "no key to read in %s", link);
    struct actor *stranger = stage_start("stranger", "join", bare, NULL);
    cr_assert_eq(actor_wait_exit(stranger), 1);
    actor_wait_said(stranger, "shoal: link '");
    must(actor_has_said(stranger, "read="), "nothing of the key to read");

    struct actor *relay = stage_start("relay", "relay", bare, NULL);
    struct actor *viewer = stage_start("viewer", "join", link, "--http", "off", "-o",
                                       stage_file("viewer.ts", file), NULL);
    actor_wait(relay, "chunks.ok", 50);
    actor_wait(viewer, "chunks.ok", 50);
    says(answer(stage_start("info", "info", bare, NULL), 0), "private   yes");
    cr_assert_eq(actor_stop(viewer, SIGINT), 0);
    actor_missed_nothing(viewer);
    actor_missed_nothing(relay);
    recorded_read(&r, file, true, true);
    recorded_free(&r);
}
