#include "tests/lib/hostile_peer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_of(const struct hostile_peer *p) { return network_now(p->network); }
static void wake(struct hostile_peer *p) {
    if (!p->is_inside) network_wake(p->network, p->host);
}

static void keep(struct hostile_peer *p, bool is_cell, const uint8_t *data, size_t len) {
    assert(p->kept_len < HOSTILE_KEPT_MAX);
    struct hostile_kept *k = &p->kept[p->kept_len++];
    *k = (struct hostile_kept){
        .at_us = now_of(p), .is_cell = is_cell, .len = len, .data = malloc(len)};
    assert(k->data != NULL);
    memcpy(k->data, data, len);
}

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    struct hostile_peer *p = owner;
    (void)now_us;
    p->opened++;
    if (p->link == NULL && !p->dials) p->link = link;
}

static void on_message(void *owner, struct link *link, const uint8_t *data, size_t len,
                       uint64_t now_us) {
    struct hostile_peer *p = owner;
    (void)now_us;
    if (link != p->link) return;
    keep(p, false, data, len);
    if (p->react != NULL) p->react(p, p->kept[p->kept_len - 1].data, len);
}

static void on_cell(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us) {
    struct hostile_peer *p = owner;
    (void)now_us;
    if (link == p->link) keep(p, true, data, len);
}

static void on_closed(void *owner, struct link *link, enum link_end end, uint64_t now_us) {
    struct hostile_peer *p = owner;
    (void)now_us;
    if (p->link != link) return;
    p->closed++;
    p->end = end;
    p->link = NULL;
}

static const struct link_handler handler = {
    .opened = on_opened,
    .message = on_message,
    .cell = on_cell,
    .closed = on_closed,
};

static void host_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct hostile_peer *p = context;
    p->is_inside = true;
    links_receive(p->links, d, now_us);
    p->is_inside = false;
}

static void host_expire(void *context, uint64_t now_us) {
    struct hostile_peer *p = context;
    p->is_inside = true;
    links_expire(p->links, now_us);
    p->is_inside = false;
}

static bool has_cells(const struct hostile_peer *p) {
    return p->link != NULL && p->cells_sent < p->cells_len && link_state(p->link) != LINK_DIALLING;
}

static uint64_t host_deadline(void *context) {
    const struct hostile_peer *p = context;
    uint64_t deadline_us = links_deadline(p->links);
    if (!has_cells(p)) return deadline_us;
    return u64_min(deadline_us, u64_max(link_cell_time(p->link), p->cells_retry_us));
}

static size_t host_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct hostile_peer *p = context;
    size_t len = links_transmit(p->links, ret, now_us);
    if (len > 0) return len;
    if (!has_cells(p) || link_cell_time(p->link) > now_us || p->cells_retry_us > now_us) return 0;
    if (link_begin(p->link, ret, now_us)) return 0;
    const struct hostile_cell *c = &p->cells[p->cells_sent];
    if (c->len > LINK_DATAGRAM_SIZE - LINK_OVERHEAD) {
        p->cells_sent++; /* no datagram carries it */
    } else if (link_room(p->link) < c->len) {
        p->cells_retry_us = now_us + US_PER_MS;
    } else {
        int err = link_add_cell(p->link, c->data, CELL_HEADER_BYTES, c->data + CELL_HEADER_BYTES,
                                c->len - CELL_HEADER_BYTES, 0);
        assert(err == 0);
        p->cells_sent++;
    }
    return link_finish(p->link, now_us);
}

void hostile_init(struct hostile_peer *p, uint64_t seed, struct network *network, unsigned host) {
    memset(p, 0, sizeof *p);
    p->network = network;
    p->host = host;
    uint8_t bytes[RANDOM_SEED_BYTES] = "hostile";
    memcpy(bytes + 16, &seed, sizeof seed);
    struct random random = random_from_seed(bytes);
    sign_key_generate(&p->identity, &random);
    p->kept = calloc(HOSTILE_KEPT_MAX, sizeof *p->kept);
    p->links = links_new(
        &(struct links_config){
            .identity = &p->identity, .random = random, .handler = &handler, .owner = p},
        now_of(p));
    assert(p->links != NULL && p->kept != NULL);
    network_attach(network, host,
                   &(struct network_host){.context = p,
                                          .receive = host_receive,
                                          .expire = host_expire,
                                          .deadline = host_deadline,
                                          .transmit = host_transmit});
}

void hostile_release(struct hostile_peer *p) {
    if (p->links == NULL) return;
    network_detach(p->network, p->host);
    hostile_forget(p);
    links_free(p->links);
    free(p->kept);
    free(p->cells);
    memset(p, 0, sizeof *p);
}

void hostile_dial(struct hostile_peer *p, const struct public_key *peer, unsigned host) {
    struct endpoint to = network_endpoint(p->network, host);
    p->dials = true;
    p->link = links_dial(p->links, peer, &to, now_of(p));
    assert(p->link != NULL);
}

bool hostile_is_up(const struct hostile_peer *p) {
    return p->link != NULL && link_state(p->link) == LINK_UP;
}

