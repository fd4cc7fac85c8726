/* The life of one link: its states, its end, its timers, and what its owner asks of it. */
#include <assert.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/link_internal.h"

/* moves[from] has the bit of every state that may follow. */
static const unsigned moves[] = {
    [LINK_DIALLING] = 1u << LINK_UNPROVEN | 1u << LINK_UP | 1u << LINK_CLOSED,
    [LINK_UNPROVEN] = 1u << LINK_UP | 1u << LINK_CLOSED,
    [LINK_UP] = 1u << LINK_CLOSED,
    [LINK_CLOSED] = 0,
};

void link_enter(struct link *l, enum link_state state) {
    assert(moves[l->state] & 1u << state);
    l->links->counts[l->state]--;
    l->links->counts[state]++;
    l->links->changes++;
    l->state = (uint8_t)state;
}

void link_tell_opened(struct link *l, uint64_t now_us) {
    if (l->is_opened) return;
    l->is_opened = true;
    if (l->links->handler->opened) l->links->handler->opened(l->links->owner, l, now_us);
}

void link_tell_message(struct link *l, const uint8_t *data, size_t len, uint64_t now_us) {
    if (l->links->handler->message)
        l->links->handler->message(l->links->owner, l, data, len, now_us);
}

void link_tell_lost(struct link *l, uint64_t token, uint64_t now_us) {
    if (token != 0 && l->links->handler->lost)
        l->links->handler->lost(l->links->owner, l, token, now_us);
}

void link_end(struct link *l, enum link_end end, uint64_t now_us) {
    if (l->state == LINK_CLOSED) return;
    if (end != LINK_END_REMOTE && end != LINK_END_TIMEOUT) transmit_close(l, end, now_us);
    link_enter(l, LINK_CLOSED);
    links_touch(l);
    if (l->links->handler->closed) l->links->handler->closed(l->links->owner, l, end, now_us);
}

void link_close(struct link *l, uint64_t now_us) {
    struct links *ls = l->links;
    links_enter(ls, now_us);
    link_end(l, LINK_END_LOCAL, now_us);
    links_leave(ls);
}

void link_start_session(struct link *l, const struct noise *noise, uint32_t remote_index,
                        uint64_t now_us) {
    received_init(&l->received);
    rtt_init(&l->rtt, now_us);
    if (l->pace != NULL) pace_init(l->pace, now_us);
    path_release(l);
    l->train = (struct train){.id = l->train.id};
    l->waiting_since_us = TIME_NEVER;
    session_start(&l->session, noise, remote_index, &l->links->periods, now_us);
}

void link_come_up(struct link *l, uint64_t now_us) {
    struct links *ls = l->links;
    link_enter(l, LINK_UP);
    l->up_us = l->received_us = now_us;
    dial_end(l);
    answer_end(l);
    size_t at = 0;
    for (struct link *other; (other = links_next(ls, &l->peer, &at)) != NULL;)
        if (other != l) link_end(other, LINK_END_REPLACED, now_us);
    if (links_count(ls, LINK_UP) <= ls->links_max) return;
    ls->stats.refused_full++;
    link_end(l, LINK_END_LOCAL, now_us);
}

static uint64_t half_open_us(const struct link *l) {
    return l->state == LINK_UNPROVEN && l->dial == NULL ? l->answer->expires_us : TIME_NEVER;
}

uint64_t link_expire_time(const struct link *l) {
    if (l->state == LINK_CLOSED) return TIME_NEVER;
    uint64_t due_us = u64_min(silence_end(l), half_open_us(l));
    if (l->dial != NULL) due_us = u64_min(due_us, l->dial->end_us);
    return u64_min(due_us, recovery_deadline(l));
}

uint64_t link_transmit_time(const struct link *l) {
    if (l->state == LINK_CLOSED) return TIME_NEVER;
    if (l->answer != NULL && l->answer->is_due) return 0;
    if (train_has_next(&l->train)) return 0;
    uint64_t due_us = u64_min(path_deadline(l), transmit_deadline(l));
    const struct dial *dial = l->dial;
    return dial != NULL && dial->next_us < dial->end_us ? u64_min(due_us, dial->next_us) : due_us;
}

