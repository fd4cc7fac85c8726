/* A link's life after the handshake: silence, closing, moving, new keys, rest, and replaying. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/unit/link/station.h"

Test(link, sleeps_between_its_deadlines_while_idle) {
    struct pair *p = pair_linked(1, NULL);
    stations_run(p->n, 5 * US_PER_S);
    unsigned before = p->a.wakes + p->b.wakes;
    struct link_stats then = station_stats(&p->a);
    stations_run(p->n, 60 * US_PER_S);
    cr_assert(station_is_up(&p->a) && station_is_up(&p->b));
    unsigned wakes = p->a.wakes + p->b.wakes - before;
    cr_assert_lt(wakes, 2 * 60 * 5 / 2, "%u wakes of both in 60 s", wakes);
    struct link_stats now = station_stats(&p->a);
    cr_assert_lt(now.datagrams_out - then.datagrams_out, 90);
    pair_free(p);
}

Test(link, has_nothing_due_once_all_is_sent) {
    struct pair *p = pair_linked(2, NULL);
    station_send_cells(&p->a, 3000000);
    for (int i = 0; i < 2000; i++) {
        stations_run(p->n, 777);
        cr_assert_gt(links_deadline(p->a.ls), network_now(p->n));
        cr_assert_gt(links_deadline(p->b.ls), network_now(p->n));
    }
    pair_free(p);
}

Test(link, notices_at_both_ends_that_the_path_is_gone) {
    struct pair *p = pair_linked(3, NULL);
    stations_run(p->n, 3 * US_PER_S);
    struct network_path dead = {.loss = 1};
    network_set_path(p->n, 0, 1, &dead);
    network_set_path(p->n, 1, 0, &dead);
    stations_run(p->n, 2400000);
    cr_assert_eq(p->a.closed + p->b.closed, 0, "something came 1.5 s ago or later");
    stations_run(p->n, 1700000);
    cr_assert_eq(p->a.ends[LINK_END_TIMEOUT], 1);
    cr_assert_eq(p->b.ends[LINK_END_TIMEOUT], 1);
    pair_free(p);
}

/* Three stations: 0 has links with 1 and 2. */
struct trio {
    struct network *n;
    struct station at[3];
};

static struct trio *trio_linked(uint64_t seed) {
    cr_assert_eq(random_start(), 0);
    struct trio *t = calloc(1, sizeof *t);
    cr_assert_not_null(t);
    t->n = network_new(seed, 3, &(struct network_path){.delay_us = 20 * US_PER_MS});
    for (unsigned i = 0; i < 3; i++) station_start(&t->at[i], t->n, i, seed, NULL);
    for (unsigned i = 1; i < 3; i++) {
        cr_assert_not_null(station_dial(&t->at[i], &t->at[0]));
        network_wake(t->n, i);
    }
    stations_run(t->n, 3 * US_PER_S);
    return t;
}

static void trio_free(struct trio *t) {
    for (unsigned i = 0; i < 3; i++) station_stop(&t->at[i]);
    network_free(t->n);
    free(t);
}

/* Between station 0 and another. */
static void set_cut(struct trio *t, unsigned other, bool is_cut) {
    struct network_path path = {.delay_us = 20 * US_PER_MS, .loss = is_cut};
    network_set_path(t->n, 0, other, &path);
    network_set_path(t->n, other, 0, &path);
}

static void be_patient(struct station *s, uint64_t now_us) {
    link_set_patient(links_find(s->ls, link_peer(s->link)), true, now_us);
}

/* As a source and its viewers. */
Test(link, outlives_an_outage_of_ones_own_and_is_heard_at_once_after_it) {
    struct trio *t = trio_linked(5);
    for (unsigned i = 1; i < 3; i++) be_patient(&t->at[i], network_now(t->n));
    for (unsigned i = 1; i < 3; i++) set_cut(t, i, true);
    stations_run(t->n, 25 * US_PER_S);
    for (unsigned i = 1; i < 3; i++) set_cut(t, i, false);
    stations_run(t->n, 600 * US_PER_MS); /* a probe comes every half second */
    for (unsigned i = 0; i < 3; i++) cr_assert_eq(t->at[i].closed, 0, "station %u", i);
    for (unsigned i = 1; i < 3; i++)
        cr_assert_lt(network_now(t->n) - link_received_us(t->at[i].link), 600 * US_PER_MS);
    trio_free(t);
}