bool hostile_send(struct hostile_peer *p, const void *data, size_t len) {
    if (p->link == NULL || link_send_message(p->link, data, len, now_of(p)) != 0) return false;
    wake(p);
    return true;
}

bool hostile_send_unreliable(struct hostile_peer *p, const void *data, size_t len) {
    if (p->link == NULL || link_send_unreliable(p->link, data, len, 0, now_of(p)) != 0)
        return false;
    wake(p);
    return true;
}

#define X(name, NAME, type, fields)                                                                \
    bool hostile_send_##name(struct hostile_peer *p, const struct name *m) {                       \
        uint8_t buffer[MESSAGE_SIZE_MAX];                                                          \
        struct writer w = writer_init(buffer, sizeof buffer);                                      \
        name##_write(&w, m);                                                                       \
        assert(w.err == 0);                                                                        \
        return hostile_send(p, buffer, writer_len(&w));                                            \
    }
MESSAGE_LIST(X)
#undef X

void hostile_join(struct hostile_peer *p, const struct broadcast *b) {
    if (p->link == NULL) return;
    hostile_send_hello(p, &(struct hello){.channel = b->channel_key.public,
                                          .role = ROLE_VIEWER,
                                          .flags = PEER_UPLOADS,
                                          .broadcast = b->id,
                                          .manifest_version = b->manifest.version,
                                          .observed = *link_endpoint(p->link)});
    hostile_send_manifest_message(
        p, &(struct manifest_message){
               .manifest = {.data = b->manifest_bytes, .len = (uint16_t)b->manifest_len}});
}

void hostile_send_chunk_head(struct hostile_peer *p, const struct chunk *c) {
    uint8_t buffer[HEAD_SIZE_MAX + 8];
    struct writer w = writer_init(buffer, sizeof buffer);
    head_message_write(
        &w, &(struct head_message){.head = {.data = chunk_encoded(c), .len = c->encoded_len}});
    assert(w.err == 0);
    (void)hostile_send_unreliable(p, buffer, writer_len(&w));
}

void hostile_send_cell(struct hostile_peer *p, const struct cell *cell) {
    if (p->cells_len == p->cells_max) {
        p->cells_max = p->cells_max ? 2 * p->cells_max : 64;
        p->cells = realloc(p->cells, p->cells_max * sizeof *p->cells);
        assert(p->cells != NULL);
    }
    struct hostile_cell *c = &p->cells[p->cells_len++];
    assert(cell->len <= CELL_SIZE_MAX);
    c->len = CELL_HEADER_BYTES + (size_t)cell->len;
    cell_write_header(cell, c->data);
    memcpy(c->data + CELL_HEADER_BYTES, cell->payload, cell->len);
    wake(p);
}

void hostile_send_chunk_cell(struct hostile_peer *p, const struct chunk *c, uint32_t index,
                             uint8_t flip) {
    uint8_t payload[CELL_SIZE_MAX];
    uint32_t len = head_cell_len(c->head, index);
    memcpy(payload, chunk_cell(c, index), len);
    payload[len / 2] ^= flip;
    hostile_send_cell(p, &(struct cell){.track = c->head->track,
                                        .index = (uint8_t)index,
                                        .number = c->head->number,
                                        .head_tag = c->tag,
                                        .payload = payload,
                                        .len = (uint16_t)len});
}

void hostile_send_chunk(struct hostile_peer *p, const struct chunk *c) {
    hostile_send_chunk_head(p, c);
    for (uint32_t i = 0; i < head_cells(c->head); i++) hostile_send_chunk_cell(p, c, i, 0);
}

size_t hostile_count(const struct hostile_peer *p, enum message_type type) {
    size_t n = 0;
    for (size_t i = 0; i < p->kept_len; i++) n += !p->kept[i].is_cell && p->kept[i].data[0] == type;
    return n;
}

size_t hostile_count_cells(const struct hostile_peer *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->kept_len; i++) n += p->kept[i].is_cell;
    return n;
}

#define X(name, NAME, type, fields)                                                                \
    bool hostile_last_##name(const struct hostile_peer *p, struct name *ret) {                     \
        for (size_t i = p->kept_len; i-- > 0;)                                                     \
            if (!p->kept[i].is_cell && p->kept[i].data[0] == MESSAGE_##NAME)                       \
                return name##_read(p->kept[i].data, p->kept[i].len, ret) == 0;                     \
        return false;                                                                              \
    }
MESSAGE_LIST(X)
#undef X

void hostile_grants_all(struct hostile_peer *p, const uint8_t *data, size_t len) {
    struct subscribe m;
    if (subscribe_read(data, len, &m) != 0) return;
    (void)hostile_send_grant(p, &(struct grant){.track = m.track,
                                                .generation = m.generation,
                                                .revision = ++p->revision,
                                                .flags = m.flags & SUBSCRIBE_HEADS,
                                                .substreams = m.substreams});
}

void hostile_forget(struct hostile_peer *p) {
    for (size_t i = 0; i < p->kept_len; i++) free(p->kept[i].data);
    p->kept_len = 0;
}
