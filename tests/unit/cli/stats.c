#include "cli/stats.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lib/json.h"
#include "tests/lib/process.h"

/* The contract, written out: what measures shoal reads these names. */
static const char *const numbers[] = {"t_us",
                                      "uptime_us",
                                      "broadcast",
                                      "dht_port",
                                      "links",
                                      "parents",
                                      "children",
                                      "lag_us.p50",
                                      "lag_us.p95",
                                      "lag_us.p99",
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
                                      "holder_us",
                                      "first_chunk_us",
                                      "first_output_us",
                                      "buffer_us",
                                      "uplink_bps",
                                      "rss_bytes",
                                      "rss_anon_bytes",
                                      "cpu_us"};
static const char *const texts[] = {"role", "channel", "listen", "http"};
static const char *const unknown_at_first[] = {"broadcast",      "dht_port",        "lag_us.p50",
                                               "lag_us.p95",     "lag_us.p99",      "holder_us",
                                               "first_chunk_us", "first_output_us", "uplink_bps"};

/* Every number its own, so that none stands in another's place. */
static struct stats all_set(void) {
    struct stats s;
    stats_init(&s);
    s = (struct stats){.t_us = 1,
                       .uptime_us = 2,
                       .broadcast = 3,
                       .dht_port = 4,
                       .links = 5,
                       .parents = 6,
                       .children = 7,
                       .lag_us = {8, 9, 10},
                       .chunks = {11, 12, 13},
                       .skips = 14,
                       .bytes = {15, 16, 17, 18, 19, 20, 21},
                       .datagrams = {22, 23},
                       .holder_us = 24,
                       .first_chunk_us = 25,
                       .first_output_us = 26,
                       .buffer_us = 27,
                       .uplink_bps = 28,
                       .rss_bytes = 29,
                       .rss_anon_bytes = 30,
                       .cpu_us = 31,
                       .role = "viewer",
                       .channel = "shoal:abc",
                       .listen = "127.0.0.1:1",
                       .http = "http://127.0.0.1:2/"};
    return s;
}

Test(stats, have_every_field_of_the_contract_in_its_place) {
    char line[STATS_LINE_MAX], text[64];
    struct stats s = all_set();
    cr_assert_eq(stats_format(&s, line), strlen(line));
    cr_assert_eq(json_check(line), 0, "%s", line);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        double value = 0;
        cr_expect_eq(json_number(line, numbers[i], &value), 0, "%s", numbers[i]);
        cr_expect_eq(value, (double)(i + 1), "%s", numbers[i]);
    }
    const char *const expected[] = {s.role, s.channel, s.listen, s.http};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cr_expect_eq(json_text(line, texts[i], text, sizeof text), 0, "%s", texts[i]);
        cr_expect_str_eq(text, expected[i]);
    }
}

Test(stats, are_null_until_they_are_known) {
    char line[STATS_LINE_MAX], text[8];
    struct stats s;
    double value;
    stats_init(&s);
    stats_format(&s, line);
    cr_assert_eq(json_check(line), 0, "%s", line);
    for (size_t i = 0; i < ARRAY_LEN(unknown_at_first); i++)
        cr_expect_eq(json_number(line, unknown_at_first[i], &value), ERR_STATE, "%s",
                     unknown_at_first[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        cr_expect_eq(json_text(line, texts[i], text, sizeof text), ERR_STATE, "%s", texts[i]);
    cr_expect_eq(json_number(line, "chunks.missed", &value), 0);
}

Test(stats, escape_every_text) {
    char line[STATS_LINE_MAX], text[300], worst[STATS_TEXT_MAX + 50];
    struct stats s = all_set();
    s.role = "a\"b\\c\nd\x01\x7f";
    stats_format(&s, line);
    cr_assert_eq(json_text(line, "role", text, sizeof text), 0, "%s", line);
    cr_assert_str_eq(text, s.role);
    memset(worst, 1, sizeof worst);
    worst[sizeof worst - 1] = '\0';
    s.role = s.channel = s.listen = s.http = worst;
    stats_format(&s, line);
    cr_assert_eq(json_text(line, "http", text, sizeof text), 0);
    cr_assert_eq(strlen(text), STATS_TEXT_MAX);
}

Test(stats, hold_the_largest_numbers) {
    char line[STATS_LINE_MAX];
    struct stats s;
    memset(&s, 0xff, sizeof s);
    s.role = s.channel = s.listen = s.http = NULL;
    stats_format(&s, line);
    cr_assert_eq(json_check(line), 0, "%s", line);
    cr_assert_not_null(strstr(line, "\"links\":18446744073709551615"));
}

Test(stats, are_appended_a_line_each) {
    struct sandbox sandbox;
    char path[PATH_MAX], message[STATS_MESSAGE_MAX];
    double t = 0;
    cr_assert_eq(sandbox_make(&sandbox), 0);
    for (int i = 0; i < 2; i++) { /* a second run goes on where the first one ended */
        int fd = stats_open(sandbox_file(&sandbox, "stats", path), message);
        cr_assert_geq(fd, 0);
        struct stats s = all_set();
        cr_assert_eq(stats_append(fd, &s), 0);
        close(fd);
    }
    FILE *file = fopen(path, "re");
    char line[STATS_LINE_MAX];
    int lines = 0;
    for (; fgets(line, sizeof line, file) != NULL; lines++) cr_assert_eq(json_check(line), 0);
    fclose(file);
    cr_assert_eq(lines, 2);
    cr_assert_eq(process_last_number(path, "t_us", &t), 0);
    cr_assert_gt(t, 1.7e15); /* the clock's, not the 1 of above */
    sandbox_remove(&sandbox);
}

Test(stats, that_cannot_be_written_are_an_error) {
    char message[STATS_MESSAGE_MAX];
    cr_assert_eq(stats_open("/nonexistent/stats", message), ERR_SYSTEM);
    cr_assert_not_null(strstr(message, "/nonexistent/stats: cannot be written: No such file"));
    struct stats s = all_set();
    int full = stats_open("/dev/full", message);
    cr_assert_eq(stats_append(full, &s), ERR_SYSTEM);
    close(full);
}

Test(stats, know_the_memory_the_time_and_the_start_of_the_process) {
    struct stats before, after;
    stats_fill_process(&before);
    cr_assert_gt(before.rss_bytes, before.rss_anon_bytes);
    cr_assert_gt(before.rss_anon_bytes, 0);
    size_t len = 64u << 20;
    void *memory =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    do stats_fill_process(&after);
    while (after.cpu_us == before.cpu_us); /* the clock of the processor's time moves */
    cr_assert_geq(after.rss_anon_bytes, before.rss_anon_bytes + len / 2);
    cr_assert_gt(after.uptime_us, before.uptime_us);
    cr_assert_lt(after.uptime_us, 3600 * US_PER_S);
    munmap(memory, len);
}
