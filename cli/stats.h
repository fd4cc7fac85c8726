/* stats.h - the lines of --stats: one JSON object (RFC 8259) a second, for measuring.
 *
 * The fields stand in stats.def. A line is written with one write(2) to a file opened for
 * appending, so a reader that follows it never sees half of one. */
#ifndef STATS_H
#define STATS_H

#include "core/base/base.h"

#define STATS_NONE UINT64_MAX /* a MAYBE that is not known yet: null */
#define STATS_TEXT_MAX 256    /* longer texts are cut */
#define STATS_LINE_MAX 16384  /* every text of the longest kind, all of it escaped */
#define STATS_MESSAGE_MAX 600

struct stats {
    uint64_t t_us, uptime_us;
    const char *role; /* texts are borrowed; NULL is null */
    const char *channel;
    uint64_t broadcast;
    const char *listen;
    uint64_t dht_port;
    const char *http;
    uint64_t links, parents, children;
    struct {
        uint64_t p50, p95, p99;
    } lag_us;
    struct {
        uint64_t ok, missed, repaired;
    } chunks;
    uint64_t skips;
    struct {
        uint64_t in, out, media_in, media_out, control_in, control_out, duplicate_in;
    } bytes;
    struct {
        uint64_t in, out;
    } datagrams;
    uint64_t holder_us, first_chunk_us, first_output_us;
    uint64_t buffer_us, uplink_bps;
    uint64_t rss_bytes, rss_anon_bytes, cpu_us;
};

/* Numbers 0, and what is not known yet none. */
void stats_init(struct stats *ret);
/* What the process itself knows: t_us, uptime_us, rss_bytes, rss_anon_bytes, cpu_us. */
void stats_fill_process(struct stats *stats);
/* When this process started, on the clock CLOCK_MONOTONIC: the kernel's time of its fork, so that
 * the loading of libraries counts; up to 10 ms early. */
uint64_t stats_process_start_us(void);

/* The object and a newline, in STATS_LINE_MAX bytes. Returns the length. */
size_t stats_format(const struct stats *stats, char *ret);

/* The numbers in Prometheus' text format, for /metrics. Returns the length or ERR_FULL. */
MUST_CHECK int stats_metrics(const struct stats *stats, char *ret, size_t size);

/* Opens for appending; a descriptor, or ERR_SYSTEM with a message (STATS_MESSAGE_MAX bytes). */
MUST_CHECK int stats_open(const char *path, char *message);
/* Fills what the process knows and appends the line. Returns 0 or ERR_SYSTEM (errno). */
MUST_CHECK int stats_append(int fd, struct stats *stats);

#endif
