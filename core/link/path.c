#include <stdlib.h>
#include <string.h>

#include "core/crypto/hash.h"
#include "core/link/link_internal.h"

#define CHALLENGE_SIZE (LINK_OVERHEAD + 1 + FRAME_PATH_BYTES)

void path_release(struct link *l) {
    free(l->path);
    l->path = NULL;
}

/* NULL where there is no memory: the peer's next datagram, or its repetition, tries again. */
static struct path *path_of(struct link *l) {
    if (l->path == NULL) l->path = calloc(1, sizeof *l->path);
    return l->path;
}

void path_heard(struct link *l, const struct endpoint *from, size_t bytes, bool is_newest,
                uint64_t now_us) {
    if (endpoint_equal(from, &l->endpoint)) {
        if (l->state == LINK_UNPROVEN) l->answer->bytes_in += bytes;
        return;
    }
    bool is_known = l->path != NULL && l->path->is_active && endpoint_equal(from, &l->path->to);
    if (!is_known && !is_newest) return; /* late from an address that was left */
    struct path *path = path_of(l);
    if (path == NULL) return;
    if (!is_known) {
        path->is_active = true;
        path->to = *from;
        path->tries = 0;
        path->next_us = now_us;
        path->bytes_in = path->bytes_out = 0;
        random_bytes(&l->links->random, path->challenge, sizeof path->challenge);
    }
    path->bytes_in += bytes;
}

void path_take_challenge(struct link *l, const struct endpoint *from,
                         const uint8_t data[FRAME_PATH_BYTES]) {
    struct path *path = path_of(l);
    if (path == NULL) return;
    path->answer_is_due = true;
    path->answer_to = *from;
    memcpy(path->answer, data, sizeof path->answer);
}

static void path_end_idle(struct link *l) {
    if (!l->path->is_active && !l->path->answer_is_due) path_release(l);
}

void path_take_response(struct link *l, const uint8_t data[FRAME_PATH_BYTES], uint64_t now_us) {
    struct path *path = l->path;
    if (path == NULL || !path->is_active || !hash_equal(data, path->challenge, FRAME_PATH_BYTES))
        return;
    path->is_active = false;
    l->endpoint = path->to;
    path_end_idle(l);
    rtt_init(&l->rtt, now_us);
    if (l->pace != NULL) pace_init(l->pace, now_us);
    if (l->state == LINK_UNPROVEN) link_come_up(l, now_us);
}

uint64_t path_deadline(const struct link *l) {
    if (!l->session.is_ready || l->path == NULL) return TIME_NEVER;
    if (l->path->answer_is_due) return 0;
    return l->path->next_us;
}

static size_t path_send(struct link *l, struct datagram *ret, const struct endpoint *to,
                        enum frame_type type, const uint8_t data[FRAME_PATH_BYTES],
                        uint64_t now_us) {
    transmit_start(l, ret, to);
    frame_write_path(&l->links->build.w, type, data);
    l->links->build.has_other = true;
    return transmit_finish(l, now_us);
}

size_t path_transmit(struct link *l, struct datagram *ret, uint64_t now_us) {
    if (path_deadline(l) > now_us) return 0;
    struct path *path = l->path;
    size_t n = 0;
    if (path->answer_is_due) {
        path->answer_is_due = false;
        n = path_send(l, ret, &path->answer_to, FRAME_PATH_RESPONSE, path->answer, now_us);
    } else if (path->tries == PATH_TRIES_MAX ||
               path->bytes_out + CHALLENGE_SIZE > LINK_AMPLIFICATION * path->bytes_in) {
        path->is_active = false; /* its next datagram starts over */
    } else {
        path->tries++;
        path->next_us = now_us + PATH_RETRY_US;
        path->bytes_out += CHALLENGE_SIZE;
        n = path_send(l, ret, &path->to, FRAME_PATH_CHALLENGE, path->challenge, now_us);
    }
    path_end_idle(l);
    return n;
}
