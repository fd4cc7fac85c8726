#include "cli/log.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static uint64_t clock_value;
static char *text;
static size_t text_len, text_seen;
static FILE *stream;

static uint64_t clock_now(void) { return clock_value; }

static void start_at(enum log_level level, bool is_terminal) {
    clock_value = US_PER_S;
    text_seen = 0;
    stream = open_memstream(&text, &text_len);
    cr_assert_not_null(stream);
    log_start(&(struct log_config){level, stream, is_terminal, clock_now});
}

/* What has been written since the last call; stands until the next one. */
static const char *written(void) {
    cr_assert_eq(fflush(stream), 0);
    const char *from = text + text_seen;
    text_seen = text_len;
    return from;
}

static void stop(void) {
    log_start(&(struct log_config){.level = LOG_INFO});
    fclose(stream);
    free(text);
}

Test(log, writes_level_area_and_text) {
    start_at(LOG_DEBUG, false);
    log_info("swarm", "on air viewers=%d", 3);
    cr_assert_str_eq(written(), "info swarm: on air viewers=3\n");
    log_trace("swarm", "not this");
    cr_assert_str_eq(written(), "");
    stop();
}

Test(log, writes_an_error_as_the_program_speaking) {
    start_at(LOG_ERROR, false);
    log_error("film.mkv: no such file");
    cr_assert_str_eq(written(), "shoal: film.mkv: no such file\n");
    stop();
}

Test(log, shows_control_characters_as_question_marks) {
    start_at(LOG_INFO, false);
    log_warn("channel", "title=%s", "a\nerror x: \x1b[31m\x7f");
    cr_assert_str_eq(written(), "warn channel: title=a?error x: ?[31m?\n");
    stop();
}

Test(log, cuts_lines_that_are_too_long) {
    static char longest[3 * LOG_LINE_MAX];
    memset(longest, 'a', sizeof longest - 1);
    start_at(LOG_INFO, false);
    log_info("x", "%s", longest);
    cr_assert_leq(strlen(written()), LOG_LINE_MAX + 10);
    stop();
}

static void repeat(int times) {
    for (int i = 0; i < times; i++) log_info("link", "closed peer=%d", i);
}

static size_t lines(const char *from) {
    size_t n = 0;
    for (; (from = strchr(from, '\n')) != NULL; from++) n++;
    return n;
}

Test(log, holds_back_a_line_that_is_repeated_and_says_how_many) {
    start_at(LOG_INFO, false);
    repeat(LOG_BURST + 37);
    cr_assert_eq(lines(written()), LOG_BURST);
    log_info("link", "another place");
    cr_assert_eq(lines(written()), 1);
    clock_value += LOG_WINDOW_US;
    repeat(1);
    cr_assert_str_eq(written(), "info link: closed peer=0 held_back=37\n");
    repeat(1);
    cr_assert_str_eq(written(), "info link: closed peer=0\n");
    stop();
}

Test(log, never_holds_back_an_error) {
    start_at(LOG_INFO, false);
    for (int i = 0; i < 3 * LOG_BURST; i++) log_error("cannot write");
    cr_assert_eq(lines(written()), 3 * LOG_BURST);
    stop();
}

Test(log, keeps_the_status_below_the_lines_on_a_terminal) {
    start_at(LOG_INFO, true);
    log_status("viewers=%d", 1);
    cr_assert_str_eq(written(), "viewers=1");
    log_status("viewers=%d", 2);
    cr_assert_str_eq(written(), "\r\033[Kviewers=2");
    log_info("swarm", "hello");
    cr_assert_str_eq(written(), "\r\033[Kinfo swarm: hello\nviewers=2");
    log_status_end();
    cr_assert_str_eq(written(), "\n");
    log_status_end();
    cr_assert_str_eq(written(), "");
    stop();
}

Test(log, cuts_the_status_to_the_width_of_the_terminal) {
    char longest[200] = {0};
    memset(longest, 'a', sizeof longest - 1);
    start_at(LOG_INFO, true);
    log_status("%s", longest);
    cr_assert_eq(strlen(written()), 79);
    stop();
}

Test(log, writes_the_status_once_a_minute_where_there_is_no_terminal) {
    start_at(LOG_INFO, false);
    log_status("viewers=1");
    cr_assert_str_eq(written(), "info status: viewers=1\n");
    clock_value += LOG_STATUS_EVERY_US - 1;
    log_status("viewers=2");
    cr_assert_str_eq(written(), "");
    clock_value++;
    log_status("viewers=3");
    cr_assert_str_eq(written(), "info status: viewers=3\n");
    log_status_end();
    cr_assert_str_eq(written(), "");
    stop();
}

Test(log, writes_no_status_below_its_level) {
    start_at(LOG_WARN, true);
    log_status("viewers=1");
    cr_assert_str_eq(written(), "");
    stop();
}

static void *write_lines(void *unused) {
    for (int i = 0; i < 200; i++) log_error("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    return unused;
}

Test(log, keeps_the_lines_of_several_threads_whole) {
    pthread_t threads[4];
    start_at(LOG_INFO, false);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) pthread_join(threads[i], NULL);
    const char *line = "shoal: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
    const char *all = written();
    for (size_t i = 0; i < 200 * ARRAY_LEN(threads); i++, all += strlen(line))
        cr_assert_eq(strncmp(all, line, strlen(line)), 0);
    stop();
}
