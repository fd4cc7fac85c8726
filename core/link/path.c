#include "core/crypto/hash.h"
#include "core/link/link_internal.h"

#define CHALLENGE_SIZE (LINK_OVERHEAD + 1 + FRAME_PATH_BYTES)

void path_heard(struct link *l, const struct endpoint *from, size_t bytes, bool is_newest,
                uint64_t now_us) {
    if (endpoint_equal(from, &l->endpoint)) {
        if (l->state == LINK_UNPROVEN) l->answer.bytes_in += bytes;
        return;
    }
    struct path *path = &l->path;
    if (path->is_active && endpoint_equal(from, &path->to)) {
        path->bytes_in += bytes;
        return;
    }
    if (!is_newest) return; /* late from an address that was left */
    *path = (struct path){.is_active = true, .to = *from, .next_us = now_us, .bytes_in = bytes};
    random_bytes(&l->links->random, path->challenge, sizeof path->challenge);
}

void path_take_response(struct link *l, const uint8_t data[FRAME_PATH_BYTES], uint64_t now_us) {
    struct path *path = &l->path;
    if (!path->is_active || !hash_equal(data, path->challenge, FRAME_PATH_BYTES)) return;
    path->is_active = false;
    l->endpoint = path->to;
    rtt_init(&l->rtt, now_us);
    pace_init(&l->pace, now_us);
    if (l->state == LINK_UNPROVEN) link_come_up(l, now_us);
}

uint64_t path_deadline(const struct link *l) {
    if (!l->session.is_ready) return TIME_NEVER;
    if (l->path_answer.is_due) return 0;
    return l->path.is_active ? l->path.next_us : TIME_NEVER;
}

static size_t path_send(struct link *l, struct datagram *ret, const struct endpoint *to,
                        enum frame_type type, const uint8_t data[FRAME_PATH_BYTES],
                        uint64_t now_us) {
    transmit_start(l, ret, to);
    frame_write_path(&l->build.w, type, data);
    l->build.has_other = true;
    return transmit_finish(l, now_us);
}

size_t path_transmit(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (path_deadline(l) > now_us) return 0;
    if (l->path_answer.is_due) {
        l->path_answer.is_due = false;
        return path_send(l, ret, &l->path_answer.to, FRAME_PATH_RESPONSE, l->path_answer.challenge,
                         now_us);
    }
    struct path *path = &l->path;
    bool may_send = path->bytes_out + CHALLENGE_SIZE <= LINK_AMPLIFICATION * path->bytes_in;
    if (path->tries == PATH_TRIES_MAX || !may_send) {
        path->is_active = false; /* its next datagram starts over */
        return 0;
    }
    path->tries++;
    path->next_us = now_us + PATH_RETRY_US;
    path->bytes_out += CHALLENGE_SIZE;
    return path_send(l, ret, &path->to, FRAME_PATH_CHALLENGE, path->challenge, now_us);
}
