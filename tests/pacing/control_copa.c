/* control_copa.c - Copa (Arun and Balakrishnan, NSDI 2018), on one-way delays: the target rate is
 * one packet in delta times the standing queue's delay; the window moves towards it by velocity
 * over delta packets a round trip. Competitive where the queue is not nearly empty once in five
 * round trips: then 1 / delta grows by one a round trip and halves at a loss. */
#include "tests/pacing/control.h"

#define DELTA 0.5
#define INITIAL_PACKETS 10
#define EMPTY 0.1
#define EMPTY_ROUNDS 5
#define VELOCITY_ROUNDS 3
#define WINDOW_MIN (2.0 * PACE_DATAGRAM)
#define WINDOW_MAX (900.0 * PACE_DATAGRAM)

void pace_init(struct pace *p, uint64_t now_us) {
    struct control *c = control_of(p);
    *c = (struct control){.key = p,
                          .window = INITIAL_PACKETS * PACE_DATAGRAM,
                          .delta = DELTA,
                          .velocity = 1,
                          .is_starting = true,
                          .empty_us = now_us};
    delays_init(&c->delays);
    *p = (struct pace){0};
    control_set_rate(p, c, 2, 40 * US_PER_MS);
}

static void mode_choose(struct control *c, uint64_t queue_us, uint64_t rtt_us, uint64_t now_us) {
    c->queue_most_us *= 0.98;
    if ((double)queue_us > c->queue_most_us) c->queue_most_us = (double)queue_us;
    if ((double)queue_us <= EMPTY * c->queue_most_us || queue_us < 1000) c->empty_us = now_us;
    if (now_us - c->empty_us < EMPTY_ROUNDS * rtt_us) c->delta = DELTA;
}

static void round_end(struct control *c, uint64_t rtt_us, uint64_t now_us) {
    bool is_up = c->window > c->window_at_round;
    bool is_same = is_up == c->is_up;
    c->same_rounds = is_same ? c->same_rounds + 1 : 0;
    c->velocity = !is_same ? 1 : c->same_rounds >= VELOCITY_ROUNDS ? c->velocity * 2 : c->velocity;
    c->is_up = is_up;
    c->window_at_round = c->window;
    c->round_us = now_us;
    if (now_us - c->empty_us >= EMPTY_ROUNDS * rtt_us) {
        double packets = 1 / c->delta;
        packets = c->is_lost ? packets / 2 : packets + 1;
        c->delta = packets > 1 / DELTA ? 1 / packets : DELTA;
    }
    c->is_lost = false;
}

void pace_on_ack(struct pace *p, const struct pace_ack *ack, uint64_t now_us) {
    struct control *c = control_of(p);
    uint64_t queue_us = delays_add(&c->delays, ack, now_us);
    uint64_t rtt_us = ack->rtt_least_us + queue_us;
    p->queue_us = (uint32_t)queue_us;
    c->is_out = false;
    mode_choose(c, queue_us, rtt_us, now_us);
    double rate = c->window / (double)rtt_us;
    double target = queue_us == 0 ? 1e9 : PACE_DATAGRAM / (c->delta * (double)queue_us);
    bool is_below = rate <= target;
    if (!is_below) c->is_starting = false;
    control_set_rate(p, c, c->is_starting ? 2 : 1.25, rtt_us);
    if (is_below && !p->is_limited) return; /* the application sends less */
    double step = c->is_starting
                      ? (double)ack->bytes
                      : c->velocity * PACE_DATAGRAM * (double)ack->bytes / (c->delta * c->window);
    if (step > (double)ack->bytes) step = (double)ack->bytes;
    c->window += is_below ? step : -step;
    if (c->window < WINDOW_MIN) c->window = WINDOW_MIN;
    if (c->window > WINDOW_MAX) c->window = WINDOW_MAX;
    if (now_us - c->round_us >= rtt_us) round_end(c, rtt_us, now_us);
}

void pace_on_outage(struct pace *p, uint64_t now_us) {
    struct control *c = control_of(p);
    c->empty_us = now_us;
    if (c->is_out) return;
    c->is_out = true;
    c->is_starting = true;
    c->window /= 4;
    if (c->window < WINDOW_MIN) c->window = WINDOW_MIN;
}
