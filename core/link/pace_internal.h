/* pace_internal.h - what pace.c, which measures and spends, shares with pace_law.c, which decides.
 */
#ifndef PACE_INTERNAL_H
#define PACE_INTERNAL_H

#include "core/link/pace.h"

#define PACE_KBPS 1000

/* The highest delivered rate of the last periods. */
static inline uint64_t pace_delivered(const struct pace *p) {
    return u64_max(p->period[0].delivered_kbps, p->period[1].delivered_kbps) * PACE_KBPS;
}

/* The least delay of the last periods. */
static inline int32_t pace_base(const struct pace *p) {
    return p->period[0].delay_us < p->period[1].delay_us ? p->period[0].delay_us
                                                         : p->period[1].delay_us;
}

uint64_t pace_clamp(double bps);
/* A queue that must get less stands from now on; should it turn out not to be ours, this rate is
 * taken up again. */
void pace_note_cut(struct pace *p, uint64_t resume_kbps, uint64_t now_us);
/* Sets the rate to what was delivered, and sends nothing until the queue is gone that stood when
 * the newest acknowledged was sent, with what was sent since beyond what the path carries. */
void pace_drain(struct pace *p, const struct pace_ack *ack, double queue_us, uint64_t now_us);
/* At the end of a round. */
void pace_judge(struct pace *p, const struct pace_ack *ack, uint64_t round_us, uint64_t now_us);

#endif
