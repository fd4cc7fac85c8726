#include "dht/remembered.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/proto/holder.h"

#define NOW_S 1700000000

static struct public_key key(unsigned n) {
    return (struct public_key){{(uint8_t)n, (uint8_t)(n >> 8), 0xab}};
}

static struct remembered_peer peer(unsigned n, uint64_t seen_s) {
    struct remembered_peer p = {.peer = key(n), .seen_s = seen_s, .role = ROLE_RELAY};
    cr_assert_eq(endpoint_parse("192.0.2.7:7000", &p.endpoint), 0);
    return p;
}

static void add(struct remembered *r, unsigned channel, unsigned n, uint64_t seen_s) {
    struct public_key c = key(channel);
    struct remembered_peer p = peer(n, seen_s);
    cr_assert_eq(remembered_add(r, &c, &p), 0);
}

static size_t peers(const struct remembered *r, unsigned channel, struct remembered_peer *ret) {
    struct public_key c = key(channel);
    return remembered_peers(r, &c, ret, REMEMBERED_PEERS_MAX);
}

struct folder {
    char path[64], file[128];
};

static struct folder folder_make(void) {
    struct folder f = {.path = "/tmp/shoal-remembered-XXXXXX"};
    cr_assert_not_null(mkdtemp(f.path));
    snprintf(f.file, sizeof f.file, "%s/peers", f.path);
    return f;
}

static void folder_remove(const struct folder *f) {
    unlink(f->file);
    cr_assert_eq(rmdir(f->path), 0, "nothing else was left there");
}

Test(remembered, gives_back_what_was_saved_newest_first) {
    struct folder f = folder_make();
    struct remembered *r = remembered_new(), *again = remembered_new();
    add(r, 1, 10, NOW_S - 50);
    add(r, 1, 11, NOW_S - 10);
    add(r, 1, 12, NOW_S - 90);
    add(r, 2, 10, NOW_S - 5);
    cr_assert_eq(remembered_save(r, f.file), 0);
    cr_assert_eq(remembered_load(again, f.file, NOW_S), 0);
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    cr_assert_eq(peers(again, 1, found), 3);
    static const unsigned order[] = {11, 10, 12};
    for (size_t i = 0; i < 3; i++) {
        struct public_key expected = key(order[i]);
        cr_assert(public_key_equal(&found[i].peer, &expected));
        cr_assert_eq(found[i].role, ROLE_RELAY);
        cr_assert_eq(found[i].endpoint.port, 7000);
    }
    cr_assert_eq(found[0].seen_s, NOW_S - 10);
    cr_assert_eq(peers(again, 2, found), 1);
    cr_assert_eq(peers(again, 3, found), 0);
    remembered_free(r);
    remembered_free(again);
    folder_remove(&f);
}