void link_expire(struct link *l, uint64_t now_us) {
    if (l->dial != NULL && now_us >= l->dial->end_us) {
        dial_end(l);
        if (l->state == LINK_DIALLING) link_end(l, LINK_END_UNANSWERED, now_us);
    }
    if (silence_end(l) <= now_us || half_open_us(l) <= now_us)
        link_end(l, LINK_END_TIMEOUT, now_us);
    if (l->state != LINK_CLOSED) recovery_expire(l, now_us);
}

size_t link_transmit(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (l->state == LINK_CLOSED) return 0;
    size_t n = dial_write_init(l, ret, now_us);
    if (n == 0) n = handshake_write_response(l, ret, now_us);
    if (n == 0) n = path_transmit(l, ret, now_us);
    if (n == 0) n = transmit_data(l, ret, now_us);
    if (n == 0) n = transmit_train(l, ret, now_us);
    return n;
}

int link_send_message(struct link *l, const void *data, size_t len, uint64_t now_us) {
    if (l->state == LINK_CLOSED) return ERR_STATE;
    if (len < 1 || len > LINK_MESSAGE_MAX || ((const uint8_t *)data)[0] & FRAME_CELL)
        return ERR_RANGE;
    links_enter(l->links, now_us);
    int err = outbox_add(&l->outbox, data, len);
    links_touch(l);
    links_leave(l->links);
    return err;
}

int link_send_unreliable(struct link *l, const void *data, size_t len, uint64_t token,
                         uint64_t now_us) {
    if (l->state == LINK_CLOSED) return ERR_STATE;
    if (len < 1 || len > UNRELIABLE_MAX || ((const uint8_t *)data)[0] & FRAME_CELL)
        return ERR_RANGE;
    links_enter(l->links, now_us);
    int err = unreliable_add(&l->unreliable, data, len, token, now_us);
    links_touch(l);
    links_leave(l->links);
    return err;
}

void link_ping(struct link *l, uint64_t now_us) {
    if (l->state == LINK_CLOSED) return;
    links_enter(l->links, now_us);
    l->ping_is_due = true;
    links_touch(l);
    links_leave(l->links);
}

int link_send_train(struct link *l, unsigned datagrams, uint64_t now_us) {
    if (l->state != LINK_UP || !l->session.is_ready) return ERR_STATE;
    links_enter(l->links, now_us);
    train_begin(&l->train, datagrams);
    links_touch(l);
    links_leave(l->links);
    return 0;
}

void link_set_data(struct link *l, void *data) { l->data = data; }
void *link_data(const struct link *l) { return l->data; }
enum link_state link_state(const struct link *l) { return (enum link_state)l->state; }
const struct public_key *link_peer(const struct link *l) { return &l->peer; }
const struct endpoint *link_endpoint(const struct link *l) { return &l->endpoint; }
bool link_is_initiator(const struct link *l) { return l->is_initiator; }

uint64_t link_rtt_us(const struct link *l) { return l->rtt.smoothed_us; }
uint64_t link_received_us(const struct link *l) { return l->received_us; }
uint64_t link_bytes_in_flight(const struct link *l) { return l->sent.bytes_in_flight; }
uint64_t link_queue_us(const struct link *l) { return l->pace ? l->pace->whole_us : 0; }

uint64_t link_rtt_min_us(const struct link *l) {
    int64_t least_us = minimum_get(&l->rtt.least, l->received_us);
    return least_us == MINIMUM_NONE ? 0 : (uint64_t)least_us;
}

void link_stats(const struct link *l, struct link_stats *ret) {
    *ret = (struct link_stats){
        .rtt_us = link_rtt_us(l),
        .rtt_min_us = link_rtt_min_us(l),
        .queue_us = link_queue_us(l),
        .rate_bps = l->pace ? l->pace->rate_bps : PACE_RATE_INITIAL,
        .is_limited = l->pace && l->pace->is_limited,
        .bytes_in_flight = l->sent.bytes_in_flight,
        .datagrams_in = l->counts.datagrams_in,
        .datagrams_out = l->counts.datagrams_out,
        .bytes_in = l->counts.bytes_in,
        .bytes_out = l->counts.bytes_out,
        .datagrams_lost = l->datagrams_lost,
        .received_us = l->received_us,
    };
}
