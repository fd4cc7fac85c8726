/* pacing [--check] [--seeds N] [NAME]: how the pacer does over simulated uplinks, a line for each
 * scenario whose name begins with NAME: the worst of all seeds. With --check it fails where that is
 * not what the table below asks for: what six seeds reached, with some room, as a guard against
 * regressions. What was aimed at, 15 ms everywhere, is not in the first second of a thin uplink
 * (see the README). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pacing/measure.h"

#define SEEDS 10
#define SEEDS_CHECK 2
#define SEEDS_MAX 1000
#define MBPS 1000000

#define LINK(rate, buffer_ms, rtt_ms)                                                              \
    .rate_bps = (uint64_t)((rate)*MBPS), .queue_us = (buffer_ms)*US_PER_MS,                        \
    .rtt_us = (rtt_ms)*US_PER_MS

static const struct scenario scenarios[] = {
    {.name = "thin-0.6",
     .options = {LINK(0.6, 300, 40)},
     .seconds = 20,
     .share_least = 0.9,
     .queue_p95_ms_most = 15,
     .first_ms_most = 180},
    {.name = "thin-1",
     .options = {LINK(1, 300, 40)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 90},
    {.name = "thin-2",
     .options = {LINK(2, 300, 40)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 30},
    {.name = "thin-1-far",
     .options = {LINK(1, 300, 200)},
     .seconds = 20,
     .share_least = 0.9,
     .queue_p95_ms_most = 22,
     .first_ms_most = 90},
    {.name = "rtt-20",
     .options = {LINK(5, 200, 20)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 15},
    {.name = "rtt-80",
     .options = {LINK(5, 200, 80)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 20},
    {.name = "rtt-200",
     .options = {LINK(5, 200, 200)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 18,
     .first_ms_most = 15},
    {.name = "fat-30",
     .options = {LINK(30, 100, 40)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 15},
    {.name = "bloated",
     .options = {LINK(5, 500, 40)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 50},
    {.name = "lossy-2",
     .options = {LINK(5, 200, 80), .loss = 0.02},
     .seconds = 20,
     .share_least = 0.93,
     .queue_p95_ms_most = 15,
     .first_ms_most = 40},
    {.name = "lossy-bursts",
     .options = {LINK(5, 200, 80), .loss = 0.005},
     .event = EVENT_BURSTS,
     .seconds = 20,
     .share_least = 0.85,
     .queue_p95_ms_most = 25,
     .first_ms_most = 25},
    {.name = "jitter-5",
     .options = {LINK(5, 200, 40), .jitter_us = 5000, .is_ordered = true},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 24,
     .first_ms_most = 60},
    {.name = "jitter-20",
     .options = {LINK(5, 200, 40), .jitter_us = 20000, .is_ordered = true},
     .seconds = 20,
     .share_least = 0.4,
     .queue_p95_ms_most = 15,
     .first_ms_most = 80},
    {.name = "reorder-5",
     .options = {LINK(5, 200, 40), .jitter_us = 5000},
     .seconds = 20,
     .share_least = 0.9,
     .queue_p95_ms_most = 25,
     .first_ms_most = 50},
    {.name = "reorder-20",
     .options = {LINK(5, 200, 40), .jitter_us = 20000},
     .seconds = 20,
     .share_least = 0.75,
     .queue_p95_ms_most = 45,
     .first_ms_most = 90},
    {.name = "skew-fast",
     .options = {LINK(2, 300, 40), .skew_ppm = 100},
     .seconds = 40,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 30},
    {.name = "skew-slow",
     .options = {LINK(2, 300, 40), .skew_ppm = -100},
     .seconds = 40,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 30},
    {.name = "short-buffer",
     .options = {LINK(5, 12, 40)},
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15},
    {.name = "halved",
     .options = {LINK(5, 500, 40)},
     .event = EVENT_HALVED,
     .seconds = 20,
     .share_least = 0.95,
     .queue_p95_ms_most = 15},
    {.name = "outage-40",
     .options = {LINK(5, 200, 40)},
     .event = EVENT_OUTAGE,
     .seconds = 15,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .recover_ms_most = 1000},
    {.name = "outage-200",
     .options = {LINK(5, 200, 200)},
     .event = EVENT_OUTAGE,
     .seconds = 15,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .recover_ms_most = 1200},
    {.name = "tcp-50",
     .options = {LINK(5, 50, 40)},
     .event = EVENT_TCP,
     .seconds = 50,
     .tcp_share_least = 0.25,
     .tcp_share_most = 0.75,
     .after_ms_most = 25},
    {.name = "tcp-200",
     .options = {LINK(5, 200, 40)},
     .event = EVENT_TCP,
     .seconds = 50,
     .tcp_share_least = 0.25,
     .tcp_share_most = 0.75,
     .after_ms_most = 15},
    {.name = "tcp-20m",
     .options = {LINK(20, 50, 40)},
     .event = EVENT_TCP,
     .seconds = 50,
     .tcp_share_least = 0.08,
     .tcp_share_most = 0.75,
     .after_ms_most = 15},
    {.name = "shared-2",
     .options = {LINK(5, 300, 40), .links = 2},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .fair_least = 0.95},
    {.name = "shared-4",
     .options = {LINK(5, 300, 40), .links = 4},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 20,
     .fair_least = 0.95},
    {.name = "shared-8",
     .options = {LINK(5, 300, 40), .links = 8},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 30,
     .fair_least = 0.95},
    {.name = "node-2",
     .options = {LINK(5, 300, 40), .links = 2, .is_node = true},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 15},
    {.name = "node-8",
     .options = {LINK(5, 300, 40), .links = 8, .is_node = true},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 15,
     .first_ms_most = 180,
     .fair_least = 0.95},
    {.name = "node-8-far",
     .options = {LINK(5, 300, 150), .links = 8, .is_node = true},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 45},
    {.name = "node-8-thin",
     .options = {LINK(5, 300, 40), .links = 8, .is_node = true, .thin_bps = 300000},
     .seconds = 30,
     .share_least = 0.95,
     .queue_p95_ms_most = 15},
    {.name = "node-8-lossy",
     .options = {LINK(5, 300, 40), .links = 8, .is_node = true, .loss = 0.02},
     .seconds = 30,
     .share_least = 0.93,
     .queue_p95_ms_most = 15},
    {.name = "node-8-halved",
     .options = {LINK(10, 300, 40), .links = 8, .is_node = true},
     .event = EVENT_HALVED,
     .seconds = 30,
     .share_least = 0.85,
     .queue_p95_ms_most = 35},
    {.name = "media-20",
     .options = {LINK(20, 200, 40), .is_media = true},
     .seconds = 20,
     .queue_p95_ms_most = 15,
     .keyframe_ms_most = 100},
    {.name = "media-6",
     .options = {LINK(6, 300, 40), .is_media = true},
     .seconds = 20,
     .queue_p95_ms_most = 15,
     .keyframe_ms_most = 160},
    {.name = "media-6-lossy",
     .options = {LINK(6, 300, 80), .is_media = true, .loss = 0.02},
     .seconds = 20,
     .queue_p95_ms_most = 15,
     .keyframe_ms_most = 200},
};

struct options {
    bool is_check;
    unsigned seeds;
    const char *name;
};

static double least(double a, double b) { return a < b ? a : b; }
static double most(double a, double b) { return a > b ? a : b; }

static void worst_add(struct outcome *w, const struct outcome *o) {
    w->share = least(w->share, o->share);
    w->queue_p50_ms = most(w->queue_p50_ms, o->queue_p50_ms);
    w->queue_p95_ms = most(w->queue_p95_ms, o->queue_p95_ms);
    w->queue_max_ms = most(w->queue_max_ms, o->queue_max_ms);
    w->first_ms = most(w->first_ms, o->first_ms);
    w->peak_ms = most(w->peak_ms, o->peak_ms);
    w->recover_ms = most(w->recover_ms, o->recover_ms);
    w->fair = least(w->fair, o->fair);
    w->keyframe_ms = most(w->keyframe_ms, o->keyframe_ms);
    w->tcp_share = least(w->tcp_share, o->tcp_share);
    w->after_ms = most(w->after_ms, o->after_ms);
}

static void line_print(const struct scenario *s, const struct outcome *o, double tcp_most) {
    printf("%-14s %6.2f %7.1f %6.1f %6.1f %7.1f %6.1f", s->name, o->share, o->queue_p50_ms,
           o->queue_p95_ms, o->queue_max_ms, o->first_ms, o->peak_ms);
    if (s->event == EVENT_OUTAGE) printf("  recovered in %.0f ms", o->recover_ms);
    if (s->event == EVENT_TCP)
        printf("  beside TCP %.2f to %.2f, then %.1f ms", o->tcp_share, tcp_most, o->after_ms);
    if (s->options.links > 1) printf("  Jain %.2f", o->fair);
    if (s->options.is_media) printf("  keyframe %.0f ms", o->keyframe_ms);
    printf("\n");
    fflush(stdout);
}

/* Whether a value is within what is asked for; says so where not. */
static bool is_met(const struct scenario *s, const char *what, double value, double at_least,
                   double at_most) {
    bool is_low = at_least > 0 && value<at_least, is_high = at_most> 0 && value > at_most;
    if (is_low) printf("%s: %s is %.2f, below %.2f\n", s->name, what, value, at_least);
    if (is_high) printf("%s: %s is %.2f, above %.2f\n", s->name, what, value, at_most);
    return !is_low && !is_high;
}

