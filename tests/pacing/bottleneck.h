/* bottleneck.h - real links of one sender, each to a receiver of its own, over one simulated
 * uplink, beside a TCP flow where asked.
 *
 * The sender sends cells as fast as it may, or frames of media. Receivers' clocks may run fast. */
#ifndef BOTTLENECK_H
#define BOTTLENECK_H

#include "core/base/rng.h"
#include "core/link/link.h"
#include "core/link/uplink_estimate.h"
#include "tests/lib/network.h"
#include "tests/pacing/tcp.h"

#define BOTTLENECK_LINKS_MAX 10
#define CELL_BYTES 1120
#define CELL_DATAGRAM_BYTES (LINK_OVERHEAD + 8 + CELL_BYTES)
#define FRAMES_PER_S 30
#define KEYFRAME_CELLS 80 /* eight times the mean of 3 Mb/s, and */
#define FRAME_CELLS 9     /* the other frames */

struct bottleneck_options {
    uint64_t seed, rate_bps, queue_us, rtt_us, jitter_us;
    bool is_ordered;
    double loss;
    unsigned links; /* 0: one */
    int skew_ppm;
    bool is_media;
    bool is_node;      /* all links are paced together, as a node's uplink estimate says */
    uint64_t thin_bps; /* of the last link's own path; 0: no limit */
};

struct receiver {
    struct bottleneck *bottleneck;
    struct sign_key key;
    struct links *ls;
    unsigned host;
    uint64_t cells;
};

struct outflow {
    struct link *link;
    unsigned backlog;
    uint64_t cells_sent, bytes_out; /* the latter at the last step of the estimate */
};

struct bottleneck {
    struct bottleneck_options options;
    struct network *n;
    struct rng rng;
    struct sign_key key;
    struct links *ls;
    struct outflow flows[BOTTLENECK_LINKS_MAX];
    struct receiver receivers[BOTTLENECK_LINKS_MAX];
    unsigned turn;
    bool is_sending;
    uint64_t frame_us;
    unsigned frames;
    uint64_t key_us, key_end; /* the keyframe under way: since when, and the cell that ends it */
    uint64_t keyframe_us[256];
    unsigned keyframes;
    struct tcp tcp;
    bool has_tcp;
    struct uplink_estimate estimate;
    double tokens;               /* bytes of the node's bucket */
    uint64_t tokens_us, held_us; /* the latter: since when cells wait for it; 0: they don't */
};

struct bottleneck *bottleneck_new(const struct bottleneck_options *options);
void bottleneck_free(struct bottleneck *b);
/* From now on; before it the links come up. */
void bottleneck_send(struct bottleneck *b);
void bottleneck_run(struct bottleneck *b, uint64_t us);
void bottleneck_set_loss(struct bottleneck *b, double loss, double loss_back);
void bottleneck_set_tcp(struct bottleneck *b, bool is_on);
uint64_t bottleneck_queue_us(const struct bottleneck *b);
uint64_t bottleneck_cells(const struct bottleneck *b); /* received, of all links */

#endif