Test(link, does_not_wait_for_ever_for_anybody) {
    struct trio *t = trio_linked(6);
    for (unsigned i = 1; i < 3; i++) be_patient(&t->at[i], network_now(t->n));
    for (unsigned i = 1; i < 3; i++) set_cut(t, i, true);
    stations_run(t->n, LINK_OUTAGE_US + 2 * US_PER_S);
    cr_assert_eq(t->at[0].ends[LINK_END_TIMEOUT], 2);
    cr_assert_eq(t->at[1].ends[LINK_END_TIMEOUT], 1);
    trio_free(t);
}

/* Who went during the outage is not there after it. */
Test(link, ends_soon_after_an_outage_with_who_does_not_answer) {
    struct trio *t = trio_linked(7);
    be_patient(&t->at[1], network_now(t->n));
    for (unsigned i = 1; i < 3; i++) set_cut(t, i, true);
    stations_run(t->n, 10 * US_PER_S);
    cr_assert_eq(t->at[0].closed, 0);
    cr_assert_eq(t->at[2].ends[LINK_END_TIMEOUT], 1, "it is not patient");
    set_cut(t, 1, false);
    stations_run(t->n, 2 * US_PER_S);
    cr_assert_eq(t->at[0].ends[LINK_END_TIMEOUT], 1);
    cr_assert(station_is_up(&t->at[1]));
    trio_free(t);
}

Test(link, survives_outages_of_nearly_two_seconds) {
    struct pair *p = pair_linked(4, NULL);
    struct network_path usual = network_path(p->n, 0, 1), dead = {.loss = 1};
    for (int i = 0; i < 5; i++) {
        network_set_path(p->n, 0, 1, &dead);
        network_set_path(p->n, 1, 0, &dead);
        stations_run(p->n, 1900000);
        network_set_path(p->n, 0, 1, &usual);
        network_set_path(p->n, 1, 0, &usual);
        stations_run(p->n, 2 * US_PER_S);
        cr_assert(station_is_up(&p->a) && station_is_up(&p->b), "outage %d", i);
    }
    pair_free(p);
}

Test(link, tells_its_peer_when_it_is_closed) {
    struct pair *p = pair_linked(5, NULL);
    link_close(p->a.link, network_now(p->n));
    cr_assert_eq(p->a.ends[LINK_END_LOCAL], 1);
    cr_assert_null(links_find(p->a.ls, &p->b.key.public));
    network_wake(p->n, 0);
    stations_run(p->n, 20000);
    cr_assert_eq(p->b.ends[LINK_END_REMOTE], 1);
    pair_free(p);
}

static void close_at_once(struct station *s, struct link *l, uint64_t now_us) {
    link_close(l, now_us);
    cr_assert_eq(link_state(l), LINK_CLOSED, "readable until the call returns");
    cr_assert_eq(link_send_message(l, "x", 1, now_us), ERR_STATE);
    (void)s;
}

Test(link, may_be_closed_from_inside_of_its_handler) {
    struct pair *p = pair_linked(6, NULL);
    p->b.on_message = close_at_once;
    for (unsigned i = 0; i < 3; i++) cr_assert_eq(station_message(&p->a, p->a.link, i, 40), 0);
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->b.messages, 1, "none after the close");
    cr_assert_eq(p->a.ends[LINK_END_REMOTE], 1);
    pair_free(p);
}

