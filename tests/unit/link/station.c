#include "tests/unit/link/station.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint8_t byte_of(unsigned id, size_t at) { return (uint8_t)(id * 31 + at * 7 + at / 251); }

static void message_fill(uint8_t *data, unsigned id, size_t len) {
    for (size_t i = 0; i < len; i++) data[i] = byte_of(id, i);
    data[0] = 1;
    data[1] = (uint8_t)(id >> 8);
    data[2] = (uint8_t)id;
}

static void on_opened(void *owner, struct link *link, uint64_t now_us) {
    (void)now_us;
    struct station *s = owner;
    s->opened++;
    s->link = link;
    s->state_opened = link_state(link);
}

static void on_message(void *owner, struct link *link, const uint8_t *data, size_t len,
                       uint64_t now_us) {
    struct station *s = owner;
    s->messages++;
    s->message_bytes += len;
    if (len >= 3) {
        static uint8_t expected[LINK_MESSAGE_MAX];
        unsigned id = (unsigned)data[1] << 8 | data[2];
        message_fill(expected, id, len);
        if (id < STATION_IDS_MAX) s->seen[id]++;
        if (memcmp(expected, data, len) != 0) s->bad++;
    }
    if (s->on_message) s->on_message(s, link, now_us);
}

static void on_cell(void *owner, struct link *link, const uint8_t *data, size_t len,
                    uint64_t now_us) {
    (void)link;
    struct station *s = owner;
    s->cells++;
    s->cells_at_us[now_us / 100000 % ARRAY_LEN(s->cells_at_us)]++;
    if (len != 8 + STATION_CELL || data[0] != 0x80 || data[len - 1] != 0x5a) s->bad++;
}

static void on_lost(void *owner, struct link *link, uint64_t token, uint64_t now_us) {
    (void)link;
    struct station *s = owner;
    uint64_t sent_us = s->sent_at_us[token % ARRAY_LEN(s->sent_at_us)];
    if (s->lost < STATION_LOSSES_MAX) s->lost_after_us[s->lost] = now_us - sent_us;
    s->lost++;
    if (s->lost_tokens[token % sizeof s->lost_tokens]++) s->lost_twice++;
}

static void on_closed(void *owner, struct link *link, enum link_end end, uint64_t now_us) {
    (void)now_us;
    struct station *s = owner;
    s->closed++;
    s->end = end;
    s->ends[end]++;
    if (s->link == link) s->link = links_find(s->ls, link_peer(link));
}

static void on_identity(void *owner, const struct endpoint *from, const struct public_key *peer,
                        uint64_t now_us) {
    (void)from;
    (void)now_us;
    struct station *s = owner;
    s->identities++;
    s->identity = *peer;
}

static void on_train(void *owner, struct link *link, const struct link_train *train,
                     uint64_t now_us) {
    struct station *s = owner;
    (void)link, (void)now_us;
    s->trains++;
    s->train = *train;
}

static const struct link_handler handler = {.opened = on_opened,
                                            .train = on_train,
                                            .message = on_message,
                                            .cell = on_cell,
                                            .lost = on_lost,
                                            .closed = on_closed,
                                            .identity = on_identity};

static void host_receive(void *context, const struct datagram *d, uint64_t now_us) {
    struct station *s = context;
    links_receive(s->ls, d, now_us);
}

static void cells_make(struct station *s, uint64_t now_us) {
    if (s->cell_bps == 0) return;
    if (s->cell_bps == UINT64_MAX) {
        s->backlog = STATION_BACKLOG_MAX;
        return;
    }
    for (; s->cell_next_us <= now_us;
         s->cell_next_us += STATION_CELL * 8 * US_PER_S / s->cell_bps) {
        if (s->backlog == STATION_BACKLOG_MAX)
            s->dropped++;
        else
            s->backlog++;
    }
}

static void host_expire(void *context, uint64_t now_us) {
    struct station *s = context;
    s->wakes++;
    links_expire(s->ls, now_us);
    cells_make(s, now_us);
}

static uint64_t host_deadline(void *context) {
    struct station *s = context;
    uint64_t due_us = links_deadline(s->ls);
    if (s->cell_bps != 0 && s->cell_bps != UINT64_MAX) due_us = u64_min(due_us, s->cell_next_us);
    if (s->backlog > 0 && s->link != NULL) due_us = u64_min(due_us, link_cell_time(s->link));
    return due_us;
}

