/* How the commands end: SIGINT and SIGTERM are no failures, the last figures are written, and
 * nothing is left behind. A player that goes away ends its viewer quietly. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/proto/channel_link.h"
#include "tests/e2e/recorded.h"
#include "tests/e2e/stage.h"

TestSuite(endings, .init = stage_open, .fini = stage_close);

/* What a command may leave in its directories; a temporary file has another name. */
static bool is_known(const char *name) {
    static const char *const names[] = {"channel.key",   "source.key",
                                        "relay.key",     "peers",
                                        "dht-source",    "dht-source_port.txt",
                                        "dht-viewer",    "dht-viewer_port.txt",
                                        "dht-relay",     "dht-relay_port.txt",
                                        "dht-bootstrap", "dht-bootstrap_port.txt",
                                        "shoal",         "."};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return strcmp(name, "..") == 0 || strncmp(name, "stats-", 6) == 0;
}

static void check_folder(const char *path) {
    DIR *d = opendir(path);
    if (d == NULL) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        must(is_known(e->d_name), "%s/%s is left behind", path, e->d_name);
    closedir(d);
}

static double utc_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void ends(struct actor *a, int signal_number) {
    char path[PATH_MAX];
    double asked_s = stage_now_s(), asked_us = utc_us();
    int status = actor_stop(a, signal_number);
    must(status == 0, "%s: exit %d after %s", a->name, status, strsignal(signal_number));
    fprintf(stderr, "%s: %.2f s after %s\n", a->name, stage_now_s() - asked_s,
            strsignal(signal_number));
    must(actor_number(a, "t_us") >= asked_us, "%s: no figures at its end", a->name);
    must(!actor_has_said(a, "shoal: "), "%s complains", a->name);
    check_folder(a->sandbox.path);
    check_folder(sandbox_file(&a->sandbox, "shoal", path));
}

static void all_end(int signal_number) {
    char link[STAGE_LINK_MAX], file[PATH_MAX];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *relay = stage_start("relay", "relay", "--http", "127.0.0.1:0", link, NULL);
    struct actor *page = stage_start("page", "join", link, NULL);
    struct actor *recording =
        stage_start("recording", "join", link, "-o", stage_file("viewer.mp4", file), NULL);
    struct actor *all[] = {relay, page, recording, source, stage_bootstrap()};
    for (size_t i = 0; i < 3; i++) actor_wait(all[i], "chunks.ok", 20);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) ends(all[i], signal_number);
    struct recorded r;
    recorded_read(&r, file, true, true);
    recorded_free(&r);
}

Test(endings, sigint_ends_every_command_well) { all_end(SIGINT); }
Test(endings, sigterm_ends_every_command_well) { all_end(SIGTERM); }

/* Nobody holds the channel: these look for it until they are stopped. */
static void searches_end(int signal_number) {
    struct channel_link nobody = {0};
    struct sign_key key;
    char link[CHANNEL_LINK_TEXT_MAX], file[PATH_MAX];
    static const uint8_t seed[32] = {7};
    sign_key_from_seed(&key, seed);
    nobody.channel = key.public;
    channel_link_format(&nobody, link);
    struct actor *info = stage_start("info", "info", link, NULL);
    struct actor *viewer =
        stage_start("viewer", "join", link, "-o", stage_file("none.mp4", file), NULL);
    struct actor *relay = stage_start("relay", "relay", link, NULL);
    struct actor *all[] = {info, viewer, relay};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) actor_wait(all[i], "uptime_us", 1);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) ends(all[i], signal_number);
    must(!stage_file_exists("none.mp4"), "an empty recording");
}

Test(endings, sigint_ends_a_search_well) { searches_end(SIGINT); }
Test(endings, sigterm_ends_a_search_well) { searches_end(SIGTERM); }

static unsigned free_tcp_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

Test(endings, a_broadcaster_whose_sender_never_calls_ends_well) {
    char address[64];
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        snprintf(address, sizeof address, "tcp://127.0.0.1:%u?listen", free_tcp_port());
        struct actor *source = stage_start("source", "broadcast", address, NULL);
        actor_wait_said(source, "info input: waiting for a sender that calls tcp://127.0.0.1:");
        must(actor_stop(source, signals[i]) == 0, "it fails");
        must(!actor_has_said(source, "shoal: "), "it complains");
        check_folder(source->sandbox.path);
    }
}

Test(endings, a_player_that_goes_away_ends_its_viewer_quietly) {
    char link[STAGE_LINK_MAX], pipe[PATH_MAX], got[PATH_MAX];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    cr_assert_eq(mkfifo(stage_file("pipe", pipe), 0600), 0);
    const char *const argv[] = {"head", "-c", "100000", pipe, NULL};
    struct process *player = process_start(
        &(struct process_config){.argv = argv, .stdout_path = stage_file("got.ts", got)});
    cr_assert_not_null(player);
    struct actor *viewer = stage_start_with(
        &(struct actor_config){.name = "viewer", .command = "join", .stdout_path = pipe}, link,
        "-o", "-", NULL);
    cr_assert_eq(program_wait_exit(player), 0);
    cr_assert_eq(actor_wait_exit(viewer), 0);
    must(!actor_has_said(viewer, "shoal: ") && !actor_has_said(viewer, "warn "),
         "the viewer is not quiet");
    actor_missed_nothing(viewer);
}
