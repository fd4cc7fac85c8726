/* cmd_broadcast.c - shoal broadcast: from an input to the swarm. */
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/host.h"
#include "cli/keyfile.h"
#include "cli/log.h"
#include "cli/on_air.h"
#include "cli/recording.h"
#include "cli/xdg.h"
#include "core/base/err.h"
#include "media/source.h"

#define OUTBID_WITHIN_US                                                                           \
    (10 * US_PER_S)              /* of our start: our clock is behind, we take a higher id */
#define LINGER_US (2 * US_PER_S) /* for the last cells and the signed end to leave */
#define SHORT_FOR_S 2            /* a joiner's backlog fills an uplink for a moment */
#define SHORT_SAID_EVERY_S 10
#define PACKING_PERCENT 108 /* the stream once, in cells and datagrams, with its heads */

struct broadcast {
    const struct options *options;
    struct keyfile key;
    char key_path[PATH_MAX];
    bool key_is_missing;
    struct host *host;
    struct source *source;
    struct loop_watch *source_watch;
    struct loop_timer *linger;
    struct recording *recording;
    struct on_air on_air;
    uint64_t start_us;
    bool was_outbid;
    bool has_ended;
    int err;
    unsigned seconds_short;
    uint64_t dropped_said;
};

/* The key file that is named, or the default one: where there is none it is made, but only once
 * the broadcast is sure to begin. */
static int read_key(struct broadcast *b) {
    char message[KEYFILE_MESSAGE_MAX];
    int err = keyfile_path(b->options->key, b->key_path, message);
    if (!err) err = keyfile_read(b->key_path, KEYFILE_OF_CHANNEL, &b->key, message);
    if (err == ERR_NOT_FOUND && b->options->key == NULL) {
        b->key_is_missing = true;
        return 0;
    }
    if (err) {
        log_error("%s", message);
        return err;
    }
    if (b->options->is_private && !b->key.has_read_key) {
        log_error("--private: %s is the key of a public channel; make a private one with "
                  "'shoal keygen --private FILE'",
                  b->key_path);
        return ERR_STATE;
    }
    return 0;
}

static int make_key(struct broadcast *b) {
    char message[KEYFILE_MESSAGE_MAX];
    if (!b->key_is_missing) return 0;
    struct random random = random_from_system();
    keyfile_generate(&b->key, b->options->is_private, &random);
    secret_erase(&random, sizeof random);
    int err = xdg_make_folders(b->key_path);
    if (err) snprintf(message, sizeof message, "%.400s: its folder cannot be made", b->key_path);
    if (!err) err = keyfile_write(b->key_path, KEYFILE_OF_CHANNEL, &b->key, message);
    if (err)
        log_error("%s", message);
    else
        log_info("key", "made a new channel: %s holds its secret, keep a copy", b->key_path);
    return err;
}

/* A pipe or a listener waits for its writer as long as it takes: a signal ends that, too. Once the
 * host is open, signals are the loop's. */
static atomic_bool is_cancelled;

static void cancel(int signal) {
    (void)signal;
    is_cancelled = true;
}

