/* What links hold: little while idle, and no more than is on its way. */
#include <criterion/criterion.h>

#include "tests/unit/link/station.h"

#define SPOKES 30

/* The least and the mean over the next four seconds: PINGs go out and are answered meanwhile. */
static size_t least_memory(struct network *n, const struct station *s, size_t *ret_mean) {
    size_t least = SIZE_MAX, sum = 0;
    for (int i = 0; i < 400; i++) {
        stations_run(n, 10000);
        size_t now = links_memory(s->ls);
        least = size_min(least, now);
        sum += now;
    }
    if (ret_mean != NULL) *ret_mean = sum / 400;
    return least;
}

Test(memory, of_a_node_without_links_is_small) {
    struct pair *p = pair_new(1, NULL, NULL);
    cr_assert_leq(links_memory(p->a.ls), 1200, "%zu bytes", links_memory(p->a.ls));
    struct endpoint b = network_endpoint(p->n, 1);
    size_t before = links_memory(p->a.ls);
    links_ask_identity(p->a.ls, &b, network_now(p->n));
    cr_assert_gt(links_memory(p->a.ls), before);
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->a.identities, 1);
    cr_assert_eq(links_memory(p->a.ls), before, "nothing waits any more");
    pair_free(p);
}

Test(memory, of_idle_links_is_some_700_bytes_each) {
    static struct station spokes[SPOKES];
    static const struct network_path path = {.delay_us = 20000, .loss = 0.01};
    struct network *n = network_new(1, SPOKES + 1, &path);
    static struct station hub;
    cr_assert_eq(random_start(), 0);
    station_start(&hub, n, SPOKES, 1, NULL);
    size_t empty = links_memory(hub.ls);
    for (unsigned i = 0; i < SPOKES; i++) {
        station_start(&spokes[i], n, i, 1, NULL);
        cr_assert_not_null(station_dial(i % 2 ? &spokes[i] : &hub, i % 2 ? &hub : &spokes[i]));
        network_wake(n, i);
        network_wake(n, SPOKES);
    }
    stations_run(n, 10 * US_PER_S);
    cr_assert_eq(links_count(hub.ls, LINK_UP), SPOKES);
    size_t mean, least = (least_memory(n, &hub, &mean) - empty) / SPOKES;
    mean = (mean - empty) / SPOKES;
    cr_assert_leq(least, 740, "%zu bytes a link", least);
    cr_assert_leq(mean, 760, "%zu bytes a link", mean);
    for (unsigned i = 0; i < SPOKES; i++) station_stop(&spokes[i]);
    stations_run(n, LINK_OUTAGE_US + 5 * US_PER_S); /* its own network may be down */
    cr_assert_eq(links_count(hub.ls, LINK_UP), 0);
    cr_assert_leq(links_memory(hub.ls), empty + 3072, "the tables keep their size");
    station_stop(&hub);
    network_free(n);
}

Test(memory, follows_what_is_on_its_way) {
    struct pair *p = pair_linked(2, NULL);
    stations_run(p->n, US_PER_S);
    size_t idle = least_memory(p->n, &p->a, NULL), idle_b = least_memory(p->n, &p->b, NULL);
    for (unsigned i = 0; i < 40; i++)
        cr_assert_eq(station_message(&p->a, p->a.link, i, LINK_MESSAGE_MAX / 2), 0);
    cr_assert_geq(links_memory(p->a.ls), idle + 40 * LINK_MESSAGE_MAX / 2);
    network_wake(p->n, 0);
    stations_run(p->n, 3 * US_PER_S);
    cr_assert_eq(p->b.messages, 40);
    cr_assert_eq(least_memory(p->n, &p->a, NULL), idle);
    /* 2,000 cells a second: 40 ms of round trip, and 8 until they are acknowledged; at first a
     * backlog of them. */
    station_send_cells(&p->a, 2000 * STATION_CELL * 8);
    stations_run(p->n, 2 * US_PER_S);
    /* Even their acknowledgements are so many that a long window is due. */
    cr_assert_leq(links_memory(p->a.ls), idle + 512 * sizeof(struct sent) + sizeof(struct pace) +
                                             sizeof(struct replay_long));
    cr_assert_leq(links_memory(p->b.ls), idle_b + sizeof(struct replay_long) + 1024);
    station_send_cells(&p->a, 0);
    stations_run(p->n, LINK_PACE_IDLE_US + 70 * US_PER_S);
    cr_assert_eq(least_memory(p->n, &p->a, NULL), idle, "the pacer too is gone");
    cr_assert_eq(least_memory(p->n, &p->b, NULL), idle_b,
                 "and the long window, after 64 datagrams");
    pair_free(p);
}