static bool is_good(const struct scenario *s, const struct outcome *o, double tcp_most) {
    bool ok = is_met(s, "share", o->share, s->share_least, 0);
    ok &= is_met(s, "queue p95 (ms)", o->queue_p95_ms, 0, s->queue_p95_ms_most);
    ok &= is_met(s, "first second (ms)", o->first_ms, 0, s->first_ms_most);
    ok &= is_met(s, "recovery (ms)", o->recover_ms, 0, s->recover_ms_most);
    ok &= is_met(s, "Jain's index", o->fair, s->fair_least, 0);
    ok &= is_met(s, "keyframe (ms)", o->keyframe_ms, 0, s->keyframe_ms_most);
    ok &= is_met(s, "least share beside TCP", o->tcp_share, s->tcp_share_least, 0);
    ok &= is_met(s, "queue after TCP (ms)", o->after_ms, 0, s->after_ms_most);
    return is_met(s, "most share beside TCP", tcp_most, 0, s->tcp_share_most) && ok;
}

static bool scenario_run(const struct scenario *s, const struct options *options) {
    struct outcome worst = {0};
    double tcp_most = 0;
    for (unsigned i = 1; i <= options->seeds; i++) {
        struct outcome o = measure(s, i);
        if (i == 1) worst = o;
        worst_add(&worst, &o);
        tcp_most = most(tcp_most, o.tcp_share);
    }
    line_print(s, &worst, tcp_most);
    return !options->is_check || is_good(s, &worst, tcp_most);
}

static bool options_parse(struct options *o, int argc, char **argv) {
    *o = (struct options){.name = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0) {
            o->is_check = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            o->seeds = (unsigned)strtoul(argv[++i], NULL, 10);
            if (o->seeds == 0 || o->seeds > SEEDS_MAX) return false;
        } else if (argv[i][0] != '-') {
            o->name = argv[i];
        } else {
            return false;
        }
    }
    if (o->seeds == 0) o->seeds = o->is_check ? SEEDS_CHECK : SEEDS;
    return true;
}

int main(int argc, char **argv) {
    struct options options;
    if (!options_parse(&options, argc, argv)) {
        fprintf(stderr, "usage: pacing [--check] [--seeds N] [NAME]\n");
        return 2;
    }
    printf("%-14s %6s %7s %6s %6s %7s %6s\n", "worst of seeds", "share", "ms: p50", "p95", "max",
           "first s", "peak");
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (strncmp(scenarios[i].name, options.name, strlen(options.name)) == 0)
            ok &= scenario_run(&scenarios[i], &options);
    return ok ? 0 : 1;
}