static size_t cell_transmit(struct station *s, struct datagram *ret, uint64_t now_us) {
    static const uint8_t payload[STATION_CELL] = {[STATION_CELL - 1] = 0x5a};
    static const uint8_t header[8] = {0x80};
    if (s->link == NULL || s->backlog == 0 || link_cell_time(s->link) > now_us) return 0;
    if (link_begin(s->link, ret, now_us) != 0) return 0;
    if (link_room(s->link) >= sizeof header + sizeof payload) {
        s->cells_sent++;
        s->sent_at_us[s->cells_sent % ARRAY_LEN(s->sent_at_us)] = now_us;
        int err =
            link_add_cell(s->link, header, sizeof header, payload, sizeof payload, s->cells_sent);
        assert(err == 0);
        s->backlog--;
    }
    return link_finish(s->link, now_us);
}

static size_t host_transmit(void *context, struct datagram *ret, uint64_t now_us) {
    struct station *s = context;
    if (s->cell_bps == UINT64_MAX) s->backlog = STATION_BACKLOG_MAX;
    size_t n = links_transmit(s->ls, ret, now_us);
    return n > 0 ? n : cell_transmit(s, ret, now_us);
}

void station_start(struct station *s, struct network *n, unsigned host, uint64_t seed,
                   const struct station_options *options) {
    memset(s, 0, sizeof *s);
    s->network = n;
    s->host = host;
    uint8_t bytes[32] = {1};
    store_u32(bytes + 4, host);
    store_u32(bytes + 8, (uint32_t)seed);
    sign_key_from_seed(&s->key, bytes);
    bytes[0] = 2;
    struct links_config config = {.identity = &s->key,
                                  .random = random_from_seed(bytes),
                                  .links_max = options ? options->links_max : 0,
                                  .handshakes_per_s = options ? options->handshakes_per_s : 0,
                                  .handler = &handler,
                                  .owner = s};
    s->ls = links_new(&config, network_now(n));
    cr_assert_not_null(s->ls);
    if (options && options->periods.bits) links_set_periods(s->ls, &options->periods);
    struct network_host h = {.context = s,
                             .receive = host_receive,
                             .expire = host_expire,
                             .deadline = host_deadline,
                             .transmit = host_transmit};
    network_attach(n, host, &h);
}

void station_stop(struct station *s) {
    network_detach(s->network, s->host);
    links_free(s->ls);
    s->ls = NULL;
    s->link = NULL;
}

struct link *station_dial(struct station *from, const struct station *to) {
    struct endpoint e = network_endpoint(from->network, to->host);
    return links_dial(from->ls, &to->key.public, &e, network_now(from->network));
}

int station_message(struct station *s, struct link *l, unsigned id, size_t len) {
    uint8_t data[LINK_MESSAGE_MAX];
    message_fill(data, id, len);
    return link_send_message(l, data, len, network_now(s->network));
}

void station_send_cells(struct station *s, uint64_t bps) {
    s->cell_bps = bps;
    s->cell_next_us = network_now(s->network);
    if (bps == 0) s->backlog = 0;
    cells_make(s, network_now(s->network));
    network_wake(s->network, s->host);
}

struct link_stats station_stats(const struct station *s) {
    struct link_stats stats;
    link_stats(s->link, &stats);
    return stats;
}

void stations_run(struct network *n, uint64_t us) {
    network_run(n, network_now(n) + us, NULL, NULL);
}

bool station_is_up(const struct station *s) {
    return s->link != NULL && link_state(s->link) == LINK_UP;
}

struct pair *pair_new(uint64_t seed, const struct network_path *path,
                      const struct station_options *options) {
    static const struct network_path usual = {.delay_us = 20000};
    cr_assert_eq(random_start(), 0);
    struct pair *p = calloc(1, sizeof *p);
    cr_assert_not_null(p);
    p->n = network_new(seed, 8, path ? path : &usual);
    stations_run(p->n, US_PER_S); /* time is not 0 anywhere */
    station_start(&p->a, p->n, 0, seed, options);
    station_start(&p->b, p->n, 1, seed, options);
    return p;
}

static bool is_linked(void *context) {
    struct pair *p = context;
    return station_is_up(&p->a) && station_is_up(&p->b);
}

struct pair *pair_linked(uint64_t seed, const struct network_path *path) {
    struct pair *p = pair_new(seed, path, NULL);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    cr_assert(network_run(p->n, network_now(p->n) + 5 * US_PER_S, is_linked, p));
    return p;
}

void pair_free(struct pair *p) {
    station_stop(&p->a);
    station_stop(&p->b);
    network_free(p->n);
    free(p);
}
