/* The table of links, the door for datagrams, and whose turn it is. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/link/link_internal.h"

#define HANDSHAKES_PER_S_DEFAULT 50
#define VERSIONS_PER_S 10
#define IDENTITIES_PER_S 100
#define COOKIES_PER_S 2000

struct links *links_new(const struct links_config *config, uint64_t now_us) {
    struct links *ls = calloc(1, sizeof *ls);
    if (ls == NULL) return NULL;
    ls->identity = config->identity;
    dh_key_from_sign_key(&ls->dh, config->identity);
    ls->random = config->random;
    ls->handler = config->handler;
    ls->owner = config->owner;
    ls->links_max = config->links_max ? config->links_max : LINKS_MAX_DEFAULT;
    unsigned per_s = config->handshakes_per_s ? config->handshakes_per_s : HANDSHAKES_PER_S_DEFAULT;
    guard_init(&ls->guard, &config->identity->public, per_s, &ls->random, now_us);
    ls->version_rate = rate_init(VERSIONS_PER_S, VERSIONS_PER_S);
    ls->identity_rate = rate_init(IDENTITIES_PER_S, IDENTITIES_PER_S);
    ls->cookie_rate = rate_init(COOKIES_PER_S, COOKIES_PER_S / 10);
    ls->periods = (struct session_periods){SESSION_PERIOD_BITS, SESSION_PERIOD_US};
    /* Links that ended keep their place until the outermost call returns: twice the number. */
    ls->active_max = 2 * (ls->links_max + LINKS_HALF_OPEN_MAX);
    ls->now_us = now_us;
    return ls;
}

static void link_free(struct link *l) {
    outbox_release(&l->outbox);
    inbox_release(&l->inbox);
    unreliable_release(&l->unreliable);
    sent_release(&l->sent);
    dial_end(l);
    answer_end(l);
    path_release(l);
    free(l->pace);
    session_release(&l->session);
    free(l);
}

void links_free(struct links *ls) {
    if (ls == NULL) return;
    size_t at = 0;
    for (struct link *l; (l = table_next(&ls->table, NULL, &at)) != NULL;) link_free(l);
    table_release(&ls->table);
    schedule_release(&ls->expire);
    schedule_release(&ls->transmit);
    ready_release(&ls->ready);
    free(ls->asks);
    secret_erase(ls, sizeof *ls);
    free(ls);
}

void links_set_periods(struct links *ls, const struct session_periods *periods) {
    ls->periods = *periods;
}

struct link *links_new_link(struct links *ls, const struct public_key *peer,
                            const struct endpoint *to, enum link_state state, uint64_t now_us) {
    if (ls->table.len == ls->active_max || schedule_reserve(&ls->expire, ls->table.len + 1) ||
        schedule_reserve(&ls->transmit, ls->table.len + 1))
        return NULL;
    struct link *l = aligned_alloc(LINK_LINE, sizeof *l);
    if (l == NULL) return NULL;
    memset(l, 0, sizeof *l);
    l->links = ls;
    int err = state == LINK_DIALLING ? dial_start(l, to, now_us) : answer_start(l);
    if (!err) err = table_add(&ls->table, l, peer, random_u32(&ls->random), &l->index);
    if (err) {
        link_free(l);
        return NULL;
    }
    l->state = (uint8_t)state;
    ls->counts[state]++;
    l->peer = *peer;
    l->endpoint = *to;
    l->waiting_since_us = l->loss_us = TIME_NEVER;
    received_init(&l->received);
    rtt_init(&l->rtt, now_us);
    outbox_init(&l->outbox);
    inbox_init(&l->inbox);
    unreliable_init(&l->unreliable);
    sent_init(&l->sent);
    return l;
}

struct link *links_at(struct links *ls, uint32_t index) {
    struct link *l = table_at(&ls->table, index);
    return l != NULL && l->state != LINK_CLOSED ? l : NULL;
}

struct link *links_next(const struct links *ls, const struct public_key *peer, size_t *at) {
    struct link *l = table_next(&ls->table, peer, at);
    while (l != NULL && !public_key_equal(&l->peer, peer)) l = table_next(&ls->table, peer, at);
    return l;
}

void links_enter(struct links *ls, uint64_t now_us) {
    ls->depth++;
    ls->now_us = u64_max(ls->now_us, now_us);
}

/* What is due at once is due since now, and keeps that time: links that wait take turns. */
static uint64_t since(const struct link *l, uint64_t at_us, uint64_t now_us) {
    if (at_us > now_us) return at_us;
    return u64_min(schedule_time_of(&l->links->transmit, &l->transmit_due), now_us);
}

static void reschedule(struct link *l) {
    struct links *ls = l->links;
    uint64_t expire_us = link_expire_time(l), transmit_us = link_transmit_time(l);
    schedule_set(&ls->expire, &l->expire_due, expire_us);
    schedule_set(&ls->transmit, &l->transmit_due, since(l, transmit_us, ls->now_us));
}

void links_touch(struct link *l) {
    struct links *ls = l->links;
    assert(ls->depth > 0);
    if (l->state == LINK_CLOSED) reschedule(l); /* nothing more is due of it */
    if (l->is_touched) return;
    l->is_touched = true;
    l->touched_next = ls->touched;
    ls->touched = l;
}

void links_leave(struct links *ls) {
    assert(ls->depth > 0);
    if (--ls->depth > 0) return;
    for (struct link *l; (l = ls->touched) != NULL;) {
        ls->touched = l->touched_next;
        l->is_touched = false;
        reschedule(l);
        if (l->state != LINK_CLOSED) continue;
        table_remove(&ls->table, l->index);
        ls->counts[LINK_CLOSED]--;
        link_free(l);
    }
}

