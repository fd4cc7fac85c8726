#include "core/link/session.h"

#include "core/base/err.h"
#include "core/crypto/random.h"

static struct seal_key rekeyed(const struct seal_key *key) {
    struct seal_key next = *key;
    seal_rekey(&next);
    return next;
}

void session_start(struct session *s, const struct noise *noise, uint32_t remote_index,
                   const struct session_periods *periods, uint64_t now_us) {
    *s = (struct session){.is_ready = true,
                          .remote_index = remote_index,
                          .periods = *periods,
                          .send_since_us = now_us};
    noise_split(noise, &s->send, &s->current);
    s->next = rekeyed(&s->current);
}

const struct replay *session_window(const struct session *s) {
    return &s->windows[s->receive_period & 1];
}

const struct replay *session_past(const struct session *s) {
    return s->receive_period == 0 ? NULL : &s->windows[(s->receive_period - 1) & 1];
}

void session_release(struct session *s) { secret_erase(s, sizeof *s); }

uint64_t session_next_counter(struct session *s, uint64_t now_us) {
    uint64_t in_period = s->counter & ((1ull << s->periods.bits) - 1);
    if (in_period != 0 && now_us - s->send_since_us >= s->periods.us)
        s->counter += (1ull << s->periods.bits) - in_period;
    bool begins = (s->counter & ((1ull << s->periods.bits) - 1)) == 0;
    if (begins && s->counter != 0) {
        seal_rekey(&s->send);
        s->send_since_us = now_us;
    }
    return s->counter++;
}

/* The counter with these low bits that is nearest to what is expected next. */
static uint64_t counter_expand(uint64_t highest, uint32_t low) {
    uint64_t expected = highest + 1;
    int32_t distance = (int32_t)(low - (uint32_t)expected);
    if (distance < 0 && (uint64_t) - (int64_t)distance > expected)
        return expected + (uint32_t)(low - (uint32_t)expected);
    return expected + (uint64_t)(int64_t)distance;
}

static const struct seal_key *key_of(const struct session *s, uint64_t period, uint64_t now_us) {
    if (period == s->receive_period) return &s->current;
    if (period == s->receive_period + 1) return &s->next;
    if (period + 1 == s->receive_period && now_us < s->previous_until_us) return &s->previous;
    return NULL;
}

static void advance(struct session *s, uint64_t period, uint64_t now_us) {
    s->previous = s->current;
    s->current = s->next;
    s->next = rekeyed(&s->current);
    s->receive_period = period;
    s->previous_until_us = now_us + SESSION_PREVIOUS_US;
    s->windows[period & 1] = (struct replay){0};
}

int session_open(struct session *s, uint32_t low, const void *aad, size_t aad_len,
                 const uint8_t *sealed, size_t len, uint8_t *ret, uint64_t *ret_counter,
                 uint64_t now_us) {
    uint64_t counter = counter_expand(s->highest, low);
    uint64_t period = counter >> s->periods.bits;
    bool is_new = period == s->receive_period + 1;
    const struct seal_key *key = key_of(s, period, now_us);
    if (key == NULL) return ERR_STALE;
    int err = is_new ? 0 : replay_check(&s->windows[period & 1], counter);
    if (err) return err;
    int n = unseal(key, counter, aad, aad_len, sealed, len, ret);
    if (n < 0) return n;
    if (is_new) advance(s, period, now_us);
    replay_note(&s->windows[period & 1], counter);
    s->highest = u64_max(s->highest, counter);
    *ret_counter = counter;
    return n;
}
