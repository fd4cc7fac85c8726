/* Bytes from the network into links that have a session: as raw datagrams, as frames that the peer
 * has sealed, and as the payload of a first message.
 *
 * The input is a list of entries: a byte for the kind, two of length, and the bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/link/link_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { KIND_RAW, KIND_SEALED, KIND_INDEXED, KIND_INIT, KIND_TIME, KINDS };

struct world {
    struct sign_key keys[2];
    struct links *ends[2];
    struct link *opened[2];
    uint64_t now_us;
};

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    (void)now_us;
    *(struct link **)owner = link;
}

static void on_closed(void *owner, struct link *link, enum link_end end, uint64_t now_us) {
    (void)end;
    (void)now_us;
    if (*(struct link **)owner == link) *(struct link **)owner = NULL;
}

static void on_message(void *owner, struct link *link, const uint8_t *data, size_t len,
                       uint64_t now_us) {
    (void)owner;
    assert(len >= 1 && len <= LINK_MESSAGE_MAX && !(data[0] & 0x80));
    if (link_send_unreliable(link, data, size_min(len, 64), 1, now_us)) return; /* full: fine */
}

static const struct link_handler handler = {
    .opened = on_opened, .closed = on_closed, .message = on_message};

static struct endpoint address(unsigned end) {
    return (struct endpoint){.ip = {[10] = 0xff, 0xff, 127, 0, 0, 1}, .port = (uint16_t)(1 + end)};
}

/* Hands all that an end has to send to the other. */
static void carry(struct world *w, unsigned from) {
    uint8_t buffer[DATAGRAM_MAX];
    for (int i = 0; i < 64; i++) {
        struct datagram d = {.data = buffer, .capacity = sizeof buffer};
        if (links_transmit(w->ends[from], &d, w->now_us) == 0) return;
        d.peer = address(from);
        links_receive(w->ends[1 - from], &d, w->now_us);
    }
}

static void world_start(struct world *w) {
    int err = random_start();
    assert(err == 0);
    w->now_us = 10 * US_PER_S;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        sign_key_from_seed(&w->keys[i], seed);
        struct links_config config = {.identity = &w->keys[i],
                                      .random = random_from_seed(seed),
                                      .handler = &handler,
                                      .owner = &w->opened[i]};
        w->ends[i] = links_new(&config, w->now_us);
        assert(w->ends[i] != NULL);
    }
    struct endpoint to = address(1);
    struct link *l = links_dial(w->ends[0], &w->keys[1].public, &to, w->now_us);
    assert(l != NULL);
    for (int i = 0; i < 4; i++) carry(w, i % 2 ? 1 : 0);
    assert(w->opened[0] != NULL && w->opened[1] != NULL);
}

static void feed(struct world *w, uint8_t *data, size_t len) {
    struct datagram d = {.peer = address(0), .data = data, .len = len, .capacity = len};
    links_receive(w->ends[1], &d, w->now_us);
}

static void feed_sealed(struct world *w, const uint8_t *frames, size_t len) {
    struct link *l = w->opened[0];
    if (l == NULL || !l->session.is_ready) return;
    uint8_t buffer[DATAGRAM_MAX];
    struct datagram d = {.data = buffer, .capacity = sizeof buffer};
    struct endpoint to = address(1);
    transmit_start(l, &d, &to);
    struct build *b = &l->links->build;
    write_bytes(&b->w, frames, size_min(len, writer_room(&b->w)));
    b->has_other = true;
    feed(w, buffer, transmit_finish(l, w->now_us));
}

/* A first message with this payload behind the sender's key. */
static void feed_init(struct world *w, const uint8_t *frames, size_t len) {
    uint8_t data[LINK_DATAGRAM_SIZE] = {PACKET_INIT, PROTOCOL_VERSION, 9, 9, 9, (uint8_t)len};
    uint8_t prologue[64], remote[NOISE_DH_BYTES], payload[PACKET_INIT_PAYLOAD];
    struct writer w1 = writer_init(prologue, sizeof prologue);
    prologue_write(&w1, &w->keys[1].public, data);
    int err = dh_public_from_public_key(remote, &w->keys[1].public);
    assert(err == 0);
    struct noise noise;
    struct dh_key ephemeral;
    uint8_t secret[32] = {7};
    dh_key_from_secret(&ephemeral, secret);
    noise_init(&noise, true, &w->ends[0]->dh, remote, prologue, writer_len(&w1));
    struct writer w2 = writer_init(payload, sizeof payload);
    frame_write_identity(&w2, &w->keys[0].public);
    write_bytes(&w2, frames, size_min(len, writer_room(&w2)));
    write_zeros(&w2, writer_room(&w2));
    int n = noise_write(&noise, &ephemeral, payload, sizeof payload, data + PACKET_INIT_HEADER);
    assert(n > 0);
    guard_sign(data, sizeof data, &w->keys[1].public, NULL);
    feed(w, data, sizeof data);
}

static void act(struct world *w, enum kind kind, const uint8_t *data, size_t len) {
    uint8_t copy[DATAGRAM_MAX];
    memcpy(copy, data, len);
    switch (kind) {
    case KIND_INDEXED:
        if (len > 5 && w->opened[1] != NULL) store_u32(copy + 1, w->opened[1]->index);
        feed(w, copy, len);
        break;
    case KIND_SEALED: feed_sealed(w, data, len); break;
    case KIND_INIT: feed_init(w, data, len); break;
    case KIND_TIME:
        w->now_us += len * 1000;
        links_expire(w->ends[0], w->now_us);
        links_expire(w->ends[1], w->now_us);
        break;
    default: feed(w, copy, len);
    }
    carry(w, 1);
    carry(w, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world w = {0};
    world_start(&w);
    struct reader r = reader_init(data, size);
    for (int i = 0; i < 64 && reader_left(&r) > 3; i++) {
        enum kind kind = read_u8(&r) % KINDS;
        size_t len = size_min(read_u16(&r) % (DATAGRAM_MAX + 1), reader_left(&r));
        const uint8_t *bytes = read_view(&r, len);
        if (bytes == NULL) break;
        act(&w, kind, bytes, len);
    }
    links_free(w.ends[0]);
    links_free(w.ends[1]);
    return 0;
}