Test(link, follows_a_peer_that_a_nat_has_moved) {
    struct pair *p = pair_linked(7, NULL);
    station_send_cells(&p->a, 2000000);
    stations_run(p->n, US_PER_S);
    struct endpoint moved = {.ip = {[10] = 0xff, 0xff, 203, 0, 113, 5}, .port = 4711};
    struct endpoint old = network_endpoint(p->n, 1);
    network_move(p->n, 1, &moved);
    cr_assert(endpoint_equal(link_endpoint(p->a.link), &old));
    /* B has to say something first; its next acknowledgement or probe does. */
    stations_run(p->n, 3 * US_PER_S);
    cr_assert(endpoint_equal(link_endpoint(p->a.link), &moved));
    unsigned before = p->b.cells;
    stations_run(p->n, US_PER_S);
    cr_assert_geq(p->b.cells, before + 200, "and cells arrive there");
    cr_assert_eq(p->a.closed + p->b.closed, 0);
    pair_free(p);
}

struct thief {
    struct pair *p;
    struct endpoint at;
    uint64_t bytes;
    unsigned copied;
};

/* Copies what A sends, to arrive earlier and from another address; counts what goes back. */
static bool steal(void *context, unsigned from, const struct datagram *d) {
    struct thief *t = context;
    if (endpoint_equal(&d->peer, &t->at)) t->bytes += d->len;
    if (from != 0 || d->data[0] != PACKET_DATA) return true;
    network_inject(t->p->n, &t->at, 1, d->data, d->len);
    t->copied += 1;
    return true;
}

Test(link, does_not_move_to_an_address_that_only_repeats) {
    struct pair *p = pair_linked(8, NULL);
    struct thief t = {.p = p, .at = {.ip = {[10] = 0xff, 0xff, 203, 0, 113, 6}, .port = 666}};
    station_send_cells(&p->b, 3000000);
    network_set_tap(p->n, steal, &t);
    stations_run(p->n, 3 * US_PER_S);
    struct endpoint a = network_endpoint(p->n, 0);
    cr_assert(endpoint_equal(link_endpoint(p->b.link), &a));
    cr_assert_gt(t.copied, 50);
    cr_assert_gt(t.bytes, 0, "it is challenged");
    cr_assert_lt(t.bytes, 3 * 100 * t.copied, "within the limit");
    cr_assert_geq(p->a.cells, 950, "and the link runs on");
    pair_free(p);
}

static struct pair *pair_rekeying(uint64_t seed, unsigned bits, uint64_t us, double loss) {
    struct station_options options = {.periods = {bits, us}};
    struct network_path path = {.delay_us = 20000, .jitter_us = 4000, .loss = loss};
    struct pair *p = pair_new(seed, &path, &options);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, 2 * US_PER_S);
    cr_assert(station_is_up(&p->a) && station_is_up(&p->b));
    return p;
}

