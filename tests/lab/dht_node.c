/* dht_node - one real node of the DHT, through dht/discovery.h, that a script measures with.
 *
 *     lab-dht_node PORT BOOTSTRAP|none      then commands on standard input, one a line:
 *     put CHANNEL PEER                      a holder record; CHANNEL and PEER are numbers
 *     find CHANNEL                          one search of the channel
 *
 * It answers, times in milliseconds since the command (for "up" since the node was opened):
 *     up MS                                 the DHT answers
 *     put CHANNEL MS ok|failed
 *     find CHANNEL MS ok|failed HOLDERS FIRST HALF LAST
 * the last three being when the first, half and all of the holders that it found were there, or -1.
 * It ends with its input. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/err.h"
#include "dht/discovery.h"

#define UTC_US                                                                                     \
    (1700000010 * US_PER_S) /* all nodes agree on it, so that no epoch ends meanwhile              \
                             */
#define NETWORK 77
#define LINE_MAX_BYTES 1024

struct search {
    bool is_used;
    unsigned channel;
    struct public_key key;
    uint64_t started_us;
    size_t found_len;
    uint64_t found_us[DISCOVERY_HOLDERS_MAX];
};

struct node {
    struct discovery *discovery;
    uint64_t opened_us;
    bool is_putting; /* one at a time, as puts are counted and not named */
    unsigned put_channel;
    uint64_t put_us;
    struct search searches[DISCOVERY_CHANNELS_MAX];
};

static uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static double ms_since(uint64_t start_us) {
    return (double)u64_sub(clock_us(), start_us) / (double)US_PER_MS;
}

static struct sign_key key_of(unsigned number) {
    uint8_t seed[SIGN_SEED_BYTES] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                     (uint8_t)(number >> 8), (uint8_t)number};
    struct sign_key key;
    sign_key_from_seed(&key, seed);
    return key;
}

static struct search *search_of(struct node *n, const struct public_key *channel) {
    for (size_t i = 0; i < ARRAY_LEN(n->searches); i++)
        if (n->searches[i].is_used && memcmp(&n->searches[i].key, channel, sizeof *channel) == 0)
            return &n->searches[i];
    return NULL;
}

static void on_holder(void *ctx, const struct public_key *channel, uint64_t epoch,
                      const struct holder *holder, uint64_t age_s) {
    (void)epoch, (void)holder, (void)age_s;
    struct search *s = search_of(ctx, channel);
    if (s != NULL && s->found_len < ARRAY_LEN(s->found_us))
        s->found_us[s->found_len++] = clock_us();
}

static void on_entry(void *ctx, const struct public_key *channel, const struct entry *entry) {
    (void)ctx, (void)channel, (void)entry;
}

static double found_ms(const struct search *s, size_t at) {
    return at < s->found_len ? (double)(s->found_us[at] - s->started_us) / (double)US_PER_MS : -1;
}

static void on_search(void *ctx, const struct public_key *channel,
                      const struct discovery_search *search) {
    struct search *s = search_of(ctx, channel);
    if (s == NULL) return;
    printf("find %u %.2f %s %zu %.2f %.2f %.2f\n", s->channel, ms_since(s->started_us),
           search->ok ? "ok" : "failed", s->found_len, found_ms(s, 0),
           found_ms(s, s->found_len / 2), found_ms(s, u64_sub(s->found_len, 1)));
    discovery_forget(((struct node *)ctx)->discovery, &s->key);
    s->is_used = false;
}

static void on_event(void *ctx, enum discovery_event event) {
    if (event == DISCOVERY_CONNECTED)
        printf("up %.2f\n", ms_since(((struct node *)ctx)->opened_us));
}

static const struct discovery_handler handler = {on_holder, on_entry, on_search, on_event};

static int find(struct node *n, unsigned channel) {
    struct sign_key key = key_of(channel);
    struct search *s = n->searches;
    while (s->is_used && s < n->searches + ARRAY_LEN(n->searches) - 1) s++;
    if (s->is_used || search_of(n, &key.public) != NULL) return ERR_FULL;
    *s = (struct search){
        .is_used = true, .channel = channel, .key = key.public, .started_us = clock_us()};
    return discovery_find(n->discovery, &key.public, UTC_US);
}

static int put(struct node *n, unsigned channel, unsigned peer) {
    struct sign_key channel_key = key_of(channel), peer_key = key_of(peer);
    struct holder h = {.peer = peer_key.public,
                       .issued_s = UTC_US / US_PER_S,
                       .role = ROLE_VIEWER,
                       .endpoints_len = 1};
    if (n->is_putting) return ERR_STATE;
    int err = endpoint_parse("198.18.0.1:7000", &h.endpoints[0]);
    if (err != 0) return err;
    n->is_putting = true;
    n->put_channel = channel;
    n->put_us = clock_us();
    return discovery_announce_holder(n->discovery, &channel_key.public, epoch_at(UTC_US), &h,
                                     &peer_key);
}

static bool obey(struct node *n, const char *line) {
    unsigned channel, peer;
    int err = ERR_FORMAT;
    if (sscanf(line, "put %u %u", &channel, &peer) == 2)
        err = put(n, channel, peer);
    else if (sscanf(line, "find %u", &channel) == 1)
        err = find(n, channel);
    if (err != 0) fprintf(stderr, "dht_node: %s: %s\n", line, err_text(err));
    return err == 0;
}

static void tell_put(struct node *n) {
    struct discovery_stats stats = discovery_stats(n->discovery);
    if (!n->is_putting || stats.puts_ok + stats.puts_failed < stats.puts) return;
    static uint64_t failed_before;
    printf("put %u %.2f %s\n", n->put_channel, ms_since(n->put_us),
           stats.puts_failed > failed_before ? "failed" : "ok");
    failed_before = stats.puts_failed;
    n->is_putting = false;
}

/* Whole lines of what has come; false at the end. */
static bool read_commands(struct node *n) {
    static char text[LINE_MAX_BYTES];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, text + len, sizeof text - len);
    if (got <= 0) return false;
    len += (size_t)got;
    char *end;
    while ((end = memchr(text, '\n', len)) != NULL) {
        size_t used = (size_t)(end - text) + 1;
        *end = 0;
        if (!obey(n, text)) return false;
        len -= used;
        memmove(text, text + used, len);
    }
    return len < sizeof text;
}

static void serve(struct node *n) {
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = discovery_fd(n->discovery), .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0) {
        if (fds[1].revents != 0) discovery_dispatch(n->discovery, &handler, n, UTC_US);
        tell_put(n);
        if (fds[0].revents != 0 && !read_commands(n)) return;
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    static struct node n;
    char why[DISCOVERY_WHY_MAX];
    if (argc != 3) {
        fputs("usage: lab-dht_node PORT BOOTSTRAP|none\n", stderr);
        return 2;
    }
    bool is_first = strcmp(argv[2], "none") == 0;
    const char *const hosts[] = {argv[2]};
    struct discovery_config config = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                                      .bootstrap = hosts,
                                      .bootstrap_len = !is_first,
                                      .is_bootstrap = is_first,
                                      .network = NETWORK};
    n.opened_us = clock_us();
    if (random_start() != 0 || discovery_open(&n.discovery, &config, why) != 0) {
        fprintf(stderr, "dht_node: %s\n", why);
        return 1;
    }
    serve(&n);
    discovery_free(n.discovery);
    return 0;
}
