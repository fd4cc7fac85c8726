/* cmd_relay.c - shoal relay: receive and re-serve channels, decode nothing; or be an entrance to
 * the DHT. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/host.h"
#include "cli/link_read.h"
#include "cli/log.h"
#include "cli/page.h"
#include "core/base/err.h"

struct relay {
    const struct options *options;
    struct host *host;
    struct page *page;
    int channels;
};

static void on_manifest(void *ctx, int channel, bool new_broadcast) {
    struct relay *r = ctx;
    const struct manifest *m = node_manifest(host_node(r->host), channel);
    if (new_broadcast)
        log_info("channel", "carrying channel %d%s%s", channel + 1, m->title[0] ? ": " : "",
                 m->title);
}

static void on_end(void *ctx, int channel) {
    (void)ctx;
    log_info("channel", "the broadcast of channel %d has ended", channel + 1);
}

static void on_second(void *ctx, struct stats *s, uint64_t now_us) {
    struct relay *r = ctx;
    (void)now_us;
    if (r->channels == 0) return;
    log_status("relaying: channels=%d links=%llu children=%llu upload=%.1f Mb/s", r->channels,
               (unsigned long long)s->links, (unsigned long long)s->children,
               (double)host_upload_bps(r->host) / 1e6);
}

static const struct host_handler handler = {
    .manifest = on_manifest, .end = on_end, .second = on_second};

static int join_all(struct relay *r, const struct channel_link *links, int n) {
    for (int i = 0; i < n; i++) {
        int channel = host_join(r->host, &links[i], false);
        if (channel < 0) return channel;
        r->channels++;
    }
    return 0;
}

/* Returns whether no two links are of the same channel. */
static bool links_differ(const struct options *o, const struct channel_link *links, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            if (!public_key_equal(&links[i].channel, &links[j].channel)) continue;
            log_error("link '%.*s': named twice", (int)strcspn(o->arguments[i], "?"),
                      o->arguments[i]);
            return false;
        }
    return true;
}

static int run(struct relay *r, const struct channel_link *links, int n) {
    int err = join_all(r, links, n);
    if (!err) err = page_open(&r->page, r->options, r->host, false, 0);
    if (err) return err;
    if (r->page != NULL) host_announce_line(false, "page", page_url(r->page));
    if (n == 0)
        log_info("dht", "a bootstrap node: others reach it with --bootstrap HOST:%u",
                 host_dht_port(r->host));
    return host_run(r->host);
}

int cmd_relay(const struct options *options) {
    struct relay r = {.options = options};
    struct channel_link links[OPTIONS_ARGUMENTS_MAX];
    int n = options->arguments_len;
    for (int i = 0; i < n; i++)
        if (link_read(options->arguments[i], &links[i])) return EXIT_USAGE;
    if (!links_differ(options, links, n)) return EXIT_USAGE;
    if (n > 0 && options->max_upload == 0) {
        log_error(
            "--max-upload 0: a relay serves others, so it must upload; give a rate, or leave it "
            "out");
        return EXIT_USAGE;
    }
    struct host_config config = {
        .options = options,
        .role = ROLE_RELAY,
        .role_name = n == 0 ? "bootstrap" : "relay",
        .keeps_identity = n > 0,
        .is_bootstrap = n == 0,
        .serves = true,
        .neighbours_max = (unsigned)options->max_peers,
        .memory_max = (size_t)options->max_memory,
        .handler = &handler,
        .ctx = &r,
    };
    int err = host_open(&r.host, &config);
    if (!err) err = run(&r, links, n);
    page_close(r.page);
    host_close(r.host);
    return err ? EXIT_FAILED : EXIT_DONE;
}
