/* cmd_info.c - shoal info: what a channel is, and whether it is on air. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/host.h"
#include "cli/link_read.h"
#include "cli/log.h"
#include "core/base/err.h"

#define LOOK_EVERY_US (10 * US_PER_MS)
#define FIND_US (12 * US_PER_S)  /* for a cold DHT, three of its timeouts, and a dial */
#define END_US (300 * US_PER_MS) /* after the first media: its end may be right behind it */
#define HEAD_US (3 * US_PER_S)   /* after the manifest: media of a channel that is on air */

struct info {
    struct host *host;
    struct loop_timer *timer;
    int channel;
    uint64_t start_us;
    uint64_t manifest_us; /* 0: not yet */
    uint64_t on_air_us;
    bool has_ended;
    bool is_interrupted; /* there is no answer then */
};

static void on_manifest(void *ctx, int channel, bool new_broadcast) {
    struct info *info = ctx;
    (void)channel;
    if (new_broadcast) info->manifest_us = loop_refresh(host_loop(info->host));
}

static void on_end(void *ctx, int channel) {
    struct info *info = ctx;
    (void)channel;
    info->has_ended = true;
}

static void on_look(void *ctx, uint64_t now_us) {
    struct info *info = ctx;
    struct node_channel_stats c;
    node_channel_stats(host_node(info->host), info->channel, &c);
    if (c.on_air && info->on_air_us == 0) info->on_air_us = now_us;
    bool is_late = info->manifest_us != 0 ? now_us - info->manifest_us > HEAD_US
                                          : now_us - info->start_us > FIND_US;
    bool is_sure = info->on_air_us != 0 && now_us - info->on_air_us > END_US;
    info->has_ended = info->has_ended || c.ended;
    if (is_sure || info->has_ended || is_late)
        host_stop(info->host);
    else
        loop_timer_at(info->timer, now_us + LOOK_EVERY_US);
}

static void print_track(size_t number, const struct track *t) {
    if (t->kind == TRACK_VIDEO)
        printf("track %zu   video %s %ux%u %.4g fps %u kb/s\n", number, t->codec, t->width,
               t->height, t->fps_den == 0 ? 0.0 : (double)t->fps_num / t->fps_den,
               t->bitrate_bps / 1000);
    else
        printf("track %zu   audio %s %u Hz %s %u kb/s\n", number, t->codec, t->sample_rate,
               t->channels == 1   ? "mono"
               : t->channels == 2 ? "stereo"
                                  : "surround",
               t->bitrate_bps / 1000);
}

static void print_manifest(const struct manifest *m) {
    char since[32];
    time_t start = (time_t)(m->broadcast / 1000);
    struct tm utc;
    gmtime_r(&start, &utc);
    strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", &utc);
    if (m->title[0] != '\0') printf("title     %s\n", m->title);
    printf("broadcast %" PRIu64 ", since %s UTC\n", m->broadcast, since);
    for (size_t i = 0; i < m->tracks_len; i++) print_track(i, &m->tracks[i]);
    if (m->flags & MANIFEST_PRIVATE)
        printf("private   yes: only the whole link shows the picture\n");
}

static void print(const struct info *info, const char *link) {
    const struct manifest *m = node_manifest(host_node(info->host), info->channel);
    printf("channel   %s\n", link);
    if (m != NULL) print_manifest(m);
    const char *state = info->has_ended                ? "ended"
                        : info->on_air_us != 0         ? "on air"
                        : m != NULL                    ? "not on air: nothing new comes"
                        : host_holders(info->host) > 0 ? "not found: none of its holders answers"
                                                       : "not found: nobody holds it now";
    printf("state     %s\n", state);
    printf("holders   %u", host_holders(info->host));
    if (host_holder_us(info->host) != STATS_NONE)
        printf(", the first after %llu ms",
               (unsigned long long)(host_holder_us(info->host) / US_PER_MS));
    uint64_t now_us = loop_refresh(host_loop(info->host));
    uint64_t until_us = info->on_air_us ? info->on_air_us : now_us;
    printf("\ntook      %llu ms\n",
           (unsigned long long)(u64_sub(until_us, stats_process_start_us()) / US_PER_MS));
}

static const struct host_handler handler = {.manifest = on_manifest, .end = on_end};

static int look(struct info *info, const struct channel_link *link) {
    struct loop *loop = host_loop(info->host);
    info->timer = loop_timer_new(loop, on_look, info);
    if (info->timer == NULL) return ERR_MEMORY;
    info->start_us = loop_refresh(loop);
    info->channel = host_join(info->host, link, false);
    if (info->channel < 0) return info->channel;
    loop_timer_at(info->timer, info->start_us + LOOK_EVERY_US);
    int err = host_run(info->host);
    info->is_interrupted = loop_signal(loop) != 0;
    return err;
}

int cmd_info(const struct options *options) {
    struct info info = {0};
    struct channel_link link;
    struct host_config config = {
        .options = options,
        .role = ROLE_VIEWER,
        .role_name = "viewer",
        .handler = &handler,
        .ctx = &info,
    };
    if (link_read(options->arguments[0], &link)) return EXIT_USAGE;
    int err = host_open(&info.host, &config);
    if (!err) err = look(&info, &link);
    if (!err && !info.is_interrupted) {
        char text[CHANNEL_LINK_TEXT_MAX];
        channel_link_format(&(struct channel_link){.channel = link.channel}, text);
        print(&info, text);
    }
    if (info.timer != NULL) loop_timer_free(info.timer);
    host_close(info.host);
    bool is_on_air = info.on_air_us != 0 && !info.has_ended;
    return !err && (is_on_air || info.is_interrupted) ? EXIT_DONE : EXIT_FAILED;
}
