#include "core/link/session.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/crypto/random.h"

void session_start(struct session *s, const struct noise *noise, uint32_t remote_index,
                   const struct session_periods *periods, uint64_t now_us) {
    session_release(s);
    s->is_ready = true;
    s->remote_index = remote_index;
    s->periods = periods;
    s->send_since_us = now_us;
    noise_split(noise, &s->send, &s->receive);
}

static void past_release(struct session *s) {
    if (s->past == NULL) return;
    replay_release(&s->past->window);
    secret_erase(s->past, sizeof *s->past);
    free(s->past);
    s->past = NULL;
}

void session_release(struct session *s) {
    past_release(s);
    replay_release(&s->window);
    secret_erase(s, sizeof *s);
}

const struct replay *session_past_window(const struct session *s) {
    return s->past == NULL ? NULL : &s->past->window;
}

uint64_t session_highest(const struct session *s) { return s->window.highest; }

uint64_t session_next_counter(struct session *s, uint64_t now_us) {
    uint64_t period = 1ull << s->periods->bits, in_period = s->counter & (period - 1);
    if (in_period != 0 && now_us - s->send_since_us >= s->periods->us)
        s->counter += period - in_period;
    bool begins = (s->counter & (period - 1)) == 0;
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

/* The period of `next` and its key are the current ones from now on. */
static void advance(struct session *s, const struct seal_key *next, uint64_t now_us) {
    past_release(s);
    s->past = malloc(sizeof *s->past);
    if (s->past != NULL) {
        *s->past = (struct session_past){
            .key = s->receive, .until_us = now_us + SESSION_PREVIOUS_US, .window = s->window};
        s->window = (struct replay){0};
    }
    replay_release(&s->window);
    s->receive = *next;
}

static int open_next(struct session *s, uint64_t counter, const void *aad, size_t aad_len,
                     const uint8_t *sealed, size_t len, uint8_t *ret, uint64_t now_us) {
    struct seal_key next = s->receive;
    seal_rekey(&next);
    int n = unseal(&next, counter, aad, aad_len, sealed, len, ret);
    if (n >= 0) {
        advance(s, &next, now_us);
        replay_note(&s->window, counter, now_us);
    }
    secret_erase(&next, sizeof next);
    return n;
}

int session_open(struct session *s, uint32_t low, const void *aad, size_t aad_len,
                 const uint8_t *sealed, size_t len, uint8_t *ret, uint64_t *ret_counter,
                 uint64_t now_us) {
    uint64_t counter = counter_expand(s->window.highest, low);
    uint64_t period = counter >> s->periods->bits, current = s->window.highest >> s->periods->bits;
    *ret_counter = counter;
    if (s->past != NULL && now_us >= s->past->until_us) past_release(s);
    if (period == current + 1) return open_next(s, counter, aad, aad_len, sealed, len, ret, now_us);
    bool is_past = period + 1 == current && s->past != NULL;
    if (period != current && !is_past) return ERR_STALE;
    struct replay *window = is_past ? &s->past->window : &s->window;
    int err = replay_check(window, counter);
    if (err) return err;
    int n = unseal(is_past ? &s->past->key : &s->receive, counter, aad, aad_len, sealed, len, ret);
    if (n >= 0) replay_note(window, counter, now_us);
    return n;
}
