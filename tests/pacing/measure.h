/* measure.h - one run over a bottleneck, and what came of it.
 *
 * Queues are the network's own, beyond one packet. The standing queue of a tenth of a second is its
 * least: what is above it drains by itself. Steady is from STEADY_US on. */
#ifndef MEASURE_H
#define MEASURE_H

#include "tests/pacing/bottleneck.h"

#define STEADY_US (3 * US_PER_S)
#define OUTAGE_US (2 * US_PER_S)
#define TENTH_US (100 * US_PER_MS)

enum event_kind { EVENT_NONE, EVENT_OUTAGE, EVENT_BURSTS, EVENT_TCP, EVENT_HALVED };

struct scenario {
    const char *name;
    struct bottleneck_options options;
    enum event_kind event;
    unsigned seconds;
    /* What the program's own pacer must show, as the worst of all seeds; 0: not asked. */
    double share_least, queue_p95_ms_most, first_ms_most, recover_ms_most, fair_least,
        keyframe_ms_most, tcp_share_least, tcp_share_most, after_ms_most;
};

struct outcome {
    double share;                                    /* of the bottleneck, with headers */
    double queue_p50_ms, queue_p95_ms, queue_max_ms; /* standing, steady */
    double first_ms, peak_ms; /* first second: the most that stood, and that there was */
    double recover_ms;        /* to 80 % of the bottleneck after the outage */
    double fair;              /* Jain's index between the links, steady */
    double keyframe_ms;       /* p95, steady */
    double tcp_share;         /* ours, of both */
    double after_ms;          /* standing queue, p95, once the TCP flow has ended */
};

struct outcome measure(const struct scenario *s, uint64_t seed);

#endif
