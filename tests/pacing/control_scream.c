/* control_scream.c - SCReAM's window (RFC 8298, 4.1.2): it follows the distance of the queue's
 * delay from a target, grows fast until the delay rises, and shrinks at a loss. The target grows
 * where the queue stands above it for long (4.1.2.1). */
#include "tests/pacing/control.h"

#define TARGET_US 10000.0 /* the RFC has 60 ms: above what is asked of us */
#define TARGET_MAX_US 150000.0
#define BETA_LOSS 0.8
#define GAIN_UP 1.0
#define GAIN_DOWN 2.0
#define INITIAL_PACKETS 10
#define WINDOW_MIN (3.0 * PACE_DATAGRAM)
#define WINDOW_MAX (900.0 * PACE_DATAGRAM)

void pace_init(struct pace *p, uint64_t now_us) {
    (void)now_us;
    struct control *c = control_of(p);
    *c = (struct control){.key = p,
                          .window = INITIAL_PACKETS * PACE_DATAGRAM,
                          .target_us = TARGET_US,
                          .is_starting = true};
    delays_init(&c->delays);
    *p = (struct pace){0};
    control_set_rate(p, c, 1.25, 40 * US_PER_MS);
}

/* Others fill the queue: what stands on average becomes the target, which leaks back. */
static void target_adapt(struct control *c, double queue_us) {
    c->average_us += (queue_us - c->average_us) / 256;
    if (c->average_us > 2 * TARGET_US)
        c->target_us = c->average_us < TARGET_MAX_US ? c->average_us : TARGET_MAX_US;
    else
        c->target_us += (TARGET_US - c->target_us) / 64;
}

void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    struct control *c = control_of(p);
    uint64_t queue_us = delays_add(&c->delays, ack, now_us);
    uint64_t rtt_us = ack->rtt_least_us + queue_us;
    double bytes = (double)ack->bytes;
    p->queue_us = (uint32_t)queue_us;
    c->is_out = false;
    target_adapt(c, (double)queue_us);
    double off = (c->target_us - (double)queue_us) / c->target_us;
    if (off < 0.5) c->is_starting = false;
    if (c->is_lost && now_us - c->reduced_us > rtt_us) {
        c->window *= BETA_LOSS;
        c->reduced_us = now_us;
        c->is_starting = false;
    } else if (off < 0) {
        c->window += GAIN_DOWN * (off < -2 ? -2 : off) * bytes * PACE_DATAGRAM / c->window;
    } else if (p->is_limited) {
        c->window += c->is_starting ? bytes : GAIN_UP * off * bytes * PACE_DATAGRAM / c->window;
    }
    c->is_lost = false;
    if (c->window < WINDOW_MIN) c->window = WINDOW_MIN;
    if (c->window > WINDOW_MAX) c->window = WINDOW_MAX;
    control_set_rate(p, c, c->is_starting ? 1.25 : 1, rtt_us);
}

void pace_on_outage(struct pace *p, uint64_t now_us) {
    (void)now_us;
    struct control *c = control_of(p);
    if (c->is_out) return;
    c->is_out = true;
    c->is_starting = true;
    c->window /= 4;
    if (c->window < WINDOW_MIN) c->window = WINDOW_MIN;
}
