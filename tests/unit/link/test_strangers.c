/* What strangers send: forged, cut, flipped, repeated, too many, of another version. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/unit/link/station.h"

/* The datagrams of a run, by type, as the network saw them. */
struct tape {
    struct {
        uint8_t data[DATAGRAM_MAX];
        size_t len;
        unsigned from;
    } kept[64];
    unsigned len;
    uint8_t type;
};

static bool record(void *context, unsigned from, const struct datagram *d) {
    struct tape *t = context;
    if (d->data[0] == t->type && t->len < ARRAY_LEN(t->kept)) {
        memcpy(t->kept[t->len].data, d->data, d->len);
        t->kept[t->len].len = d->len;
        t->kept[t->len].from = from;
        t->len++;
    }
    return true;
}

static uint64_t refused(const struct station *s) {
    struct links_stats t;
    links_stats(s->ls, &t);
    return t.refused_format + t.refused_index + t.refused_seal + t.refused_replay + t.refused_mac +
           t.refused_handshake + t.refused_full;
}

static void feed(struct station *s, const struct endpoint *from, uint8_t *data, size_t len) {
    struct datagram d = {.peer = *from, .data = data, .len = len, .capacity = len};
    links_receive(s->ls, &d, network_now(s->network));
}

/* Feeds every truncation and every flip of one bit, and expects each to be refused. */
static void mangle(struct station *s, const struct endpoint *from, const uint8_t *data,
                   size_t len) {
    uint8_t copy[DATAGRAM_MAX];
    uint64_t before = refused(s);
    for (size_t cut = 0; cut < len; cut++) {
        memcpy(copy, data, len);
        feed(s, from, copy, cut);
        cr_assert_eq(refused(s), ++before, "cut to %zu", cut);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy(copy, data, len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        feed(s, from, copy, len);
        cr_assert_eq(refused(s), ++before, "bit %zu flipped", bit);
    }
}

static struct tape *tape_of(uint8_t type) {
    static struct tape tape;
    tape.len = 0;
    tape.type = type;
    return &tape;
}

Test(strangers, are_refused_with_any_cut_or_flipped_init) {
    struct pair *p = pair_new(1, NULL, NULL);
    struct tape *tape = tape_of(PACKET_INIT);
    network_set_tap(p->n, record, tape);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    cr_assert_eq(tape->len, 1);
    cr_assert_eq(tape->kept[0].len, LINK_DATAGRAM_SIZE);
    struct endpoint a = network_endpoint(p->n, 0);
    mangle(&p->b, &a, tape->kept[0].data, tape->kept[0].len);
    cr_assert_eq(p->b.opened, 0);
    stations_run(p->n, US_PER_S);
    cr_assert(station_is_up(&p->a), "the true one is taken after all");
    pair_free(p);
}

Test(strangers, are_refused_with_any_cut_or_flipped_response) {
    struct pair *p = pair_new(2, NULL, NULL);
    struct tape *tape = tape_of(PACKET_RESPONSE);
    network_set_tap(p->n, record, tape);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, 20000);
    cr_assert_eq(tape->len, 1);
    struct endpoint b = network_endpoint(p->n, 1);
    mangle(&p->a, &b, tape->kept[0].data, tape->kept[0].len);
    cr_assert_eq(p->a.opened, 0);
    stations_run(p->n, 20000);
    cr_assert_eq(p->a.opened, 1);
    pair_free(p);
}

Test(strangers, are_refused_with_any_cut_or_flipped_data_and_with_any_repetition) {
    struct pair *p = pair_linked(3, NULL);
    struct tape *tape = tape_of(PACKET_DATA);
    network_set_tap(p->n, record, tape);
    cr_assert_eq(station_message(&p->a, p->a.link, 1, 200), 0);
    network_wake(p->n, 0);
    cr_assert_eq(tape->len, 1);
    struct endpoint a = network_endpoint(p->n, 0);
    mangle(&p->b, &a, tape->kept[0].data, tape->kept[0].len);
    stations_run(p->n, 20000);
    cr_assert_eq(p->b.seen[1], 1);
    uint64_t before = refused(&p->b);
    feed(&p->b, &a, tape->kept[0].data, tape->kept[0].len);
    cr_assert_eq(refused(&p->b), before + 1);
    cr_assert_eq(p->b.seen[1], 1);
    cr_assert(station_is_up(&p->a) && station_is_up(&p->b));
    pair_free(p);
}

static struct endpoint elsewhere(unsigned host) {
    struct endpoint e = {.ip = {[10] = 0xff, 0xff, 192, 0, 2, (uint8_t)host}, .port = 4000};
    return e;
}

struct reflected {
    uint64_t bytes;
    struct endpoint to;
};

static bool count_reflected(void *context, unsigned from, const struct datagram *d) {
    struct reflected *r = context;
    (void)from;
    if (endpoint_equal(&d->peer, &r->to)) r->bytes += d->len;
    return true;
}