static void listen_for_cancel(void) {
    struct sigaction action = {.sa_handler = cancel};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int open_source(struct broadcast *b) {
    const struct options *o = b->options;
    struct source_config config = source_config_default();
    if (o->arguments_len > 0) config.input = o->arguments[0];
    config.cancel = &is_cancelled;
    listen_for_cancel();
    if (strstr(config.input, "listen") != NULL)
        log_info("input", "waiting for a sender that calls %s", config.input);
    config.format = o->format;
    config.pace = !o->no_pace;
    config.loop = o->loop;
    config.width = o->size.width;
    config.height = o->size.height;
    config.fps_num = o->fps.num;
    config.fps_den = o->fps.den;
    config.video_bitrate_bps = (uint32_t)o->bitrate;
    config.audio_bitrate_bps = (uint32_t)o->audio_bitrate;
    config.preset = o->preset.word;
    config.keyint_us = o->keyint;
    char why[SOURCE_WHY_MAX];
    int err = source_open(&b->source, &config, why, sizeof why);
    if (err && !is_cancelled) log_error("%s", why);
    return err;
}

static void fail(struct broadcast *b, const char *what, int err) {
    log_error("%s: %s", what, err_text(err));
    b->err = err;
    host_stop(b->host);
}

/* Nothing follows: the node gets a moment to send what waits. */
static void end(struct broadcast *b) {
    if (b->has_ended) return;
    b->has_ended = true;
    loop_watch_want(b->source_watch, 0);
    if (b->recording != NULL) recording_finish(b->recording);
    loop_timer_at(b->linger, loop_now_us(host_loop(b->host)) + LINGER_US);
}

static void check_source(struct broadcast *b) {
    const char *why;
    switch (source_state(b->source, &why)) {
    case SOURCE_RUNNING: return;
    case SOURCE_ENDED: log_info("on-air", "the input has ended: so does the broadcast"); break;
    case SOURCE_FAILED:
        log_error("%s", why);
        b->err = ERR_SYSTEM;
        break;
    }
    end(b);
}

static void on_source(void *ctx, unsigned ready, uint64_t now_us) {
    struct broadcast *b = ctx;
    struct fragment *f;
    (void)ready;
    while ((f = source_next(b->source)) != NULL) {
        int err = on_air_publish(&b->on_air, f, now_us);
        if (b->recording != NULL) recording_push(b->recording, f);
        fragment_unref(f);
        if (err) {
            fail(b, "cannot publish", err);
            return;
        }
    }
    host_pump(b->host);
    check_source(b);
}

static void on_linger(void *ctx, uint64_t now_us) {
    struct broadcast *b = ctx;
    (void)now_us;
    host_stop(b->host);
}

static void on_outbid(void *ctx, uint64_t id) {
    struct broadcast *b = ctx;
    uint64_t now_us = loop_now_us(host_loop(b->host));
    if (id <= b->on_air.manifest.broadcast || b->err) return;
    if (b->was_outbid || now_us - b->start_us > OUTBID_WITHIN_US) {
        log_error("the channel went on air elsewhere with the same key: this broadcast ends");
        b->err = ERR_STATE;
        host_stop(b->host);
        return;
    }
    b->was_outbid = true;
    log_info("on-air", "an earlier broadcast has a later number: taking the next one");
    int err = on_air_restart(&b->on_air, id, loop_utc_us(), now_us);
    if (err) fail(b, "cannot go on air", err);
}

/* The uplink must carry the stream once at least, and what its subscribers take besides where they
 * do not pass it on. A limit below that is seen before the first viewer comes. */
static void check_uplink(struct broadcast *b, const struct node_stats *n,
                         const struct source_stats *source) {
    uint64_t stream_bps = (source->video_bps + source->audio_bps) * PACKING_PERCENT / 100;
    uint64_t limit_bps = b->options->max_upload;
    bool is_short = limit_bps < stream_bps || (n->uplink_short && n->demand_bps > n->uplink_bps);
    b->seconds_short = is_short ? b->seconds_short + 1 : 0;
    if (b->seconds_short % SHORT_SAID_EVERY_S != SHORT_FOR_S) return;
    double carries = (double)(n->uplink_bps != 0 ? n->uplink_bps : limit_bps) / 1e6;
    double needs = (double)u64_max(stream_bps, n->demand_bps) / 1e6;
    if (needs - carries < 0.05) /* "5.0 of 5.0" would say nothing */
        log_warn("uplink", "your uplink is full at %.1f Mb/s: viewers may stall; lower --bitrate",
                 carries);
    else
        log_warn("uplink",
                 "your uplink carries %.1f of %.1f Mb/s: viewers will stall; lower --bitrate",
                 carries, needs);
}

static void on_second(void *ctx, struct stats *s, uint64_t now_us) {
    struct broadcast *b = ctx;
    struct node_stats n;
    struct node_channel_stats c;
    struct source_stats source;
    node_stats(host_node(b->host), &n);
    node_channel_stats(host_node(b->host), b->on_air.channel, &c);
    source_stats(b->source, &source);
    s->first_chunk_us = s->first_output_us = STATS_NONE; /* a source plays nothing */
    s->buffer_us = 0;
    int err = on_air_renew(&b->on_air, loop_utc_us(), now_us);
    if (err) fail(b, "cannot sign the manifest", err);
    check_uplink(b, &n, &source);
    if (source.frames_dropped > b->dropped_said) {
        log_warn("encoder",
                 "cannot keep up: %llu frames dropped so far; try a faster --preset or a "
                 "smaller --size",
                 (unsigned long long)source.frames_dropped);
        b->dropped_said = source.frames_dropped * 2;
    }
    log_status("on air: viewers known=%u upload=%.1f Mb/s encoding=%.1f Mb/s dropped frames=%llu",
               c.neighbours, (double)host_upload_bps(b->host) / 1e6,
               (double)(source.video_bps + source.audio_bps) / 1e6,
               (unsigned long long)source.frames_dropped);
}

/* Somebody at the keyboard ends the broadcast, and viewers are told. A service that is stopped
 * (SIGTERM) may be about to start again: viewers wait for it. */
static bool on_stopping(void *ctx, int signal) {
    struct broadcast *b = ctx;
    if (signal != SIGINT || b->has_ended) return false;
    uint64_t now_us = loop_now_us(host_loop(b->host));
    int err = on_air_end(&b->on_air, loop_utc_us(), now_us);
    if (err)
        log_warn("on-air", "the end could not be signed: %s", err_text(err));
    else
        log_info("on-air", "telling the viewers that the broadcast ends; once more ends at once");
    end(b);
    host_pump(b->host);
    return err == 0;
}

static const struct host_handler handler = {
    .outbid = on_outbid, .stopping = on_stopping, .second = on_second};

static int go_on_air(struct broadcast *b) {
    size_t tracks_len;
    const struct track *tracks = source_tracks(b->source, &tracks_len);
    struct channel_link link;
    keyfile_link(&b->key, &link);
    int channel = host_join(b->host, &link, false);
    if (channel < 0) return channel;
    uint64_t now_us = loop_refresh(host_loop(b->host));
    b->start_us = now_us;
    int err = on_air_start(&b->on_air, host_node(b->host), channel, &b->key, b->options->title,
                           tracks, tracks_len, 0, loop_utc_us(), now_us);
    if (err) {
        log_error("cannot go on air: %s", err_text(err));
        return err;
    }
    host_set_broadcast_key(b->host, &b->on_air.broadcast_key);
    if (b->options->output != NULL) {
        err = recording_open(&b->recording, b->options, host_loop(b->host), NULL, NULL);
        if (!err) err = recording_tracks(b->recording, tracks, tracks_len);
        if (err) return err;
    }
    char text[CHANNEL_LINK_TEXT_MAX];
    channel_link_format(&link, text);
    host_announce_line(recording_is_stdout(b->options), "link", text);
    return 0;
}

static int run(struct broadcast *b) {
    struct loop *loop = host_loop(b->host);
    b->source_watch = loop_watch_new(loop, source_fd(b->source), on_source, b);
    b->linger = loop_timer_new(loop, on_linger, b);
    if (b->source_watch == NULL || b->linger == NULL) return ERR_MEMORY;
    int err = source_start(b->source);
    if (err) return err;
    loop_watch_want(b->source_watch, LOOP_READ);
    return host_run(b->host);
}

static void close_all(struct broadcast *b) {
    if (b->source_watch != NULL) loop_watch_free(b->source_watch);
    if (b->linger != NULL) loop_timer_free(b->linger);
    source_free(b->source);
    recording_free(b->recording);
    host_close(b->host);
    on_air_release(&b->on_air);
    keyfile_erase(&b->key);
}

static int check(const struct options *options) {
    if (options->max_upload != 0) return recording_check(options);
    log_error(
        "--max-upload 0: a broadcaster that sends nothing is not on air; give a rate, or leave it "
        "out");
    return ERR_ARGUMENT;
}

int cmd_broadcast(const struct options *options) {
    struct broadcast b = {.options = options};
    struct host_config config = {
        .options = options,
        .role = ROLE_SOURCE,
        .role_name = "source",
        .keeps_identity = true,
        .serves = true,
        .handler = &handler,
        .ctx = &b,
    };
    int err = check(options);
    if (!err) err = read_key(&b);
    if (!err) err = open_source(&b);
    bool is_usage = err == ERR_ARGUMENT;
    if (!err) err = host_open(&b.host, &config);
    if (!err && is_cancelled) err = ERR_STATE;
    if (!err) err = make_key(&b);
    if (!err) err = go_on_air(&b);
    if (!err) err = run(&b);
    if (!err) err = b.err;
    close_all(&b);
    if (is_usage) return EXIT_USAGE;
    return err && !is_cancelled ? EXIT_FAILED : EXIT_DONE;
}
