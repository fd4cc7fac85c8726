/* What is typed wrong or cannot be had: one line on standard error that starts with the program's
 * name, names the thing and says what would be right; 2 for usage, 1 otherwise; nothing is left. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/endpoint.h"
#include "core/proto/channel_link.h"
#include "tests/lib/process.h"

#define DEADLINE_US (60 * US_PER_S)
#define WORDS_MAX 16

static struct sandbox sandbox;
static char link_text[CHANNEL_LINK_TEXT_MAX];

static const char *file(const char *name) {
    static char paths[8][PATH_MAX];
    static size_t next;
    return sandbox_file(&sandbox, name, paths[next++ % ARRAY_LEN(paths)]);
}

static void write_file(const char *name, const char *text, mode_t mode) {
    FILE *f = fopen(file(name), "we");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(file(name), mode), 0);
}

static struct process *run(const char *const *words) {
    const char *argv[WORDS_MAX] = {process_shoal()};
    size_t n = 1;
    for (; words[n - 1] != NULL; n++) {
        cr_assert_lt(n + 3, WORDS_MAX);
        argv[n] = words[n - 1];
    }
    /* Nothing here may ever ask the public network. */
    static const char *const asks[] = {"broadcast", "join", "relay", "info"};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        if (words[0] != NULL && strcmp(words[0], asks[i]) == 0) {
            argv[n++] = "--bootstrap";
            argv[n++] = "none";
        }
    struct process *p = process_start(&(struct process_config){.argv = argv, .sandbox = &sandbox});
    cr_assert_not_null(p);
    return p;
}

