#include "tests/pacing/tcp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define CUBIC_C 0.4    /* RFC 9438, 5 */
#define CUBIC_BETA 0.7 /* RFC 9438, 4.6 */
#define INITIAL_WINDOW 10
#define LOSS_SEGMENTS 3
#define TIMEOUT_US US_PER_S

void tcp_init(struct tcp *t, uint64_t now_us) {
    memset(t, 0, sizeof *t);
    t->window = INITIAL_WINDOW;
    t->threshold = TCP_SEGMENTS_MAX;
    t->heard_us = now_us;
}

bool tcp_may_send(const struct tcp *t) {
    return t->in_flight < t->window && t->next - t->first < TCP_SEGMENTS_MAX;
}

uint32_t tcp_send(struct tcp *t, uint64_t now_us) {
    assert(tcp_may_send(t));
    if (t->in_flight == 0) t->heard_us = now_us;
    t->sent_us[t->next % TCP_SEGMENTS_MAX] = now_us;
    t->is_settled[t->next % TCP_SEGMENTS_MAX] = false;
    t->in_flight++;
    return t->next++;
}

static void settle(struct tcp *t, uint32_t number) {
    t->is_settled[number % TCP_SEGMENTS_MAX] = true;
    t->in_flight--;
    while (t->first < t->next && t->is_settled[t->first % TCP_SEGMENTS_MAX]) t->first++;
}

static void reduce(struct tcp *t) {
    t->recovered = t->next;
    t->window_before = t->window;
    t->window = t->threshold = fmax(t->window * CUBIC_BETA, 2);
    t->epoch_us = 0;
}

static void grow(struct tcp *t, uint64_t now_us) {
    if (t->window < t->threshold) {
        t->window++;
        return;
    }
    if (t->epoch_us == 0) {
        t->epoch_us = now_us;
        t->reno_window = t->window;
        if (t->window_before < t->window) t->window_before = t->window;
    }
    double since_s = (double)(now_us - t->epoch_us + t->rtt_us) / US_PER_S;
    double rise_s = cbrt(t->window_before * (1 - CUBIC_BETA) / CUBIC_C);
    double target = CUBIC_C * pow(since_s - rise_s, 3) + t->window_before;
    t->reno_window += 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) / t->window;
    target = fmin(fmax(target, t->reno_window), 1.5 * t->window);
    if (target > t->window) t->window += (target - t->window) / t->window;
}

void tcp_acked(struct tcp *t, uint32_t number, uint64_t now_us) {
    if (number - t->first >= t->next - t->first || t->is_settled[number % TCP_SEGMENTS_MAX]) return;
    t->heard_us = now_us;
    t->rtt_us = now_us - t->sent_us[number % TCP_SEGMENTS_MAX];
    t->acked++;
    settle(t, number);
    if (number >= t->highest) t->highest = number + 1;
    bool is_lost = false;
    for (uint32_t n = t->first; n + LOSS_SEGMENTS < t->highest; n++) {
        if (t->is_settled[n % TCP_SEGMENTS_MAX]) continue;
        is_lost |= n >= t->recovered;
        settle(t, n);
    }
    if (is_lost)
        reduce(t);
    else if (number >= t->recovered)
        grow(t, now_us);
}

uint64_t tcp_deadline(const struct tcp *t) {
    return t->in_flight == 0 ? TIME_NEVER : t->heard_us + TIMEOUT_US;
}

void tcp_expire(struct tcp *t, uint64_t now_us) {
    if (tcp_deadline(t) > now_us) return;
    while (t->first < t->next) settle(t, t->first);
    reduce(t);
    t->window = 1;
    t->heard_us = now_us;
}
