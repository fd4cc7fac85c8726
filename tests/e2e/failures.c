/* What a person fears: a source, a relay or the entrance to the DHT that is gone, and somebody who
 * throws rubbish at a port. Who stays goes on. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "tests/e2e/recorded.h"
#include "tests/e2e/stage.h"
#include "tests/lib/json.h"

#define CHUNKS_MORE 60   /* some 3 s of picture and sound */
#define RUBBISH 1000000  /* datagrams */
#define RUBBISH_BATCH 64 /* of one system call */
#define RUBBISH_SIZE 1200

TestSuite(failures, .init = stage_open, .fini = stage_close);

static void kill_hard(struct actor *a) { cr_assert_eq(actor_stop(a, SIGKILL), 128 + SIGKILL); }

static void decodes(const char *name) {
    struct recorded r;
    char path[PATH_MAX];
    recorded_read(&r, stage_file(name, path), true, true);
    recorded_free(&r);
}

Test(failures, viewers_stay_when_the_source_is_killed_and_started_again) {
    char link[STAGE_LINK_MAX], again[STAGE_LINK_MAX], files[3][PATH_MAX];
    static const char *const names[] = {"viewer.ts", "viewer.mp4", "viewer.mkv"};
    struct actor *viewers[ARRAY_LEN(names)];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        viewers[i] = stage_start(names[i], "join", link, "-o", stage_file(names[i], files[i]),
                                 "--http", "off", NULL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) actor_wait(viewers[i], "chunks.ok", CHUNKS_MORE);
    double broadcast = actor_number(viewers[0], "broadcast");

    kill_hard(source);
    stage_start_again(source, &(struct actor_config){.command = "broadcast"}, SMALL, "--preset",
                      "ultrafast", NULL);
    cr_assert_str_eq(stage_link(source, again), link);
    double began_s = stage_now_s();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        actor_wait_said(viewers[i], "info channel: the channel is on air again");
    fprintf(stderr, "found again by all %.2f s after it\n", stage_now_s() - began_s);
    actors_wait_more(viewers, ARRAY_LEN(names), "chunks.ok", CHUNKS_MORE);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_assert_gt(actor_number(viewers[i], "broadcast"), broadcast);
        cr_assert_eq(actor_number(viewers[i], "chunks.missed"), 0);
        cr_assert_eq(actor_stop(viewers[i], SIGTERM), 0);
        decodes(names[i]);
    }
    cr_assert(!stage_file_exists("viewer-2.mp4"), "the codec is the same: so is the file");
}

Test(failures, viewers_miss_nothing_when_a_relay_that_serves_them_is_killed) {
    char link[STAGE_LINK_MAX];
    struct actor *viewers[3];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *relay = stage_start("relay", "relay", link, NULL);
    actor_wait(relay, "chunks.ok", 1);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        viewers[i] = stage_start("viewer", "join", link, "--http", "off", NULL);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++) actor_wait(viewers[i], "chunks.ok", 1);
    actor_wait(relay, "children", 1);
    actor_wait_more(relay, "bytes.media_out", 50000);
    kill_hard(relay);
    actors_wait_more(viewers, ARRAY_LEN(viewers), "chunks.ok", CHUNKS_MORE);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++) actor_missed_nothing(viewers[i]);
}

static bool take_listen(const char *line, void *data) {
    cr_assert_eq(json_text(line, "listen", data, 64), 0, "%s", line);
    return false;
}