/* Refuses with one line that holds all the parts. */
static void refuses(int expected, const char *const *words, const char *const *parts) {
    struct process *p = run(words);
    int status = -1;
    cr_assert_eq(process_wait_exit(p, DEADLINE_US, &status), 0, "%s runs on", words[0]);
    const char *said = process_output(p, PROCESS_ERR);
    fprintf(stderr, "%d  %s", status, said);
    cr_expect_eq(status, expected, "exit %d, not %d: %s", status, expected, said);
    cr_expect_str_eq(process_output(p, PROCESS_OUT), "");
    cr_expect_eq(strncmp(said, "shoal: ", 7), 0, "%s", said);
    cr_expect_eq(strchr(said, '\n') - said, (ptrdiff_t)strlen(said) - 1, "not one line: %s", said);
    for (size_t i = 0; parts[i] != NULL; i++)
        cr_expect_not_null(strstr(said, parts[i]), "'%s' without '%s'", said, parts[i]);
    process_free(p);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NAMES WORDS

static void start(void) {
    cr_assert_eq(random_start(), 0);
    cr_assert_eq(sandbox_make(&sandbox), 0);
    struct process *p = run(WORDS("keygen", file("my.key")));
    cr_assert_eq(
        process_wait_line(p, PROCESS_OUT, "link ", DEADLINE_US, link_text, sizeof link_text), 0);
    process_free(p);
}

static void stop(void) { sandbox_remove(&sandbox); }

TestSuite(bad_input, .init = start, .fini = stop);

Test(bad_input, commands_and_options_that_do_not_exist) {
    refuses(2, WORDS("broadcst"), NAMES("'broadcst'", "did you mean 'broadcast'?"));
    refuses(2, WORDS("broadcast", "--bitrat", "3M"), NAMES("--bitrat:", "--bitrate?"));
    refuses(2, WORDS("join"), NAMES("'shoal join'", "LINK is missing"));
    refuses(2, WORDS("join", link_text, "more"), NAMES("'more'", "one argument too many"));
    refuses(2, WORDS("info", link_text, "--max-upload", "1M"), NAMES("--max-upload", "shoal info"));
}

Test(bad_input, values_that_are_not_allowed) {
    refuses(2, WORDS("broadcast", "--bitrate", "3Q"), NAMES("--bitrate '3Q'", "50k to 50M"));
    refuses(2, WORDS("broadcast", "--bitrate", "1"), NAMES("--bitrate '1'", "50k to 50M"));
    refuses(2, WORDS("broadcast", "--audio-bitrate", "5M"), NAMES("'5M'", "16k to 512k"));
    refuses(2, WORDS("broadcast", "--preset", "fastest"), NAMES("'fastest'", "veryfast"));
    refuses(2, WORDS("broadcast", "--size", "33x33"), NAMES("'33x33'", "even numbers"));
    refuses(2, WORDS("broadcast", "--size", "8000x4000"), NAMES("'8000x4000'", "4096"));
    refuses(2, WORDS("broadcast", "--fps", "200"), NAMES("'200'", "120"));
    refuses(2, WORDS("broadcast", "--keyint", "1"), NAMES("'1'", "500ms"));
    refuses(2, WORDS("broadcast", "--max-upload", "0"), NAMES("--max-upload 0", "give a rate"));
    refuses(2, WORDS("join", link_text, "--max-upload", "fast"), NAMES("'fast'", "800k"));
    refuses(2, WORDS("join", link_text, "--http", "8080"), NAMES("'8080'", "127.0.0.1:8080"));
    refuses(2, WORDS("join", link_text, "--listen", "me:x"), NAMES("'me:x'", "ADDRESS:PORT"));
    refuses(2, WORDS("relay", link_text, "--max-upload", "0"), NAMES("--max-upload 0"));
    refuses(2, WORDS("relay", link_text, link_text), NAMES(link_text, "twice"));
    refuses(2, WORDS("broadcast", "--format", "nonsense", file("my.key")), NAMES("format"));
}

Test(bad_input, links_that_are_mistyped) {
    char mistyped[CHANNEL_LINK_TEXT_MAX], cut[CHANNEL_LINK_TEXT_MAX],
        odd[CHANNEL_LINK_TEXT_MAX + 8];
    snprintf(mistyped, sizeof mistyped, "%s", link_text);
    mistyped[20] = mistyped[20] == 'a' ? 'b' : 'a';
    snprintf(cut, sizeof cut, "%.40s", link_text);
    snprintf(odd, sizeof odd, "%.100s?peer=x", link_text);
    static const char *const commands[] = {"join", "relay", "info"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        refuses(2, WORDS(commands[i], mistyped), NAMES(mistyped, "mistyped", "copy it again"));
        refuses(2, WORDS(commands[i], cut), NAMES(cut, "malformed", "56 letters and digits"));
        refuses(2, WORDS(commands[i], "http://x"), NAMES("http://x", "malformed"));
        refuses(2, WORDS(commands[i], odd), NAMES("?...", "peer=HOST:PORT"));
    }
}

Test(bad_input, keys_that_cannot_be_used) {
    write_file("text.key", "hello\n", 0600);
    cr_assert_eq(chmod(file("my.key"), 0640), 0);
    refuses(1, WORDS("broadcast", "--key", file("my.key")),
            NAMES("my.key", "mode 0640", "chmod 600"));
    cr_assert_eq(chmod(file("my.key"), 0600), 0);
    refuses(1, WORDS("broadcast", "--key", file("text.key")), NAMES("text.key", "not a key file"));
    refuses(1, WORDS("broadcast", "--key", file("no.key")), NAMES("no.key", "keygen"));
    refuses(1, WORDS("broadcast", "--key", sandbox.path), NAMES(sandbox.path, "not a file"));
    refuses(1, WORDS("broadcast", "--private", "--key", file("my.key")),
            NAMES("my.key", "public channel", "keygen --private"));
    FILE *f = fopen(file("my.key"), "ae");
    cr_assert(f != NULL && fputs("seed x\n", f) >= 0 && fclose(f) == 0);
    refuses(1, WORDS("broadcast", "--key", file("my.key")), NAMES("my.key", "damaged"));
}

Test(bad_input, inputs_that_hold_no_media_leave_no_channel_behind) {
    write_file("text.txt", "Some text, which is neither to be seen nor to be heard.\n", 0644);
    refuses(1, WORDS("broadcast", file("no.mp4")), NAMES("no.mp4", "No such file"));
    refuses(1, WORDS("broadcast", file("text.txt")), NAMES("text.txt", "neither audio nor video"));
    refuses(1, WORDS("broadcast", sandbox.path), NAMES(sandbox.path, "irectory"));
    refuses(1, WORDS("broadcast", "/dev/null"), NAMES("/dev/null", "neither audio nor video"));
    refuses(1, WORDS("broadcast", "-"), NAMES("'-'", "neither audio nor video"));
    refuses(1, WORDS("broadcast", "http://127.0.0.1:1/x"), NAMES("127.0.0.1:1", "refused"));
    refuses(1, WORDS("broadcast", "nosuch:thing"), NAMES("nosuch:thing", "neither a file"));
    refuses(2, WORDS("broadcast", "--loop", "-"), NAMES("'-'", "only files can"));
    cr_assert_neq(access(file("shoal/channel.key"), F_OK), 0, "a key without a broadcast");
}

Test(bad_input, outputs_that_cannot_be_written) {
    write_file("there.mkv", "a holiday", 0644);
    static const char *const commands[][2] = {{"join", link_text}, {"broadcast", "test:"}};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *command = commands[i][0], *what = commands[i][1];
        refuses(2, WORDS(command, what, "-o", file("x.avi")), NAMES("x.avi", ".ts, .mp4 or .mkv"));
        refuses(1, WORDS(command, what, "-o", file("there.mkv")),
                NAMES("there.mkv", "--overwrite"));
        refuses(1, WORDS(command, what, "-o", file("no/x.ts")), NAMES("no/x.ts", "No such"));
        refuses(1, WORDS(command, what, "--stats", file("no/stats")), NAMES("no/stats", "No such"));
        refuses(2, WORDS(command, what, "-o", ""), NAMES("--output ''", "name of a file"));
    }
    char text[16] = "";
    FILE *f = fopen(file("there.mkv"), "re");
    cr_assert(f != NULL && fgets(text, sizeof text, f) != NULL && fclose(f) == 0);
    cr_assert_str_eq(text, "a holiday");
    cr_assert_neq(access(file("x.avi"), F_OK), 0);
    cr_assert_neq(access(file("shoal/channel.key"), F_OK), 0, "a key without a broadcast");
}

