/* What is said to those that have no link: which version is spoken, who we are, a cookie. Nothing
 * here is larger than what asked for it, and all of it is limited in rate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/link/link_internal.h"

void stranger_send_version(struct links *ls, const struct datagram *d, uint64_t now_us) {
    char text[PACKET_VERSION_TEXT_MAX + 1];
    int text_len =
        snprintf(text, sizeof text, "shoal: this node speaks version %d of the protocol\n",
                 PROTOCOL_VERSION);
    size_t len = PACKET_VERSION_HEADER + (size_t)text_len;
    if (d->len < len || !rate_take(&ls->version_rate, now_us)) return;
    struct ready *e = ready_add(&ls->ready, &d->peer, len, true);
    if (e == NULL) return;
    e->data[0] = PACKET_VERSION;
    e->data[1] = PROTOCOL_VERSION;
    memcpy(e->data + 2, d->data + 2, 4); /* the sender's index: only who saw it can answer */
    memcpy(e->data + PACKET_VERSION_HEADER, text, (size_t)text_len);
}

void stranger_send_cookie(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (!rate_take(&ls->cookie_rate, now_us)) return;
    struct ready *e = ready_add(&ls->ready, &d->peer, PACKET_COOKIE_SIZE, true);
    if (e == NULL) return;
    guard_write_cookie(&ls->guard, d, &ls->random, e->data);
    ls->stats.cookies_sent++;
}

void links_ask_identity(struct links *ls, const struct endpoint *to, uint64_t now_us) {
    if (ls->asks == NULL) ls->asks = calloc(ASKS_MAX, sizeof *ls->asks);
    struct ready *e = ls->asks ? ready_add(&ls->ready, to, PACKET_ASK_SIZE, false) : NULL;
    if (e == NULL) return; /* the caller repeats what is not answered */
    struct ask *ask = &ls->asks[ls->asks_next++ % ASKS_MAX];
    *ask = (struct ask){.to = *to, .until_us = now_us + ASK_US};
    random_bytes(&ls->random, ask->nonce, sizeof ask->nonce);
    memset(e->data, 0, PACKET_ASK_SIZE);
    e->data[0] = PACKET_ASK;
    e->data[1] = PROTOCOL_VERSION;
    memcpy(e->data + 2, ask->nonce, sizeof ask->nonce);
}

void stranger_take_ask(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len != PACKET_ASK_SIZE || d->data[1] != PROTOCOL_VERSION) {
        ls->stats.refused_format++;
        return;
    }
    if (!rate_take(&ls->identity_rate, now_us)) return;
    struct ready *e = ready_add(&ls->ready, &d->peer, PACKET_IDENTITY_SIZE, true);
    if (e == NULL) return;
    e->data[0] = PACKET_IDENTITY;
    e->data[1] = PROTOCOL_VERSION;
    memcpy(e->data + 2, d->data + 2, 8);
    memcpy(e->data + 10, ls->identity->public.bytes, PUBLIC_KEY_BYTES);
}

static void asks_end_idle(struct links *ls, uint64_t now_us) {
    for (size_t i = 0; i < ASKS_MAX; i++)
        if (now_us < ls->asks[i].until_us) return;
    free(ls->asks);
    ls->asks = NULL;
}

void stranger_take_identity(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len != PACKET_IDENTITY_SIZE || d->data[1] != PROTOCOL_VERSION) {
        ls->stats.refused_format++;
        return;
    }
    for (size_t i = 0; ls->asks != NULL && i < ASKS_MAX; i++) {
        struct ask *ask = &ls->asks[i];
        if (now_us >= ask->until_us || !endpoint_equal(&ask->to, &d->peer) ||
            memcmp(ask->nonce, d->data + 2, sizeof ask->nonce) != 0)
            continue;
        struct public_key peer;
        memcpy(peer.bytes, d->data + 10, sizeof peer.bytes);
        ask->until_us = 0;
        asks_end_idle(ls, now_us);
        if (ls->handler->identity) ls->handler->identity(ls->owner, &d->peer, &peer, now_us);
        return;
    }
    ls->stats.refused_index++;
}
