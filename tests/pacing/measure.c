#include "tests/pacing/measure.h"

#include <assert.h>
#include <stdlib.h>

#define STEP_US (5 * US_PER_MS)
#define TENTHS_MAX 1000
#define EVENT_US (6 * US_PER_S)
#define AFTER_S 6 /* at the end of a run with TCP: without it */
#define AFTER_STEADY_US (2 * US_PER_S)
#define BURST_EVERY 200 /* steps, on average; then all is lost for */
#define BURST_STEPS 5

struct run {
    const struct scenario *scenario;
    struct bottleneck *b;
    uint64_t since_us;
    double standing_ms[TENTHS_MAX];
    uint64_t cells[TENTHS_MAX]; /* received by the end of each */
    unsigned tenths;
    double peak_ms;
    unsigned burst_left;
};

static uint64_t age_us(const struct run *r) { return network_now(r->b->n) - r->since_us; }

static double queue_ms(const struct run *r) {
    uint64_t packet_us = CELL_DATAGRAM_BYTES * 8 * US_PER_S / r->scenario->options.rate_bps;
    return (double)u64_sub(bottleneck_queue_us(r->b), packet_us) / US_PER_MS;
}

static void bursts_step(struct run *r) {
    if (r->burst_left > 0 && --r->burst_left == 0)
        bottleneck_set_loss(r->b, r->scenario->options.loss, 0);
    if (r->burst_left > 0 || rng_below(&r->b->rng, BURST_EVERY) > 0) return;
    r->burst_left = BURST_STEPS;
    bottleneck_set_loss(r->b, 1, 0);
}

/* What happens at the beginning of a tenth. */
static void event_step(struct run *r) {
    const struct scenario *s = r->scenario;
    uint64_t at_us = age_us(r);
    if (s->event == EVENT_OUTAGE && at_us == EVENT_US) bottleneck_set_loss(r->b, 1, 1);
    if (s->event == EVENT_OUTAGE && at_us == EVENT_US + OUTAGE_US)
        bottleneck_set_loss(r->b, s->options.loss, 0);
    if (s->event == EVENT_TCP && at_us == EVENT_US) bottleneck_set_tcp(r->b, true);
    if (s->event == EVENT_TCP && at_us == (s->seconds - AFTER_S) * US_PER_S)
        bottleneck_set_tcp(r->b, false);
    if (s->event != EVENT_HALVED || at_us != EVENT_US) return;
    struct network_path half = {.rate_bps = s->options.rate_bps / 2,
                                .queue_us = s->options.queue_us};
    network_set_uplink(r->b->n, 0, &half);
}

static void tenth_run(struct run *r) {
    assert(r->tenths < TENTHS_MAX);
    double least_ms = 1e9;
    event_step(r);
    for (uint64_t us = 0; us < TENTH_US; us += STEP_US) {
        if (r->scenario->event == EVENT_BURSTS) bursts_step(r);
        bottleneck_run(r->b, STEP_US);
        double ms = queue_ms(r);
        if (ms < least_ms) least_ms = ms;
        if (ms > r->peak_ms && r->tenths < 10) r->peak_ms = ms;
    }
    r->standing_ms[r->tenths] = least_ms;
    r->cells[r->tenths++] = bottleneck_cells(r->b);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *values, size_t n, double at) {
    double sorted[TENTHS_MAX];
    assert(n <= TENTHS_MAX);
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) sorted[i] = values[i];
    qsort(sorted, n, sizeof sorted[0], compare);
    return sorted[(size_t)((double)(n - 1) * at)];
}

/* The tenths that count as steady: with an event, those after it. */
static unsigned steady_begin(const struct scenario *s) {
    uint64_t us = STEADY_US;
    if (s->event == EVENT_OUTAGE) us = EVENT_US + OUTAGE_US + US_PER_S;
    if (s->event == EVENT_HALVED) us = EVENT_US + 2 * US_PER_S;
    if (s->event == EVENT_TCP) us = EVENT_US + 4 * US_PER_S;
    return (unsigned)(us / TENTH_US);
}

static double share_of(const struct run *r, unsigned from, unsigned to) {
    double rate = (double)r->scenario->options.rate_bps;
    if (r->scenario->event == EVENT_HALVED) rate /= 2;
    double bits = (double)(r->cells[to - 1] - r->cells[from - 1]) * CELL_DATAGRAM_BYTES * 8;
    return bits / ((double)(to - from) / 10) / rate;
}

static double recover_ms(const struct run *r) {
    unsigned end = (unsigned)((EVENT_US + OUTAGE_US) / TENTH_US);
    for (unsigned i = end; i < r->tenths; i++)
        if (share_of(r, i, i + 1) >= 0.8) return 100.0 * (i + 1 - end);
    return 100.0 * (r->tenths - end + 1);
}

static double jain(const uint64_t *before, const struct bottleneck *b) {
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < b->options.links; i++) {
        double cells = (double)(b->receivers[i].cells - before[i]);
        sum += cells;
        squares += cells * cells;
    }
    return squares == 0 ? 0 : sum * sum / (b->options.links * squares);
}

static void fill(const struct run *r, unsigned end, struct outcome *ret) {
    unsigned from = steady_begin(r->scenario);
    const double *standing = &r->standing_ms[from];
    ret->share = share_of(r, from, end);
    ret->queue_p50_ms = quantile(standing, end - from, 0.5);
    ret->queue_p95_ms = quantile(standing, end - from, 0.95);
    ret->queue_max_ms = quantile(standing, end - from, 1);
    ret->first_ms = quantile(r->standing_ms, 10, 1);
    ret->peak_ms = r->peak_ms;
    if (r->scenario->event == EVENT_OUTAGE) ret->recover_ms = recover_ms(r);
    double keyframes_ms[ARRAY_LEN(r->b->keyframe_us)];
    unsigned n = 0;
    for (unsigned i = STEADY_US / US_PER_S; i < r->b->keyframes; i++)
        keyframes_ms[n++] = (double)r->b->keyframe_us[i] / US_PER_MS;
    ret->keyframe_ms = quantile(keyframes_ms, n, 0.95);
}

struct outcome measure(const struct scenario *s, uint64_t seed) {
    struct outcome ret = {0};
    struct bottleneck_options options = s->options;
    options.seed = seed;
    struct run r = {.scenario = s, .b = bottleneck_new(&options)};
    r.since_us = network_now(r.b->n);
    bottleneck_send(r.b);
    unsigned tenths = s->seconds * 10, from = steady_begin(s), end = tenths;
    if (s->event == EVENT_TCP) end -= AFTER_S * 10;
    uint64_t before[BOTTLENECK_LINKS_MAX] = {0};
    while (r.tenths < end) {
        for (unsigned i = 0; i < r.b->options.links && r.tenths == from; i++)
            before[i] = r.b->receivers[i].cells;
        tenth_run(&r);
    }
    fill(&r, end, &ret);
    ret.fair = jain(before, r.b);
    if (s->event == EVENT_TCP) {
        double tcp = (double)r.b->tcp.acked * TCP_SEGMENT;
        double since = (double)(r.cells[end - 1] - r.cells[EVENT_US / TENTH_US - 1]);
        ret.tcp_share = since * CELL_DATAGRAM_BYTES / (since * CELL_DATAGRAM_BYTES + tcp);
        while (r.tenths < tenths) tenth_run(&r);
        unsigned settled = end + (unsigned)(AFTER_STEADY_US / TENTH_US);
        ret.after_ms = quantile(&r.standing_ms[settled], tenths - settled, 0.95);
    }
    bottleneck_free(r.b);
    return ret;
}