/* A socket that is bound, and its port. */
static int occupy(int type, char port[8], char address[24]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    if (type == SOCK_STREAM) cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(port, 8, "%u", ntohs(at.sin_port));
    snprintf(address, 24, "127.0.0.1:%s", port);
    return fd;
}

Test(bad_input, ports_that_are_in_use) {
    char port[8], address[24];
    int fd = occupy(SOCK_DGRAM, port, address);
    refuses(1, WORDS("join", link_text, "--listen", address), NAMES("--listen", address, "in use"));
    refuses(1, WORDS("relay", "--dht-port", port), NAMES("--dht-port", port, "in use"));
    refuses(1, WORDS("broadcast", "--dht-port", port), NAMES("--dht-port", port, "in use"));
    close(fd);
    fd = occupy(SOCK_STREAM, port, address);
    refuses(1, WORDS("join", link_text, "--http", address), NAMES("--http", address, "in use"));
    refuses(1, WORDS("relay", link_text, "--http", address), NAMES("--http", address, "in use"));
    close(fd);
    refuses(1, WORDS("join", link_text, "--listen", "192.0.2.1:0"), NAMES("--listen", "192.0.2.1"));
}

Test(bad_input, config_files_that_are_wrong) {
    write_file("config", "bitrate = 3M\nbitrat = 3M\n", 0644);
    refuses(2, WORDS("broadcast", "--config", file("config")), NAMES("config:2", "'bitrat'"));
    refuses(1, WORDS("broadcast", "--config", file("no")), NAMES("/no:", "No such file"));
}