Test(remembered, saves_for_its_owner_alone_and_replaces_the_whole_file) {
    struct folder f = folder_make();
    struct remembered *r = remembered_new(), *again = remembered_new();
    for (unsigned i = 0; i < 40; i++) add(r, 1, i, NOW_S - i);
    cr_assert_eq(remembered_save(r, f.file), 0);
    add(again, 1, 7, NOW_S);
    cr_assert_eq(remembered_save(again, f.file), 0);
    struct stat st;
    cr_assert_eq(stat(f.file, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    struct remembered *loaded = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    cr_assert_eq(remembered_load(loaded, f.file, NOW_S), 0);
    cr_assert_eq(peers(loaded, 1, found), 1);
    remembered_free(r);
    remembered_free(again);
    remembered_free(loaded);
    folder_remove(&f);
}

Test(remembered, keeps_the_newest_news_of_a_peer) {
    struct remembered *r = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    add(r, 1, 10, NOW_S - 50);
    add(r, 1, 11, NOW_S - 20);
    add(r, 1, 10, NOW_S - 10);
    add(r, 1, 10, NOW_S - 90);
    cr_assert_eq(peers(r, 1, found), 2);
    struct public_key newest = key(10);
    cr_assert(public_key_equal(&found[0].peer, &newest));
    cr_assert_eq(found[0].seen_s, NOW_S - 10);
    remembered_free(r);
}

Test(remembered, forgets_the_oldest_peers_of_a_full_channel) {
    struct remembered *r = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    for (unsigned i = 0; i < REMEMBERED_PEERS_MAX + 10; i++) add(r, 1, i, NOW_S + i);
    cr_assert_eq(peers(r, 1, found), REMEMBERED_PEERS_MAX);
    cr_assert_eq(found[0].seen_s, NOW_S + REMEMBERED_PEERS_MAX + 9);
    cr_assert_eq(found[REMEMBERED_PEERS_MAX - 1].seen_s, NOW_S + 10);
    struct public_key channel = key(1);
    struct remembered_peer late = peer(999, NOW_S);
    cr_assert_eq(remembered_add(r, &channel, &late), ERR_STALE);
    remembered_free(r);
}

Test(remembered, forgets_the_channel_of_the_oldest_news) {
    struct remembered *r = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    for (unsigned i = 0; i < REMEMBERED_CHANNELS_MAX; i++) add(r, i, 1, NOW_S + i);
    add(r, 0, 2, NOW_S + 500);
    add(r, 1000, 1, NOW_S + 600);
    cr_assert_eq(peers(r, 0, found), 2);
    cr_assert_eq(peers(r, 1, found), 0);
    cr_assert_eq(peers(r, 2, found), 1);
    cr_assert_eq(peers(r, 1000, found), 1);
    remembered_free(r);
}

Test(remembered, refuses_peers_that_nobody_could_dial) {
    struct remembered *r = remembered_new();
    struct public_key channel = key(1);
    struct remembered_peer bad = peer(1, NOW_S);
    bad.role = 0;
    cr_assert_eq(remembered_add(r, &channel, &bad), ERR_RANGE);
    bad = peer(1, NOW_S);
    bad.endpoint.port = 0;
    cr_assert_eq(remembered_add(r, &channel, &bad), ERR_RANGE);
    remembered_free(r);
}

#define CHANNEL_HEX "0100ab0000000000000000000000000000000000000000000000000000000000"
#define PEER_HEX "0200ab0000000000000000000000000000000000000000000000000000000000"

Test(remembered, skips_and_counts_lines_that_are_malformed) {
    static const char *const bad[] = {
        "x",
        " ",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 5",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 5 relay more",
        CHANNEL_HEX "  " PEER_HEX " 192.0.2.7:7000 5 relay",
        CHANNEL_HEX " " PEER_HEX "0 192.0.2.7:7000 5 relay",
        "0100AB"
        " " PEER_HEX " 192.0.2.7:7000 5 relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7 5 relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:0 5 relay",
        CHANNEL_HEX " " PEER_HEX " host:7000 5 relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 -5 relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 99999999999999999999999 relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 5 Relay",
        CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 5 relay ",
    };
    char text[8192] = "# a remark\n\n";
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        strcat(text, bad[i]);
        strcat(text, "\n");
    }
    size_t long_at = strlen(text);
    memset(text + long_at, 'a', 1000);
    text[long_at + 1000] = '\0';
    strcat(text, "\n" CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 5 relay");
    struct remembered *r = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    cr_assert_eq(remembered_parse(r, text, strlen(text), NOW_S), ARRAY_LEN(bad) + 1);
    cr_assert_eq(peers(r, 1, found), 1, "the last line is good, without a line end");
    cr_assert_eq(remembered_parse(r, "a\0b\n", 4, NOW_S), 1);
    remembered_free(r);
}

Test(remembered, takes_times_of_the_future_for_now) {
    static const char line[] = CHANNEL_HEX " " PEER_HEX " 192.0.2.7:7000 9999999999 source\n";
    struct remembered *r = remembered_new();
    struct remembered_peer found[REMEMBERED_PEERS_MAX];
    cr_assert_eq(remembered_parse(r, line, sizeof line - 1, NOW_S), 0);
    cr_assert_eq(peers(r, 1, found), 1);
    cr_assert_eq(found[0].seen_s, NOW_S);
    remembered_free(r);
}

Test(remembered, says_why_a_file_cannot_be_loaded_or_saved) {
    struct folder f = folder_make();
    struct remembered *r = remembered_new();
    cr_assert_eq(remembered_load(r, f.file, NOW_S), ERR_NOT_FOUND);
    cr_assert_eq(remembered_load(r, f.path, NOW_S), ERR_SYSTEM, "a folder is no file");
    char nowhere[160];
    snprintf(nowhere, sizeof nowhere, "%s/no/peers", f.path);
    cr_assert_eq(remembered_save(r, nowhere), ERR_NOT_FOUND);
    cr_assert_eq(mkdir(f.file, 0700), 0);
    cr_assert_eq(remembered_save(r, f.file), ERR_SYSTEM, "a folder is not replaced");
    cr_assert_eq(rmdir(f.file), 0);
    FILE *file = fopen(f.file, "w");
    for (unsigned i = 0; i <= REMEMBERED_FILE_MAX; i++) fputc('#', file);
    fclose(file);
    cr_assert_eq(remembered_load(r, f.file, NOW_S), ERR_RANGE);
    remembered_free(r);
    folder_remove(&f);
}