Test(strangers, who_repeat_an_init_gain_at_most_three_times_its_size) {
    struct pair *p = pair_new(4, NULL, NULL);
    struct tape *tape = tape_of(PACKET_INIT);
    network_set_tap(p->n, record, tape);
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_eq(station_message(&p->a, l, 1, 100), 0);
    network_wake(p->n, 0);
    struct reflected r = {.to = elsewhere(1)};
    network_set_tap(p->n, count_reflected, &r);
    /* Instead of the true sender's, the copy arrives; its link has a lot to say. */
    network_inject(p->n, &r.to, 1, tape->kept[0].data, tape->kept[0].len);
    stations_run(p->n, 1000);
    cr_assert_eq(p->b.opened, 1);
    for (unsigned i = 0; i < 20; i++) cr_assert_eq(station_message(&p->b, p->b.link, i, 1000), 0);
    station_send_cells(&p->b, UINT64_MAX);
    stations_run(p->n, 10 * US_PER_S);
    cr_assert_leq(r.bytes, 3 * LINK_DATAGRAM_SIZE);
    cr_assert_gt(r.bytes, 2 * LINK_DATAGRAM_SIZE, "it is answered, within the limit");
    pair_free(p);
}

Test(strangers, who_repeat_an_init_of_a_running_link_disturb_nothing) {
    struct pair *p = pair_new(5, NULL, NULL);
    struct tape *tape = tape_of(PACKET_INIT);
    network_set_tap(p->n, record, tape);
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_eq(station_message(&p->a, l, 1, 100), 0);
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    struct endpoint from = elsewhere(2);
    struct reflected r = {.to = from};
    network_set_tap(p->n, count_reflected, &r);
    for (int i = 0; i < 40; i++) { /* fewer than would cost a cookie */
        network_inject(p->n, &from, 1, tape->kept[0].data, tape->kept[0].len);
        stations_run(p->n, 10000);
    }
    cr_assert_eq(r.bytes, 0);
    cr_assert_eq(p->b.opened, 1);
    cr_assert_eq(p->b.seen[1], 1, "nor is its message delivered again");
    struct links_stats stats;
    links_stats(p->b.ls, &stats);
    cr_assert_eq(stats.refused_replay, 40);
    pair_free(p);
}

/* An INIT of an earlier session of the same peer is another matter: nobody can tell it from a
 * peer that has lost its state. */
Test(strangers, who_repeat_an_old_init_do_not_displace_the_proven_link) {
    struct pair *p = pair_new(6, NULL, NULL);
    struct tape *tape = tape_of(PACKET_INIT);
    network_set_tap(p->n, record, tape);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    link_close(p->a.link, network_now(p->n));
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->b.ends[LINK_END_REMOTE], 1);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    struct link *proven = p->b.link;
    struct endpoint from = elsewhere(3);
    struct reflected r = {.to = from};
    network_set_tap(p->n, count_reflected, &r);
    network_inject(p->n, &from, 1, tape->kept[0].data, tape->kept[0].len);
    stations_run(p->n, 1000);
    cr_assert_eq(links_find(p->b.ls, &p->a.key.public), proven, "it stays the one in use");
    stations_run(p->n, 6 * US_PER_S);
    cr_assert_leq(r.bytes, 3 * LINK_DATAGRAM_SIZE);
    cr_assert_eq(link_state(proven), LINK_UP);
    cr_assert_eq(links_count(p->b.ls, LINK_UNPROVEN), 0, "the half-open one is gone");
    cr_assert(station_is_up(&p->a));
    pair_free(p);
}

Test(strangers, cannot_hold_more_than_the_half_open_table) {
    struct station_options options = {.handshakes_per_s = 1000};
    struct pair *p = pair_new(7, NULL, &options);
    for (unsigned i = 0; i < 100; i++) {
        struct station other;
        station_start(&other, p->n, 2, 1000 + i, NULL);
        struct tape *tape = tape_of(PACKET_INIT);
        network_set_tap(p->n, record, tape);
        cr_assert_not_null(station_dial(&other, &p->b));
        network_wake(p->n, 2);
        station_stop(&other); /* never answers */
        stations_run(p->n, 25000);
        cr_assert_leq(links_count(p->b.ls, LINK_UNPROVEN), LINKS_HALF_OPEN_MAX);
    }
    cr_assert_eq(p->b.opened, 100);
    cr_assert_eq(links_count(p->b.ls, LINK_UNPROVEN), LINKS_HALF_OPEN_MAX);
    stations_run(p->n, 6 * US_PER_S);
    cr_assert_eq(p->b.closed, 100);
    pair_free(p);
}

Test(strangers, are_asked_for_a_cookie_when_there_are_many) {
    struct station_options options = {.handshakes_per_s = 1};
    struct pair *p = pair_new(8, NULL, &options);
    struct station others[4];
    for (unsigned i = 0; i < 4; i++) {
        station_start(&others[i], p->n, 2 + i, 8, NULL);
        cr_assert_not_null(station_dial(&others[i], &p->b));
        network_wake(p->n, 2 + i);
    }
    uint64_t start_us = network_now(p->n);
    network_run(p->n, start_us + 80000, NULL, NULL);
    struct links_stats stats;
    links_stats(p->b.ls, &stats);
    cr_assert_eq(stats.cookies_sent, 3);
    unsigned up = 0;
    for (unsigned i = 0; i < 4; i++) up += station_is_up(&others[i]);
    cr_assert_eq(up, 4, "two round trips with a cookie, not 250 ms");
    for (unsigned i = 0; i < 4; i++) station_stop(&others[i]);
    pair_free(p);
}

