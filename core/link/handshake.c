/* The responder's side of the handshake: message 1 from a stranger, and the answer. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/link/link_internal.h"

/* A message 1 that was opened: what is known before a link is chosen for it. */
struct opened {
    const struct datagram *d;
    struct noise noise;
    struct public_key peer;
    uint32_t remote_index;
    struct reader frames;
};

int answer_start(struct link *l) {
    l->answer = calloc(1, sizeof *l->answer);
    return l->answer == NULL ? ERR_MEMORY : 0;
}

void answer_end(struct link *l) {
    if (l->answer != NULL) secret_erase(l->answer, sizeof *l->answer);
    free(l->answer);
    l->answer = NULL;
}

static const uint8_t *mac1_of(const struct datagram *d) {
    return d->data + LINK_DATAGRAM_SIZE - PACKET_MACS_BYTES;
}

/* Opens message 1. The sender's Ed25519 key comes first in it, and must be the key whose X25519
 * form the handshake has proven. Returns 0 or an error; without one `ret->noise` is to be released
 * or moved. */
static int open_init(struct links *ls, const struct datagram *d, struct opened *ret) {
    uint8_t prologue[64], dh[NOISE_DH_BYTES];
    struct writer w = writer_init(prologue, sizeof prologue);
    prologue_write(&w, &ls->identity->public, d->data);
    *ret = (struct opened){.d = d, .remote_index = load_u32(d->data + 2)};
    noise_init(&ret->noise, false, &ls->dh, NULL, prologue, writer_len(&w));
    int n = noise_read(&ret->noise, d->data + PACKET_INIT_HEADER,
                       LINK_DATAGRAM_SIZE - PACKET_INIT_HEADER - PACKET_MACS_BYTES, ls->plain);
    int err = n < 0 ? n : 0;
    struct frame f;
    if (!err) {
        ret->frames = reader_init(ls->plain, (size_t)n);
        err = frame_read(&ret->frames, &f);
    }
    if (!err && f.type != FRAME_IDENTITY) err = ERR_FORMAT;
    if (!err) err = dh_public_from_public_key(dh, &f.identity);
    if (!err && memcmp(dh, ret->noise.remote, sizeof dh) != 0) err = ERR_SIGNATURE;
    if (!err && !receive_handshake_is_valid(ret->frames)) err = ERR_FORMAT;
    if (err)
        noise_release(&ret->noise);
    else
        ret->peer = f.identity;
    return err;
}

/* The oldest half-open link makes place: it is the likeliest to have been forged. */
static void half_open_limit(struct links *ls, uint64_t now_us) {
    if (links_count(ls, LINK_UNPROVEN) < LINKS_HALF_OPEN_MAX) return;
    struct link *oldest = NULL;
    size_t at = 0;
    for (struct link *l; (l = table_next(&ls->table, NULL, &at)) != NULL;) {
        if (l->state == LINK_UNPROVEN && l->dial == NULL &&
            (oldest == NULL || l->answer->expires_us < oldest->answer->expires_us))
            oldest = l;
    }
    if (oldest != NULL) link_end(oldest, LINK_END_TIMEOUT, now_us);
}

/* Whether this message 1 may be dropped in favour of our own dial to the same peer: both ends know
 * that the dial from the smaller key stays. */
static bool own_dial_wins(struct links *ls, const struct link *l, uint64_t now_us) {
    if (public_key_compare(&ls->identity->public, &l->peer) > 0) return false;
    if (l->state == LINK_UP) return l->is_initiator && now_us - l->up_us < LINK_CROSSED_US;
    return l->dial != NULL && l->dial->has_noise;
}

/* Our dial stays, but the peer is where its own came from: try there too, at once. */
static void dial_hear(struct link *l, const struct endpoint *from, uint64_t now_us) {
    struct dial *dial = l->dial;
    if (dial == NULL || dial->has_heard || endpoint_equal(&dial->to, from)) return;
    dial->has_heard = true;
    dial->heard = *from;
    if (dial->attempts % 2 == 0) dial->attempts++;
    dial->next_us = now_us;
    links_touch(l);
}

/* The sender's index in the message 1 that this link answered. */
static uint32_t answer_index(const struct link *l) {
    return l->answer != NULL ? l->answer->remote_index : l->session.remote_index;
}

/* The link for an opened message 1, new or one that stands; NULL where it is refused (counted). */
static struct link *choose(struct links *ls, const struct opened *o, uint64_t now_us) {
    struct link *dialling = NULL;
    size_t at = 0;
    for (struct link *l; (l = links_next(ls, &o->peer, &at)) != NULL;) {
        if (l->state == LINK_CLOSED) continue;
        bool is_same_dial = answer_index(l) == o->remote_index && !l->is_initiator;
        bool is_repeated = memcmp(l->mac1, mac1_of(o->d), sizeof l->mac1) == 0;
        if (is_repeated || (l->state == LINK_UP && is_same_dial)) {
            ls->stats.refused_replay++;
            return NULL;
        }
        if (l->state == LINK_UNPROVEN && is_same_dial) return l;
        if (own_dial_wins(ls, l, now_us)) {
            dial_hear(l, &o->d->peer, now_us);
            return NULL;
        }
        if (l->state == LINK_DIALLING) dialling = l;
    }
    if (dialling != NULL) return dialling;
    half_open_limit(ls, now_us);
    bool has_room = ls->counts[LINK_UP] < ls->links_max || links_find(ls, &o->peer) != NULL;
    struct link *l =
        has_room ? links_new_link(ls, &o->peer, &o->d->peer, LINK_UNPROVEN, now_us) : NULL;
    if (l == NULL) ls->stats.refused_full++;
    return l;
}

