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
    while (1u << ls->slot_bits < ls->active_max) ls->slot_bits++;
    ls->slots = calloc((size_t)1 << ls->slot_bits, sizeof *ls->slots);
    ls->active = calloc(ls->active_max, sizeof *ls->active);
    if (ls->slots == NULL || ls->active == NULL) {
        links_free(ls);
        return NULL;
    }
    return ls;
}

static void link_free(struct link *l) {
    outbox_release(&l->outbox);
    inbox_release(&l->inbox);
    secret_erase(l, offsetof(struct link, outbox));
    free(l);
}

void links_free(struct links *ls) {
    if (ls == NULL) return;
    for (unsigned i = 0; i < ls->active_len; i++) link_free(ls->active[i]);
    free(ls->slots);
    free(ls->active);
    secret_erase(ls, sizeof *ls);
    free(ls);
}

void links_set_periods(struct links *ls, const struct session_periods *periods) {
    ls->periods = *periods;
}

struct link *links_new_link(struct links *ls, const struct public_key *peer,
                            const struct endpoint *to, enum link_state state, uint64_t now_us) {
    if (ls->active_len == ls->active_max) return NULL;
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    uint32_t mask = (1u << ls->slot_bits) - 1;
    l->index = random_u32(&ls->random);
    while (ls->slots[l->index & mask] != NULL)
        l->index = (l->index & ~mask) | ((l->index + 1) & mask);
    ls->slots[l->index & mask] = l;
    ls->active[ls->active_len++] = l;
    l->links = ls;
    l->state = state;
    l->peer = *peer;
    l->endpoint = *to;
    l->waiting_since_us = l->loss_us = TIME_NEVER;
    received_init(&l->received);
    rtt_init(&l->rtt, now_us);
    pace_init(&l->pace, now_us);
    outbox_init(&l->outbox);
    inbox_init(&l->inbox);
    unreliable_init(&l->unreliable);
    sent_init(&l->sent);
    return l;
}

struct link *links_at(struct links *ls, uint32_t index) {
    struct link *l = ls->slots[index & ((1u << ls->slot_bits) - 1)];
    return l != NULL && l->index == index && l->state != LINK_CLOSED ? l : NULL;
}

void links_enter(struct links *ls) { ls->depth++; }

void links_leave(struct links *ls) {
    assert(ls->depth > 0);
    if (--ls->depth > 0 || !ls->has_closed) return;
    unsigned kept = 0;
    for (unsigned i = 0; i < ls->active_len; i++) {
        struct link *l = ls->active[i];
        if (l->state != LINK_CLOSED) {
            ls->active[kept++] = l;
            continue;
        }
        ls->slots[l->index & ((1u << ls->slot_bits) - 1)] = NULL;
        link_free(l);
    }
    ls->active_len = kept;
    ls->has_closed = false;
}

static int rank_of(const struct link *l) {
    switch (l->state) {
    case LINK_UP: return 3;
    case LINK_UNPROVEN: return l->dial.is_active ? 2 : 1;
    case LINK_DIALLING: return 2;
    default: return 0;
    }
}

struct link *links_find(struct links *ls, const struct public_key *peer) {
    struct link *best = NULL;
    for (unsigned i = 0; i < ls->active_len; i++) {
        struct link *l = ls->active[i];
        if (rank_of(l) > (best ? rank_of(best) : 0) && public_key_equal(&l->peer, peer)) best = l;
    }
    return best;
}

size_t links_count(const struct links *ls, enum link_state state) {
    size_t n = 0;
    for (unsigned i = 0; i < ls->active_len; i++) n += ls->active[i]->state == state;
    return n;
}

struct link *links_dial(struct links *ls, const struct public_key *peer, const struct endpoint *to,
                        uint64_t now_us) {
    if (public_key_equal(peer, &ls->identity->public) || !public_key_is_valid(peer)) return NULL;
    struct link *l = links_find(ls, peer);
    if (l != NULL) {
        /* It dials us, or somebody repeats an old first message of it: our own dial waits until
         * that should be known. */
        if (l->state == LINK_UNPROVEN && !l->dial.is_active)
            dial_start(l, to, now_us + LINK_DIAL_RETRY_US);
        return l;
    }
    if (links_count(ls, LINK_UP) + links_count(ls, LINK_DIALLING) >= ls->links_max) return NULL;
    l = links_new_link(ls, peer, to, LINK_DIALLING, now_us);
    if (l == NULL) return NULL;
    l->is_initiator = true;
    dial_start(l, to, now_us);
    return l;
}

void links_receive(struct links *ls, const struct datagram *d, uint64_t now_us) {
    ls->stats.datagrams_in++;
    ls->stats.bytes_in += d->len;
    if (d->len == 0 || d->len > DATAGRAM_MAX) {
        ls->stats.refused_format++;
        return;
    }
    links_enter(ls);
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
}

void links_expire(struct links *ls, uint64_t now_us) {
    links_enter(ls);
    for (unsigned i = 0; i < ls->active_len; i++) link_expire(ls->active[i], now_us);
    links_leave(ls);
}

uint64_t links_deadline(const struct links *ls) {
    if (!ready_is_empty(&ls->ready)) return 0;
    uint64_t due_us = TIME_NEVER;
    for (unsigned i = 0; i < ls->active_len; i++)
        due_us = u64_min(due_us, link_deadline(ls->active[i]));
    return due_us;
}

static size_t link_transmit(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (l->state == LINK_CLOSED) return 0;
    size_t n = dial_write_init(l, ret, now_us);
    if (n == 0) n = handshake_write_response(l, ret, now_us);
    if (n == 0) n = path_transmit(l, ret, now_us);
    if (n == 0) n = transmit_data(l, ret, now_us);
    return n;
}

size_t links_transmit(struct links *ls, struct datagram *ret, uint64_t now_us) {
    assert(ret->capacity >= LINK_DATAGRAM_SIZE);
    links_enter(ls);
    size_t n = ready_take(&ls->ready, ret);
    for (unsigned i = 0; n == 0 && i < ls->active_len; i++) {
        if (ls->cursor >= ls->active_len) ls->cursor = 0;
        n = link_transmit(ls->active[ls->cursor], ret, now_us);
        if (n == 0) ls->cursor++;
    }
    if (n > 0) {
        ls->stats.datagrams_out++;
        ls->stats.bytes_out += n;
    }
    links_leave(ls);
    return n;
}

void links_stats(const struct links *ls, struct links_stats *ret) { *ret = ls->stats; }
