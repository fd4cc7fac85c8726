/* cmd_join.c - shoal join: find a channel, watch it, pass it on. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/host.h"
#include "cli/link_read.h"
#include "cli/log.h"
#include "cli/page.h"
#include "cli/recording.h"
#include "core/base/err.h"

#define LOOKING_SAID_S 10 /* without a broadcast: the first line that says so */

struct viewer {
    const struct options *options;
    struct channel_link link;
    struct host *host;
    struct page *page;           /* NULL: off */
    struct recording *recording; /* NULL: no --output */
    int channel;
    int err;
    bool is_private_said;
    bool was_on_air;
    unsigned seconds;
};

static void on_recorded(void *ctx, enum recorder_state state) {
    struct viewer *v = ctx;
    if (state == RECORDER_FAILED) v->err = ERR_SYSTEM; /* a reader that went away is no fault */
    host_stop(v->host);
}

static void on_manifest(void *ctx, int channel, bool new_broadcast) {
    struct viewer *v = ctx;
    const struct manifest *m = node_manifest(host_node(v->host), channel);
    if (!new_broadcast) return;
    log_info("channel", "%s%s%s",
             v->was_on_air ? "the channel is on air again" : "found the channel",
             m->title[0] != '\0' ? ": " : "", m->title);
    v->was_on_air = true;
    if (m->flags & MANIFEST_PRIVATE && !v->link.has_read_key && !v->is_private_said) {
        v->is_private_said = true;
        log_error(
            "link '%.*s': the channel is private and the link lacks its 'read=' part: ask for the "
            "whole link",
            (int)strcspn(v->options->arguments[0], "?"), v->options->arguments[0]);
        v->err = ERR_PERMISSION;
        host_stop(v->host);
        return;
    }
    if (v->page != NULL) page_tracks(v->page, m->tracks, m->tracks_len);
    if (v->recording == NULL) return;
    v->err = recording_tracks(v->recording, m->tracks, m->tracks_len);
    if (v->err) host_stop(v->host);
}

static void on_fragment(void *ctx, int channel, struct fragment *f) {
    struct viewer *v = ctx;
    (void)channel;
    if (v->page != NULL) page_push(v->page, f);
    if (v->recording != NULL) recording_push(v->recording, f);
}

static void on_end(void *ctx, int channel) {
    struct viewer *v = ctx;
    (void)channel;
    log_info("channel", "the broadcast has ended");
    if (v->recording != NULL) recording_finish(v->recording);
}

static void say_status(const struct viewer *v, const struct node_channel_stats *c,
                       const struct stats *s) {
    double upload = (double)host_upload_bps(v->host) / 1e6;
    if (c->broadcast == 0)
        log_status("looking for the channel: holders=%u", host_holders(v->host));
    else if (c->first_chunk_us == 0 && !c->ended)
        log_status("found; waiting for the first picture: links=%u", c->neighbours);
    else if (!c->on_air)
        log_status("%s: links=%u",
                   c->ended ? "ended; waiting for the next broadcast"
                            : "the source has gone quiet; waiting",
                   c->neighbours);
    else
        log_status("watching: lag=%.2f s links=%u upload=%.1f Mb/s missed=%llu",
                   s->lag_us.p50 == STATS_NONE ? 0.0 : (double)s->lag_us.p50 / 1e6, c->neighbours,
                   upload, (unsigned long long)c->chunks_missed);
}

static void on_second(void *ctx, struct stats *s, uint64_t now_us) {
    struct viewer *v = ctx;
    struct node_channel_stats c;
    (void)now_us;
    node_channel_stats(host_node(v->host), v->channel, &c);
    if (v->recording != NULL) {
        uint64_t first_us = recording_first_output_us(v->recording);
        s->first_output_us =
            first_us == 0 ? STATS_NONE : u64_sub(first_us, stats_process_start_us());
    }
    if (c.broadcast == 0 && ++v->seconds == LOOKING_SAID_S)
        log_info(
            "channel",
            "nobody who holds the channel was found yet; it may be off the air. Still looking");
    say_status(v, &c, s);
}

static const struct host_handler handler = {
    .manifest = on_manifest, .fragment = on_fragment, .end = on_end, .second = on_second};

static int open_outputs(struct viewer *v) {
    const struct options *o = v->options;
    bool media_on_stdout = recording_is_stdout(o);
    int err = page_open(&v->page, o, v->host, true, v->channel);
    if (!err && o->output != NULL)
        err = recording_open(&v->recording, o, host_loop(v->host), on_recorded, v);
    if (err) return err;
    char text[CHANNEL_LINK_TEXT_MAX];
    channel_link_format(&v->link, text);
    host_announce_line(media_on_stdout, "link", text);
    if (v->page != NULL) host_announce_line(media_on_stdout, "page", page_url(v->page));
    return 0;
}

static int watch(struct viewer *v) {
    v->channel = host_join(v->host, &v->link, true);
    if (v->channel < 0) return v->channel;
    int err = open_outputs(v);
    return err ? err : host_run(v->host);
}

/* What was received is written out before the program ends, however it ends. */
static void close_all(struct viewer *v) {
    if (v->recording != NULL) recording_finish(v->recording);
    recording_free(v->recording);
    page_close(v->page);
    host_close(v->host);
    secret_erase(&v->link.read_key, sizeof v->link.read_key);
}

int cmd_join(const struct options *options) {
    struct viewer v = {.options = options};
    struct host_config config = {
        .options = options,
        .role = ROLE_VIEWER,
        .role_name = "viewer",
        .serves = true,
        .handler = &handler,
        .ctx = &v,
    };
    if (link_read(options->arguments[0], &v.link)) return EXIT_USAGE;
    int err = recording_check(options);
    if (err == ERR_ARGUMENT) return EXIT_USAGE;
    if (!err) err = host_open(&v.host, &config);
    if (!err) err = watch(&v);
    if (!err) err = v.err;
    close_all(&v);
    return err ? EXIT_FAILED : EXIT_DONE;
}