static int rank_of(const struct link *l) {
    switch (l->state) {
    case LINK_UP: return 3;
    case LINK_UNPROVEN: return l->dial != NULL ? 2 : 1;
    case LINK_DIALLING: return 2;
    default: return 0;
    }
}

struct link *links_find(struct links *ls, const struct public_key *peer) {
    struct link *best = NULL;
    size_t at = 0;
    for (struct link *l; (l = links_next(ls, peer, &at)) != NULL;)
        if (rank_of(l) > (best ? rank_of(best) : 0)) best = l;
    return best;
}

void links_set_shared_queue(struct links *ls, uint64_t queue_us) {
    ls->shared_us = (uint32_t)queue_us;
}

size_t links_count(const struct links *ls, enum link_state state) { return ls->counts[state]; }
uint32_t links_changes(const struct links *ls) { return ls->changes; }

static struct link *dial_new(struct links *ls, const struct public_key *peer,
                             const struct endpoint *to, uint64_t now_us) {
    if (ls->counts[LINK_UP] + ls->counts[LINK_DIALLING] >= ls->links_max) return NULL;
    struct link *l = links_new_link(ls, peer, to, LINK_DIALLING, now_us);
    if (l == NULL) return NULL;
    l->is_initiator = true;
    return l;
}

/* Beside one that is silent: another process may stand where the peer did. */
static struct link *find_dialling(struct links *ls, const struct public_key *peer) {
    size_t at = 0;
    struct link *l = links_next(ls, peer, &at);
    while (l != NULL && l->state != LINK_DIALLING) l = links_next(ls, peer, &at);
    return l;
}

struct link *links_dial(struct links *ls, const struct public_key *peer, const struct endpoint *to,
                        uint64_t now_us) {
    if (public_key_equal(peer, &ls->identity->public) || !public_key_is_valid(peer)) return NULL;
    links_enter(ls, now_us);
    struct link *l = links_find(ls, peer);
    if (l != NULL && silence_is_long(l, now_us)) l = find_dialling(ls, peer);
    /* It dials us, or somebody repeats an old first message of it: our own dial waits until that
     * should be known. */
    if (l == NULL)
        l = dial_new(ls, peer, to, now_us);
    else if (l->state == LINK_UNPROVEN && l->dial == NULL &&
             dial_start(l, to, now_us + LINK_DIAL_RETRY_US) != 0)
        l = NULL;
    if (l != NULL) links_touch(l);
    links_leave(ls);
    return l;
}

void links_receive(struct links *ls, const struct datagram *d, uint64_t now_us) {
    ls->stats.datagrams_in++;
    ls->stats.bytes_in += d->len;
    if (d->len == 0 || d->len > DATAGRAM_MAX) {
        ls->stats.refused_format++;
        return;
    }
    uint8_t plain[DATAGRAM_MAX], *outer = ls->plain;
    ls->plain = plain;
    links_enter(ls, now_us);
    switch (d->data[0]) {
    case PACKET_INIT: handshake_take_init(ls, d, now_us); break;
    case PACKET_RESPONSE: dial_take_response(ls, d, now_us); break;
    case PACKET_COOKIE: dial_take_cookie(ls, d, now_us); break;
    case PACKET_DATA: receive_data(ls, d, now_us); break;
    case PACKET_VERSION: dial_take_version(ls, d, now_us); break;
    case PACKET_ASK: stranger_take_ask(ls, d, now_us); break;
    case PACKET_IDENTITY: stranger_take_identity(ls, d, now_us); break;
    default: ls->stats.refused_format++;
    }
    links_leave(ls);
    ls->plain = outer;
}

static struct link *link_of_expire(struct due *d) {
    return (struct link *)((char *)d - offsetof(struct link, expire_due));
}

static struct link *link_of_transmit(struct due *d) {
    return (struct link *)((char *)d - offsetof(struct link, transmit_due));
}

void links_expire(struct links *ls, uint64_t now_us) {
    links_enter(ls, now_us);
    while (schedule_time(&ls->expire) <= now_us) {
        struct link *l = link_of_expire(schedule_first(&ls->expire));
        link_expire(l, now_us);
        reschedule(l);
    }
    links_leave(ls);
}

uint64_t links_deadline(const struct links *ls) {
    if (!ready_is_empty(&ls->ready)) return 0;
    return u64_min(schedule_time(&ls->expire), schedule_time(&ls->transmit));
}

size_t links_transmit(struct links *ls, struct datagram *ret, uint64_t now_us) {
    assert(ret->capacity >= LINK_DATAGRAM_SIZE);
    links_enter(ls, now_us);
    size_t n = ready_take(&ls->ready, ret);
    for (size_t i = ls->table.len; n == 0 && i > 0; i--) { /* each at most once */
        if (schedule_time(&ls->transmit) > now_us) break;
        struct link *l = link_of_transmit(schedule_first(&ls->transmit));
        n = link_transmit(l, ret, now_us);
        schedule_set(&ls->transmit, &l->transmit_due, TIME_NEVER); /* behind the others */
        reschedule(l);
    }
    if (n > 0) {
        ls->stats.datagrams_out++;
        ls->stats.bytes_out += n;
    }
    links_leave(ls);
    return n;
}

void links_stats(const struct links *ls, struct links_stats *ret) {
    *ret = ls->stats;
    ret->heard_us = ls->heard_us;
}