Test(link, changes_keys_by_count_without_losing_a_datagram) {
    struct pair *p = pair_rekeying(9, 7, 1000 * US_PER_S, 0);
    station_send_cells(&p->a, 4000000);
    stations_run(p->n, 5 * US_PER_S);
    station_send_cells(&p->a, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_gt(session_highest(&p->b.link->session) >> 7, 10);
    cr_assert_eq(p->b.cells, p->a.cells_sent);
    struct links_stats stats;
    links_stats(p->b.ls, &stats);
    cr_assert_eq(stats.refused_seal + stats.refused_replay, 0, "though reordered across keys");
    pair_free(p);
}

Test(link, changes_keys_by_time_without_losing_a_datagram) {
    struct pair *p = pair_rekeying(10, 20, 500000, 0.01);
    station_send_cells(&p->a, 4000000);
    stations_run(p->n, 10 * US_PER_S);
    station_send_cells(&p->a, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_geq(session_highest(&p->b.link->session) >> 20, 15);
    struct links_stats stats;
    links_stats(p->b.ls, &stats);
    cr_assert_eq(stats.refused_seal + stats.refused_replay, 0);
    cr_assert_leq(p->b.cells + p->a.lost, p->a.cells_sent + p->a.cells_sent / 100);
    cr_assert_geq(p->b.cells + p->a.lost, p->a.cells_sent);
    cr_assert_eq(p->a.lost_twice, 0);
    pair_free(p);
}

Test(link, ends_when_its_peer_acknowledges_what_was_never_sent) {
    struct pair *p = pair_linked(11, NULL);
    struct datagram d;
    uint8_t data[DATAGRAM_MAX];
    d = (struct datagram){.data = data, .capacity = sizeof data};
    transmit_start(p->a.link, &d, link_endpoint(p->a.link));
    struct ack_frame f = {.largest = 1000000, .ranges_len = 1, .ranges = {{0, 1}}};
    frame_write_ack(&p->a.ls->build.w, &f);
    p->a.ls->build.has_other = true;
    cr_assert_gt(transmit_finish(p->a.link, network_now(p->n)), 0);
    d.peer = network_endpoint(p->n, 0);
    links_receive(p->b.ls, &d, network_now(p->n));
    cr_assert_eq(p->b.ends[LINK_END_PROTOCOL], 1);
    network_wake(p->n, 1);
    stations_run(p->n, 100000);
    cr_assert_eq(p->a.ends[LINK_END_REMOTE], 1);
    pair_free(p);
}

static uint64_t run_hash(uint64_t seed) {
    struct network_path path = {.delay_us = 30000, .jitter_us = 9000, .loss = 0.03};
    struct pair *p = pair_new(seed, &path, NULL);
    cr_assert_not_null(station_dial(&p->a, &p->b));
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    station_send_cells(&p->a, 3000000);
    for (unsigned i = 0; i < 50 && p->b.link; i++) {
        cr_assert_eq(station_message(&p->b, p->b.link, i, 30 + 80 * i), 0);
        network_wake(p->n, 1);
        stations_run(p->n, 60000);
    }
    uint64_t trace = network_trace(p->n);
    pair_free(p);
    return trace;
}

Test(link, gives_the_same_datagrams_for_the_same_seed) {
    for (uint64_t seed = 1; seed < 6; seed++) {
        uint64_t trace = run_hash(seed);
        cr_assert_eq(trace, run_hash(seed));
        cr_assert_neq(trace, run_hash(seed + 100));
    }
}

/* Who a hub's next datagram goes to, by the last byte of the address; 0 for none. */
static unsigned next_host(struct station *hub, uint64_t now_us) {
    uint8_t data[DATAGRAM_MAX];
    struct datagram d = {.data = data, .capacity = sizeof data};
    return links_transmit(hub->ls, &d, now_us) > 0 ? d.peer.ip[15] : 0;
}

Test(link, takes_turns_with_the_others_of_its_node) {
    struct pair *p = pair_linked(12, NULL);
    struct station third;
    station_start(&third, p->n, 2, 12, NULL);
    cr_assert_not_null(station_dial(&p->a, &third));
    network_wake(p->n, 0);
    stations_run(p->n, 500000);
    struct link *b = links_find(p->a.ls, &p->b.key.public);
    struct link *c = links_find(p->a.ls, &third.key.public);
    for (unsigned i = 0; i < 6; i++) cr_assert_eq(station_message(&p->a, b, i, 1000), 0);
    for (unsigned i = 0; i < 6; i++) cr_assert_eq(station_message(&p->a, c, i, 1000), 0);
    uint64_t now_us = network_now(p->n);
    cr_assert_leq(links_deadline(p->a.ls), now_us);
    unsigned first = next_host(&p->a, now_us);
    for (unsigned i = 1; i < 12; i++) {
        unsigned host = next_host(&p->a, now_us);
        cr_assert_eq(host == first, i % 2 == 0, "datagram %u", i);
    }
    cr_assert_eq(next_host(&p->a, now_us), 0);
    cr_assert_gt(links_deadline(p->a.ls), now_us);
    station_stop(&third);
    pair_free(p);
}

Test(link, keeps_its_state_small) {
    cr_assert_leq(sizeof(struct link), 688, "%zu bytes", sizeof(struct link));
}