Test(failures, the_death_of_the_bootstrap_node_stops_nobody_who_knows_a_peer) {
    char link[STAGE_LINK_MAX], hinted[STAGE_LINK_MAX + 80], listen[64] = "";
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *stays = stage_start("stays", "join", link, "--http", "off", NULL);
    struct actor *returns = stage_start("returns", "join", link, "--http", "off", NULL);
    actor_wait(stays, "chunks.ok", 1);
    actor_wait(returns, "chunks.ok", 1);
    cr_assert_eq(actor_stop(returns, SIGINT), 0);
    kill_hard(stage_bootstrap());

    stage_start_again(returns, &(struct actor_config){.command = "join"}, link, "--http", "off",
                      NULL);
    actor_wait(returns, "chunks.ok", CHUNKS_MORE);
    actor_missed_nothing(returns);
    actor_each_line(source, take_listen, listen);
    snprintf(hinted, sizeof hinted, "%s?peer=%s", link, listen);
    struct actor *alone = stage_start_with(
        &(struct actor_config){.name = "alone", .command = "join", .is_alone = true}, hinted,
        "--http", "off", NULL);
    actor_wait(alone, "chunks.ok", CHUNKS_MORE);
    actor_missed_nothing(alone);
    actor_wait_more(stays, "chunks.ok", 1);
    actor_missed_nothing(stays);
}

static struct sockaddr_in address_of(const char *listen) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    unsigned port;
    cr_assert_eq(sscanf(listen, "127.0.0.1:%u", &port), 1, "%s", listen);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

/* Slices of random bytes, of every size that a datagram of a link can have. */
static void throw_rubbish(const char *listen) {
    static uint8_t bytes[1 << 16];
    struct rng rng = rng_init(1);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rng_below(&rng, 256);
    struct sockaddr_in to = address_of(listen);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    for (unsigned sent = 0; sent < RUBBISH; sent += RUBBISH_BATCH) {
        struct iovec slices[RUBBISH_BATCH];
        struct mmsghdr batch[RUBBISH_BATCH] = {0};
        for (size_t i = 0; i < RUBBISH_BATCH; i++) {
            slices[i].iov_len = 1 + rng_below(&rng, RUBBISH_SIZE);
            slices[i].iov_base = bytes + rng_below(&rng, sizeof bytes - RUBBISH_SIZE);
            batch[i].msg_hdr = (struct msghdr){.msg_iov = &slices[i], .msg_iovlen = 1};
        }
        cr_assert_gt(sendmmsg(fd, batch, RUBBISH_BATCH, 0), 0);
    }
    close(fd);
}

Test(failures, a_million_random_datagrams_leave_the_stream_unharmed) {
    char link[STAGE_LINK_MAX], listen[64] = "";
    struct actor *source = stage_start_source();
    stage_link(source, link);
    struct actor *viewer = stage_start("viewer", "join", link, "--http", "off", NULL);
    actor_wait(viewer, "chunks.ok", 1);
    double datagrams = actor_number(viewer, "datagrams.in");
    actor_each_line(viewer, take_listen, listen);
    throw_rubbish(listen);
    actor_wait_more(viewer, "chunks.ok", CHUNKS_MORE);
    double heard = actor_number(viewer, "datagrams.in") - datagrams;
    fprintf(stderr, "rubbish: %.0f of %d datagrams were taken from the socket\n", heard, RUBBISH);
    cr_assert_gt(heard, RUBBISH / 100, "hardly any reached it");
    actor_missed_nothing(viewer);
}

/* As if its cable had been pulled: the viewers say nothing until they go on. */
Test(failures, a_source_that_hears_nobody_says_so_and_goes_on) {
    char link[STAGE_LINK_MAX];
    struct actor *viewers[2];
    struct actor *source = stage_start_source();
    stage_link(source, link);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        viewers[i] = stage_start("viewer", "join", link, "--http", "off", NULL);
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++) actor_wait(viewers[i], "chunks.ok", 1);
    actor_wait(source, "links", ARRAY_LEN(viewers));
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        cr_assert_eq(process_signal(viewers[i]->process, SIGSTOP), 0);
    actor_wait_said(source, "warn network: nothing comes from any of 2 peers");
    for (size_t i = 0; i < ARRAY_LEN(viewers); i++)
        cr_assert_eq(process_signal(viewers[i]->process, SIGCONT), 0);
    actor_wait_said(source, "info network: peers are heard again");
    actors_wait_more(viewers, ARRAY_LEN(viewers), "chunks.ok", CHUNKS_MORE);
}