/* Changes the version of what A sends, and makes mac1 fit again. */
struct forgery {
    struct pair *p;
    unsigned changed;
};

static bool speak_other_version(void *context, unsigned from, const struct datagram *d) {
    struct forgery *f = context;
    if (from != 0 || d->data[0] != PACKET_INIT) return true;
    uint8_t copy[DATAGRAM_MAX];
    memcpy(copy, d->data, d->len);
    copy[1] = PROTOCOL_VERSION + 1;
    struct endpoint e = network_endpoint(f->p->n, 0);
    network_inject(f->p->n, &e, 1, copy, d->len);
    f->changed++;
    return false;
}

static bool keep_version(void *context, unsigned from, const struct datagram *d) {
    return record(context, from, d);
}

Test(strangers, of_another_version_get_an_answer_that_a_person_can_read) {
    struct pair *p = pair_new(9, NULL, NULL);
    struct forgery f = {.p = p};
    network_set_tap(p->n, speak_other_version, &f);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    struct tape *tape = tape_of(PACKET_VERSION);
    network_set_tap(p->n, keep_version, tape);
    stations_run(p->n, 100000);
    cr_assert_eq(f.changed, 1);
    cr_assert_eq(tape->len, 1);
    cr_assert_lt(tape->kept[0].len, LINK_DATAGRAM_SIZE);
    tape->kept[0].data[tape->kept[0].len] = 0;
    cr_assert_not_null(strstr((char *)tape->kept[0].data + PACKET_VERSION_HEADER, "version 3"));
    /* The dialler takes it only from one that speaks another version than it does itself. */
    cr_assert_eq(p->a.ends[LINK_END_VERSION], 0);
    tape->kept[0].data[1] = PROTOCOL_VERSION + 1;
    struct endpoint b = network_endpoint(p->n, 1);
    feed(&p->a, &b, tape->kept[0].data, tape->kept[0].len);
    cr_assert_eq(p->a.ends[LINK_END_VERSION], 1);
    pair_free(p);
}

Test(strangers, may_ask_who_is_there) {
    struct pair *p = pair_new(10, NULL, NULL);
    struct endpoint b = network_endpoint(p->n, 1);
    links_ask_identity(p->a.ls, &b, network_now(p->n));
    network_wake(p->n, 0);
    stations_run(p->n, 100000);
    cr_assert_eq(p->a.identities, 1);
    cr_assert(public_key_equal(&p->a.identity, &p->b.key.public));
    struct network_counts counts;
    network_counts(p->n, &counts);
    cr_assert_eq(counts.bytes_sent, PACKET_ASK_SIZE + PACKET_IDENTITY_SIZE);
    uint8_t unasked[PACKET_IDENTITY_SIZE] = {PACKET_IDENTITY, PROTOCOL_VERSION};
    feed(&p->a, &b, unasked, sizeof unasked);
    cr_assert_eq(p->a.identities, 1, "an answer that was not asked for is none");
    pair_free(p);
}

Test(strangers, with_a_million_random_datagrams_leave_a_running_session_unharmed) {
    struct pair *p = pair_linked(11, NULL);
    station_send_cells(&p->a, 2000000);
    struct rng rng = rng_init(11);
    uint8_t data[DATAGRAM_MAX];
    struct endpoint from = elsewhere(4);
    for (int i = 0; i < 1000000; i++) {
        size_t len = rng_below(&rng, i % 4 == 0 ? LINK_DATAGRAM_SIZE + 1 : 64);
        uint64_t word = rng_u64(&rng);
        for (size_t at = 0; at < len; at += 8) {
            memcpy(data + at, &word, size_min(8, len - at));
            word = word * 6364136223846793005ull + 1;
        }
        if (len > 0) data[0] = (uint8_t)(word % 9);
        if (len > 1 && i % 2) data[1] = PROTOCOL_VERSION;
        if (len > 5 && i % 3 == 0) store_u32(data + 1, p->b.link->index);
        if (i % 4 == 0) len = LINK_DATAGRAM_SIZE;
        feed(&p->b, &from, data, len);
        if (i % 1000 == 0) {
            network_wake(p->n, 1);
            stations_run(p->n, 2000);
        }
    }
    station_send_cells(&p->a, 0);
    stations_run(p->n, US_PER_S);
    cr_assert(station_is_up(&p->a) && station_is_up(&p->b));
    cr_assert_eq(p->b.cells, p->a.cells_sent, "not one was missed");
    cr_assert_eq(p->b.opened, 1);
    cr_assert_geq(refused(&p->b), 850000, "the rest asked who is there, or for a version");
    pair_free(p);
}
