/* tcp.h - one bulk TCP flow with CUBIC (RFC 9438), as far as a competitor needs it: slow start, the
 * cubic window, its Reno-friendly floor, selective acknowledgement, a timeout.
 *
 * Each datagram is acknowledged by itself, and what is lost is not sent again: the flow never ends,
 * so only how much is in flight counts. Not a TCP to talk to. */
#ifndef TCP_H
#define TCP_H

#include <stdbool.h>

#include "core/base/base.h"

#define TCP_SEGMENT 1200
#define TCP_SEGMENTS_MAX 4096 /* in flight */

struct tcp {
    double window, threshold; /* segments */
    double window_before, reno_window;
    uint64_t epoch_us; /* of the cubic curve; 0: begins with the next acknowledgement */
    uint64_t rtt_us, heard_us;
    uint32_t next, first, highest; /* to be sent, not settled, acknowledged + 1 */
    uint32_t recovered;            /* losses below it are of the last reduction */
    unsigned in_flight;
    uint64_t sent_us[TCP_SEGMENTS_MAX];
    bool is_settled[TCP_SEGMENTS_MAX];
    uint64_t acked; /* segments */
};

void tcp_init(struct tcp *t, uint64_t now_us);
bool tcp_may_send(const struct tcp *t);
uint32_t tcp_send(struct tcp *t, uint64_t now_us); /* the number of the segment */
void tcp_acked(struct tcp *t, uint32_t number, uint64_t now_us);
uint64_t tcp_deadline(const struct tcp *t);
void tcp_expire(struct tcp *t, uint64_t now_us);

#endif
