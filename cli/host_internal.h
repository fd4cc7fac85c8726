/* host_internal.h - the inside of a host, which its files share: host.c (loop, node and socket),
 * host_find.c (DHT, hints, memory), host_figures.c (stats). */
#ifndef HOST_INTERNAL_H
#define HOST_INTERNAL_H

#include <limits.h>

#include "cli/host.h"
#include "cli/peerkey.h"
#include "core/io/resolve.h"
#include "core/io/udp.h"
#include "dht/discovery.h"
#include "dht/remembered.h"

#define HOST_TEXT_MAX 64
#define HOST_HOLDERS_MAX 256 /* distinct ones that are counted */

struct host {
    const struct options *options;
    struct host_config config;
    struct peerkey identity;
    struct loop *loop;
    struct udp *udp;
    struct loop_watch *udp_watch;
    struct loop_timer *node_timer;
    struct loop_timer *second_timer;
    struct node *node;
    bool pumping, pump_again;

    struct discovery *discovery;
    struct loop_watch *discovery_watch;
    struct resolver *resolver;
    struct remembered *remembered;
    char remembered_path[PATH_MAX];
    bool remembered_changed;
    unsigned seconds_to_save;
    const struct sign_key *broadcast_key;
    int channels_len;
    struct public_key holders[HOST_HOLDERS_MAX];
    unsigned holders_len;
    uint64_t holder_us; /* since the process's start; STATS_NONE: not yet */

    int stats_fd;      /* -1: none */
    uint64_t start_us; /* of the process, on the loop's clock */
    char listen_text[HOST_TEXT_MAX];
    char channel_text[CHANNEL_LINK_TEXT_MAX];
    const char *http_url;
    uint64_t bytes_out_before, upload_bps;
    bool stats_failed, network_said;
};

/* host_find.c */
MUST_CHECK int find_open(struct host *h);
void find_close(struct host *h);
void find_join(struct host *h, int channel, const struct channel_link *link);
void find_event(struct host *h, const struct node_event *e);
void find_second(struct host *h);
void find_seen(struct host *h); /* a peer of a channel was met: the first stops the clock */

/* host_figures.c */
MUST_CHECK int figures_open(struct host *h);
void figures_close(struct host *h);
void figures_second(struct host *h, uint64_t now_us);

#endif
