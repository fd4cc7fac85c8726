/* rtt.h - the round trip and its variation (RFC 9002, 5), and the times that follow from them. */
#ifndef RTT_H
#define RTT_H

#include "core/link/minimum.h"

#define RTT_INITIAL_US (100 * US_PER_MS) /* until the handshake has measured one */
#define RTT_GRANULARITY_US US_PER_MS
#define RTT_PROBE_MAX_US (500 * US_PER_MS) /* so that an outage's end is noticed soon */

struct rtt {
    uint32_t smoothed_us; /* 0 before the first sample */
    uint32_t variation_us;
    uint32_t latest_us;
    struct minimum least;
};

void rtt_init(struct rtt *r, uint64_t now_us);
/* `delay_us` is what the peer waited before it acknowledged. */
void rtt_add(struct rtt *r, uint64_t sample_us, uint64_t delay_us, uint64_t now_us);
/* Over the last ten seconds; RTT_INITIAL_US where there is no sample. */
uint64_t rtt_least(const struct rtt *r, uint64_t now_us);
/* How long after its sending, a later one being acknowledged, a datagram is lost: RFC 9002, 6.1.2,
 * but never sooner than one that was only late would be acknowledged. */
uint64_t rtt_loss_delay(const struct rtt *r);
/* When to probe after `count` probes without an answer (RFC 9002, 6.2.1); `is_prompt`: what was
 * sent is acknowledged after RECEIVED_PROMPT_US, otherwise after RECEIVED_DELAY_US. */
uint64_t rtt_probe_delay(const struct rtt *r, bool is_prompt, unsigned count);

#endif
