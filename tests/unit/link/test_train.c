/* What a path carries, from a train of datagrams. */
#include <criterion/criterion.h>

#include "core/base/err.h"
#include "tests/unit/link/station.h"

#define DATAGRAMS 16

static double carried_bps(const struct station *s) {
    const struct link_train *t = &s->train;
    return (double)(t->came - 1) * (double)t->bytes * 8e6 / (double)t->span_us;
}

Test(train, tells_what_the_path_carries) {
    for (uint64_t bps = 500000; bps <= 32000000; bps *= 4) {
        struct pair *p = pair_linked(
            1, &(struct network_path){.delay_us = 20000, .rate_bps = bps, .queue_us = US_PER_S});
        cr_assert_eq(link_send_train(p->a.link, DATAGRAMS, network_now(p->n)), 0);
        network_wake(p->n, 0);
        stations_run(p->n, US_PER_S);
        cr_assert_eq(p->a.trains, 1);
        cr_assert_eq(p->a.train.sent, DATAGRAMS);
        cr_assert_eq(p->a.train.came, DATAGRAMS);
        cr_assert_float_eq(carried_bps(&p->a) / (double)bps, 1, 0.05);
        cr_assert_eq(p->b.trains, 0);
        pair_free(p);
    }
}

Test(train, says_nothing_where_none_of_it_comes) {
    struct pair *p = pair_linked(2, NULL);
    cr_assert_eq(link_send_train(p->a.link, DATAGRAMS, network_now(p->n)), 0);
    network_set_path(p->n, 0, 1, &(struct network_path){.is_cut = true});
    network_wake(p->n, 0);
    stations_run(p->n, US_PER_S);
    cr_assert_eq(p->a.trains, 0);
    pair_free(p);
}

Test(train, is_not_sent_over_a_link_that_is_not_up) {
    struct pair *p = pair_new(3, NULL, NULL);
    struct link *l = station_dial(&p->a, &p->b);
    cr_assert_eq(link_send_train(l, DATAGRAMS, 0), ERR_STATE);
    pair_free(p);
}

static struct frame report(const struct train *t, uint8_t came) {
    struct frame f = {.type = FRAME_TRAIN_SEEN};
    f.train.id = t->id;
    f.train.datagrams = came;
    f.train.span_us = 1000;
    return f;
}

static void send_all(struct train *t) {
    uint8_t data[64];
    while (train_has_next(t)) {
        struct writer w = writer_init(data, sizeof data);
        train_write_next(t, &w);
        cr_assert_eq(writer_room(&w), 0);
    }
}

Test(train, believes_one_report_about_what_it_has_sent) {
    struct train t = {0};
    struct frame none = report(&t, 8);
    cr_assert_not(train_take_report(&t, &none), "nothing was sent");
    train_begin(&t, 8);
    struct frame early = report(&t, 8);
    cr_assert_not(train_take_report(&t, &early), "before all was sent");
    send_all(&t);
    struct frame more = report(&t, 9), lone = report(&t, 1), other = report(&t, 8),
                 good = report(&t, 7);
    other.train.id++;
    cr_assert_not(train_take_report(&t, &more), "more than were sent");
    cr_assert_not(train_take_report(&t, &lone), "one has no rate");
    cr_assert_not(train_take_report(&t, &other), "another train");
    cr_assert(train_take_report(&t, &good));
    cr_assert_not(train_take_report(&t, &good), "twice");
}

Test(train, is_reported_once_its_last_has_come) {
    struct train t = {0};
    uint8_t data[16];
    struct frame f = {.type = FRAME_TRAIN};
    f.train.id = 5;
    f.train.datagrams = 3;
    train_take(&t, &f, 1000);
    cr_assert_not(t.is_due);
    f.train.index = 2; /* the one between is lost */
    train_take(&t, &f, 5000);
    cr_assert(t.is_due);
    struct writer w = writer_init(data, sizeof data);
    train_write_report(&t, &w);
    cr_assert_not(t.is_due);
    struct reader r = reader_init(data, writer_len(&w));
    cr_assert_eq(frame_read(&r, &f), 0);
    cr_assert_eq(f.type, FRAME_TRAIN_SEEN);
    cr_assert_eq(f.train.id, 5);
    cr_assert_eq(f.train.datagrams, 2);
    cr_assert_eq(f.train.span_us, 4000);
}