/* Takes the opened handshake into its link: the first, or a repetition with a fresh ephemeral. */
static void adopt(struct link *l, struct opened *o, uint64_t now_us) {
    struct answer *a = l->answer;
    recovery_reset(l, now_us);
    session_release(&l->session);
    bool is_other_address = !endpoint_equal(&l->endpoint, &o->d->peer);
    if (l->state == LINK_DIALLING || is_other_address) a->bytes_in = a->bytes_out = 0;
    a->bytes_in += o->d->len;
    a->is_due = true;
    a->remote_index = o->remote_index;
    a->expires_us = now_us + LINK_HALF_OPEN_US;
    a->noise = o->noise;
    memcpy(l->mac1, mac1_of(o->d), sizeof l->mac1);
    a->refs_len = 0;
    l->endpoint = o->d->peer;
    l->is_initiator = false;
    l->counts.datagrams_in++;
    l->counts.bytes_in += o->d->len;
    secret_erase(&o->noise, sizeof o->noise);
    if (l->dial != NULL) l->dial->next_us = u64_max(l->dial->next_us, now_us + LINK_DIAL_RETRY_US);
    if (l->state == LINK_DIALLING) link_enter(l, LINK_UNPROVEN);
}

static void take_opened(struct links *ls, struct opened *o, uint64_t now_us) {
    struct link *l = choose(ls, o, now_us);
    if (l != NULL && l->answer == NULL && answer_start(l) != 0) {
        ls->stats.refused_full++;
        l = NULL;
    }
    if (l == NULL) {
        noise_release(&o->noise);
        return;
    }
    links_touch(l);
    adopt(l, o, now_us);
    if (l->state == LINK_CLOSED) return; /* by its owner, told of what is lost */
    ls->stats.handshakes_in++;
    link_tell_opened(l, now_us);
    receive_frames(l, &o->frames, &o->d->peer, now_us);
}

void handshake_take_init(struct links *ls, const struct datagram *d, uint64_t now_us) {
    if (d->len != LINK_DATAGRAM_SIZE || d->data[1] != PROTOCOL_VERSION) {
        ls->stats.refused_format++;
        if (d->len >= LINK_DATAGRAM_SIZE) stranger_send_version(ls, d, now_us);
        return;
    }
    enum guard_verdict verdict = guard_check(&ls->guard, d, &ls->random, now_us);
    if (verdict == GUARD_COOKIE) stranger_send_cookie(ls, d, now_us);
    if (verdict != GUARD_PASS) {
        ls->stats.refused_mac++;
        return;
    }
    struct opened o;
    if (open_init(ls, d, &o) != 0 || public_key_equal(&o.peer, &ls->identity->public)) {
        ls->stats.refused_handshake++;
        return;
    }
    take_opened(ls, &o, now_us);
}

size_t handshake_write_response(struct link *l, struct datagram *ret, uint64_t now_us) {
    struct answer *a = l->answer;
    if (a == NULL || !a->is_due) return 0;
    a->is_due = false;
    uint8_t payload[PACKET_RESPONSE_PAYLOAD];
    struct writer w = writer_init(payload, sizeof payload);
    a->refs_len = outbox_write(&l->outbox, &w, a->refs, LINK_HANDSHAKE_REFS_MAX);

    ret->data[0] = PACKET_RESPONSE;
    store_u32(ret->data + 1, l->index);
    store_u32(ret->data + 5, a->remote_index);
    struct dh_key ephemeral;
    uint8_t secret[NOISE_DH_BYTES];
    random_bytes(&l->links->random, secret, sizeof secret);
    dh_key_from_secret(&ephemeral, secret);
    int n = noise_write(&a->noise, &ephemeral, payload, writer_len(&w),
                        ret->data + PACKET_RESPONSE_HEADER);
    secret_erase(secret, sizeof secret);
    secret_erase(&ephemeral, sizeof ephemeral);
    if (n < 0) { /* its ephemeral key is of small order: no honest peer makes one */
        l->links->stats.refused_handshake++;
        link_end(l, LINK_END_PROTOCOL, now_us);
        return 0;
    }
    ret->len = PACKET_RESPONSE_HEADER + (size_t)n + PACKET_MACS_BYTES;
    guard_sign(ret->data, ret->len, &l->peer, NULL);
    ret->peer = l->endpoint;
    link_start_session(l, &a->noise, a->remote_index, now_us);
    noise_release(&a->noise);
    a->sent_us = now_us;
    a->bytes_out += ret->len;
    l->counts.datagrams_out++;
    l->counts.bytes_out += ret->len;
    return ret->len;
}
