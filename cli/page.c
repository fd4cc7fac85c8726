#include "cli/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_quote.h"
#include "cli/log.h"
#include "core/base/err.h"

#define DEFAULT_LISTEN "127.0.0.1:0"

struct page {
    struct host *host;
    struct http_server *server;
    int channel;
    char url[PAGE_URL_MAX];
};

static const char *state_of(const struct node *n, int channel, const struct node_channel_stats *c) {
    if (node_manifest(n, channel) == NULL) return "searching";
    if (c->ended) return "ended";
    return c->on_air ? "on_air" : "waiting";
}

/* RFC 6381, as the page hands it to the browser: the video's codec, then the audio's. */
static void write_codecs(const struct manifest *m, char *ret, size_t size) {
    size_t len = 0;
    ret[0] = '\0';
    for (uint8_t kind = TRACK_VIDEO; kind <= TRACK_AUDIO; kind++)
        for (size_t i = 0; i < m->tracks_len; i++) {
            if (m->tracks[i].kind != kind) continue;
            len += (size_t)snprintf(ret + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    m->tracks[i].codec);
            break;
        }
}

static int write_status(void *owner, char *ret, size_t capacity) {
    struct page *p = owner;
    const struct node *n = host_node(p->host);
    const struct manifest *m = node_manifest(n, p->channel);
    struct node_channel_stats c;
    node_channel_stats(n, p->channel, &c);
    char title[JSON_QUOTE_MAX(TITLE_MAX)] = "null", codecs[TRACKS_MAX * (CODEC_MAX + 2)] = "";
    char quoted[JSON_QUOTE_MAX(sizeof codecs)] = "null", lag[24] = "null";
    if (m != NULL) {
        json_quote(m->title, title, sizeof title);
        write_codecs(m, codecs, sizeof codecs);
        json_quote(codecs, quoted, sizeof quoted);
    }
    if (c.lag_samples > 0) snprintf(lag, sizeof lag, "%" PRIu64, c.lag_p50_us / 1000);
    int len = snprintf(
        ret, capacity,
        "{\"state\":\"%s\",\"title\":%s,\"codecs\":%s,\"broadcast\":%" PRIu64
        ",\"lag_ms\":%s,\"links\":%u,\"viewers\":null}", /* nobody knows the swarm's size yet */
        state_of(n, p->channel, &c), title, quoted, c.broadcast, lag, c.neighbours);
    return len < 0 || (size_t)len >= capacity ? ERR_FULL : len;
}

static int write_health(void *owner, char *ret, size_t capacity, bool *ret_healthy) {
    struct page *p = owner;
    struct node_stats s;
    node_stats(host_node(p->host), &s);
    *ret_healthy = true;
    int len = snprintf(ret, capacity, "ok links=%u\n", s.links_up);
    return len < 0 || (size_t)len >= capacity ? ERR_FULL : len;
}

static int write_metrics(void *owner, char *ret, size_t capacity) {
    struct page *p = owner;
    return host_metrics(p->host, ret, capacity);
}

int page_open(struct page **ret, const struct options *options, struct host *host, bool has_player,
              int channel) {
    *ret = NULL;
    if (options->http.is_off || (!options->http.is_set && !has_player)) return 0;
    struct page *p = calloc(1, sizeof *p);
    if (p == NULL) return ERR_MEMORY;
    p->host = host;
    p->channel = channel;
    char listen[ENDPOINT_TEXT_MAX] = DEFAULT_LISTEN, why[HTTP_WHY_MAX];
    if (options->http.is_set) endpoint_format(&options->http.at, listen);
    struct http_server_config config = {
        .listen = listen,
        .has_player = has_player,
        .status = has_player ? write_status : NULL,
        .metrics = write_metrics,
        .health = write_health,
        .owner = p,
    };
    int err = http_server_open(&p->server, loop_base(host_loop(host)), &config, why, sizeof why);
    if (err) {
        log_error("--%s", why); /* "http: 127.0.0.1:80 is in use..." */
        free(p);
        return err;
    }
    snprintf(p->url, sizeof p->url, "http://%s%s", http_server_address(p->server),
             has_player ? "/" : "/metrics");
    host_set_http(host, p->url);
    *ret = p;
    return 0;
}

void page_close(struct page *p) {
    if (p == NULL) return;
    host_set_http(p->host, NULL);
    http_server_free(p->server);
    free(p);
}

const char *page_url(const struct page *p) { return p->url; }

void page_tracks(struct page *p, const struct track *tracks, size_t n) {
    int err = http_server_set_tracks(p->server, tracks, n);
    if (err) log_warn("page", "the broadcast cannot be shown here: %s", err_text(err));
}

void page_push(struct page *p, struct fragment *f) { http_server_push(p->server, f); }
