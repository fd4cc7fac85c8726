/* The initiator's side of the handshake: message 1 until it is answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/link_internal.h"

#define PROLOGUE_NAME "shoal link 1"

void prologue_write(struct writer *w, const struct public_key *responder, const uint8_t *header) {
    write_bytes(w, PROLOGUE_NAME, sizeof PROLOGUE_NAME - 1);
    write_bytes(w, responder->bytes, sizeof responder->bytes);
    write_bytes(w, header, PACKET_INIT_HEADER);
}

int dial_start(struct link *l, const struct endpoint *to, uint64_t first_us) {
    assert(l->dial == NULL);
    l->dial = malloc(sizeof *l->dial);
    if (l->dial == NULL) return ERR_MEMORY;
    *l->dial = (struct dial){.to = *to, .next_us = first_us, .end_us = first_us + LINK_DIAL_US};
    return 0;
}

void dial_end(struct link *l) {
    if (l->dial != NULL) secret_erase(l->dial, sizeof *l->dial);
    free(l->dial);
    l->dial = NULL;
}

/* Every second try goes to the address that the peer's own dial came from, where that is another:
 * what we were told may be out of date, what we heard may be a repetition. */
static const struct endpoint *dial_target(const struct dial *dial) {
    return dial->has_heard && dial->attempts % 2 == 1 ? &dial->heard : &dial->to;
}

static void dial_noise(struct link *l, const uint8_t header[PACKET_INIT_HEADER]) {
    uint8_t prologue[64], remote[NOISE_DH_BYTES];
    struct writer w = writer_init(prologue, sizeof prologue);
    prologue_write(&w, &l->peer, header);
    int err = dh_public_from_public_key(remote, &l->peer);
    assert(err == 0); /* links_dial takes valid keys only */
    noise_init(&l->dial->noise, true, &l->links->dh, remote, prologue, writer_len(&w));
}

static void dial_payload(struct link *l, uint8_t payload[PACKET_INIT_PAYLOAD]) {
    struct writer w = writer_init(payload, PACKET_INIT_PAYLOAD);
    frame_write_identity(&w, &l->links->identity->public);
    struct dial *dial = l->dial;
    for (unsigned i = 0; i < dial->refs_len; i++) outbox_requeue(&l->outbox, dial->refs[i]);
    dial->refs_len = outbox_write(&l->outbox, &w, dial->refs, LINK_HANDSHAKE_REFS_MAX);
    write_zeros(&w, writer_room(&w));
}

size_t dial_write_init(struct link *l, struct datagram *ret, uint64_t now_us) {
    struct dial *dial = l->dial;
    if (dial == NULL || dial->next_us > now_us || dial->end_us <= now_us) return 0;
    ret->data[0] = PACKET_INIT;
    ret->data[1] = PROTOCOL_VERSION;
    store_u32(ret->data + 2, l->index);
    dial_noise(l, ret->data);

    struct dh_key ephemeral;
    uint8_t secret[NOISE_DH_BYTES], payload[PACKET_INIT_PAYLOAD];
    random_bytes(&l->links->random, secret, sizeof secret);
    dh_key_from_secret(&ephemeral, secret);
    dial_payload(l, payload);
    int n = noise_write(&dial->noise, &ephemeral, payload, sizeof payload,
                        ret->data + PACKET_INIT_HEADER);
    secret_erase(secret, sizeof secret);
    secret_erase(&ephemeral, sizeof ephemeral);
    if (n < 0) { /* the peer's key cannot be dialled: as good as unanswered */
        dial->next_us = dial->end_us;
        return 0;
    }
    bool cookie_lives = dial->has_cookie && now_us - dial->cookie_us < GUARD_SECRET_US;
    guard_sign(ret->data, LINK_DATAGRAM_SIZE, &l->peer, cookie_lives ? dial->cookie : NULL);
    memcpy(dial->mac1, ret->data + LINK_DATAGRAM_SIZE - PACKET_MACS_BYTES, sizeof dial->mac1);
    dial->has_noise = true;
    dial->sent_us = now_us;
    dial->next_us = now_us + (LINK_DIAL_RETRY_US << u64_min(dial->attempts, 8));
    ret->peer = *dial_target(dial);
    dial->attempts++;
    l->links->stats.handshakes_out++;
    l->counts.datagrams_out++;
    l->counts.bytes_out += LINK_DATAGRAM_SIZE;
    return ret->len = LINK_DATAGRAM_SIZE;
}

