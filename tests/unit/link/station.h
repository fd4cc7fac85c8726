/* station.h - a host of the simulated network that has links and notes what they tell it; it can
 * also send cells, at a steady rate or as fast as it may. */
#ifndef STATION_H
#define STATION_H

#include "core/link/link_internal.h"
#include "tests/lib/network.h"

#define STATION_CELL 1120
#define STATION_BACKLOG_MAX 400
#define STATION_IDS_MAX 4096
#define STATION_LOSSES_MAX 4096

struct station {
    struct network *network;
    unsigned host;
    struct sign_key key;
    struct links *ls;
    struct link *link; /* the last that was opened; NULL once it is closed */

    unsigned opened, closed, messages, cells, lost, lost_twice, identities;
    unsigned wakes;
    size_t message_bytes;
    enum link_end end; /* of the last that was closed */
    unsigned ends[LINK_END_PROTOCOL + 1];
    struct public_key identity;
    unsigned trains;
    struct link_train train; /* the last */
    enum link_state state_opened;
    uint8_t seen[STATION_IDS_MAX]; /* deliveries of each message made by station_message */
    unsigned bad;                  /* messages whose contents are not what was sent */
    void (*on_message)(struct station *s, struct link *link, uint64_t now_us);

    uint64_t cell_bps; /* 0: none; UINT64_MAX: as much as goes */
    uint64_t cell_next_us;
    unsigned backlog, dropped;
    uint64_t cells_sent;
    uint64_t cells_at_us[64]; /* cells that came, by the 100 ms of the run's last 6.4 s */
    uint8_t lost_tokens[1 << 17];
    uint64_t sent_at_us[1 << 17];               /* of the cell with this token */
    uint64_t lost_after_us[STATION_LOSSES_MAX]; /* from a cell's sending to its lost */
};

struct station_options {
    unsigned links_max, handshakes_per_s;
    struct session_periods periods; /* bits 0: the usual */
};

/* Fills `s`; its key and randomness come from `host` and `seed`. */
void station_start(struct station *s, struct network *n, unsigned host, uint64_t seed,
                   const struct station_options *options);
void station_stop(struct station *s);
struct link *station_dial(struct station *from, const struct station *to);
/* Message `id`, `len` bytes that follow from id. Returns what link_send_message does. */
int station_message(struct station *s, struct link *l, unsigned id, size_t len);
void station_send_cells(struct station *s, uint64_t bps);
struct link_stats station_stats(const struct station *s);
/* Runs for so long. */
void stations_run(struct network *n, uint64_t us);
bool station_is_up(const struct station *s);

/* Two stations, 20 ms apart unless another path is given, linked or not. */
struct pair {
    struct network *n;
    struct station a, b;
};
struct pair *pair_new(uint64_t seed, const struct network_path *path,
                      const struct station_options *options);
struct pair *pair_linked(uint64_t seed, const struct network_path *path);
void pair_free(struct pair *p);

#endif