/* Returns the dial's link, or NULL where the index is not of one. */
static struct link *dial_at(struct links *ls, const uint8_t *index) {
    struct link *l = links_at(ls, load_u32(index));
    if (l != NULL && l->dial != NULL && l->dial->has_noise) return l;
    ls->stats.refused_index++;
    return NULL;
}

/* The session of a dial that was answered. Messages that the answered message 1 carried are
 * delivered; the answer proves that this very one was read. */
static void dial_answered(struct link *l, uint32_t remote_index, const struct datagram *d,
                          uint64_t now_us) {
    const struct dial *dial = l->dial;
    for (unsigned i = 0; i < dial->refs_len; i++) outbox_acked(&l->outbox, dial->refs[i]);
    if (l->state == LINK_UNPROVEN) inbox_release(&l->inbox); /* another sender's ids */
    recovery_reset(l, now_us);
    if (l->state == LINK_CLOSED) return; /* by its owner, told of what is lost */
    link_start_session(l, &dial->noise, remote_index, now_us);
    rtt_add(&l->rtt, now_us - dial->sent_us, 0, now_us);
    l->is_initiator = true;
    l->endpoint = endpoint_equal(&d->peer, &dial->heard) ? dial->heard : dial->to;
    l->counts.datagrams_in++;
    l->counts.bytes_in += d->len;
    l->ping_is_due = true; /* the first sealed datagram proves our address */
    link_come_up(l, now_us);
}

void dial_take_response(struct links *ls, const struct datagram *d, uint64_t now_us) {
    static const uint8_t no_mac2[PACKET_MAC_BYTES];
    if (d->len < PACKET_RESPONSE_OVERHEAD || d->len > LINK_DATAGRAM_SIZE) {
        ls->stats.refused_format++;
        return;
    }
    struct link *l = dial_at(ls, d->data + 5);
    if (l == NULL) return;
    if (!guard_mac1_is_valid(ls->guard.mac_key, d->data, d->len) ||
        memcmp(d->data + d->len - sizeof no_mac2, no_mac2, sizeof no_mac2) != 0) {
        ls->stats.refused_mac++;
        return;
    }
    int n = noise_read(&l->dial->noise, d->data + PACKET_RESPONSE_HEADER,
                       d->len - PACKET_RESPONSE_HEADER - PACKET_MACS_BYTES, ls->plain);
    if (n < 0) {
        ls->stats.refused_handshake++;
        return;
    }
    struct reader r = reader_init(ls->plain, (size_t)n);
    if (!receive_handshake_is_valid(r)) {
        ls->stats.refused_handshake++;
        link_end(l, LINK_END_PROTOCOL, now_us);
        return;
    }
    links_touch(l);
    dial_answered(l, load_u32(d->data + 1), d, now_us);
    if (l->state == LINK_CLOSED) return;
    link_tell_opened(l, now_us);
    receive_frames(l, &r, &d->peer, now_us);
}

void dial_take_cookie(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len != PACKET_COOKIE_SIZE) {
        ls->stats.refused_format++;
        return;
    }
    struct link *l = dial_at(ls, d->data + 1);
    if (l == NULL) return;
    struct dial *dial = l->dial;
    if (guard_read_cookie(d->data, &l->peer, dial->mac1, dial->cookie) != 0) {
        ls->stats.refused_handshake++;
        return;
    }
    if (!dial->has_cookie) dial->next_us = now_us; /* once; then the usual times */
    dial->has_cookie = true;
    dial->cookie_us = now_us;
    links_touch(l);
}

void dial_take_version(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len < PACKET_VERSION_HEADER ||
        d->len > PACKET_VERSION_HEADER + PACKET_VERSION_TEXT_MAX ||
        d->data[1] == PROTOCOL_VERSION) {
        ls->stats.refused_format++;
        return;
    }
    struct link *l = dial_at(ls, d->data + 2);
    if (l != NULL && l->state == LINK_DIALLING) link_end(l, LINK_END_VERSION, now_us);
}
