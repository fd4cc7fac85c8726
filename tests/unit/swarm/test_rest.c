/* What viewers do while the source cannot be heard, and when it is back. */
#include <criterion/criterion.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define VIEWERS 6
#define DELAY_US (20 * US_PER_MS)

static struct stage stage;
static struct origin source, second;
static struct actor *viewers[VIEWERS];

/* The source feeds two of them, who feed the others. */
static void start(void) {
    stage_init(&stage, 1, DELAY_US);
    struct broadcast b;
    broadcast_init(&b, 1, 7, false, STAGE_UTC_US);
    struct node_config config = {.role = ROLE_SOURCE, .max_upload_bps = 6000000};
    origin_start_on(&source, &stage, stage_node(&stage, 0, &b, &config), 7, false);
    broadcast_release(&b);
    for (unsigned i = 0; i < VIEWERS; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
        for (unsigned k = 0; k < i; k++) stage_introduce(viewers[k], viewers[i]);
    }
    stage_run(&stage, 10 * US_PER_S);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    origin_release(&second);
}

TestSuite(rest, .init = start, .fini = end);

static void set_cut_between(unsigned host, unsigned other, bool is_cut) {
    struct network_path path = {.delay_us = DELAY_US, .loss = is_cut};
    network_set_path(stage.network, host, other, &path);
    network_set_path(stage.network, other, host, &path);
}

static void set_cut(bool is_cut) {
    for (unsigned i = 0; i < VIEWERS; i++) set_cut_between(0, i + 1, is_cut);
}

static const struct stream *video(unsigned viewer) {
    return &viewers[viewer]->node->channels[0]->streams[0];
}

static const struct rest *rest(unsigned viewer) {
    return &viewers[viewer]->node->channels[0]->rest;
}

Test(rest, leaves_everything_as_it_is) {
    const struct neighbour *parents[VIEWERS][SUPPLIES];
    set_cut(true);
    stage_run(&stage, US_PER_S);
    for (unsigned i = 0; i < VIEWERS; i++) {
        cr_assert(rest(i)->is_on, "viewer %u", i);
        cr_assert_not(actor_stats(viewers[i]).on_air, "viewer %u", i);
        for (unsigned k = 0; k < SUPPLIES; k++) parents[i][k] = video(i)->supplies[k].parent;
    }
    stage_run(&stage, 9 * US_PER_S);
    set_cut(false);
    for (unsigned i = 0; i < VIEWERS; i++)
        for (unsigned k = 0; k < video(i)->substreams; k++) {
            cr_assert_not_null(parents[i][k], "viewer %u", i);
            cr_assert_eq(video(i)->supplies[k].parent, parents[i][k], "viewer %u", i);
        }
}

/* A probe in half a second finds that the network is back. Of 96 viewers,
 * over 16 seeds, 13 jump once more. */
Test(rest, ends_at_once_with_one_jump) {
    uint64_t skips = 0;
    set_cut(true);
    stage_run(&stage, 3 * US_PER_S); /* of whose end some may still come */
    uint32_t number = source.number;
    set_cut(false);
    stage_run(&stage, 1500 * US_PER_MS);
    for (unsigned i = 0; i < VIEWERS; i++) {
        cr_assert_not(rest(i)->is_on, "viewer %u", i);
        cr_assert(actor_stats(viewers[i]).on_air, "viewer %u", i);
        cr_assert_gt(viewers[i]->played[0].last, number, "viewer %u", i);
        cr_assert_geq(viewers[i]->played[0].last, source.number - 20, "viewer %u", i);
        skips += actor_stats(viewers[i]).skips;
    }
    cr_assert_geq(skips, 2 * VIEWERS, "one a track");
    cr_assert_leq(skips, 2 * VIEWERS + 2);
}

/* What parents owe still comes. */
Test(rest, fetches_little_of_what_all_lack) {
    set_cut(true);
    stage_run(&stage, 5 * US_PER_S);
    uint32_t number = source.number;
    set_cut(false);
    stage_run(&stage, 2 * US_PER_S);
    const struct window *all = &source.actor->node->channels[0]->streams[0].window;
    for (unsigned i = 0; i < VIEWERS; i++) {
        unsigned cells = 0, fetched = 0;
        for (uint32_t k = number - 140; k < number - 40; k++) {
            const struct chunk *chunk = window_chunk(&video(i)->window, k);
            cells += (unsigned)__builtin_popcountll(window_chunk(all, k)->all);
            fetched += chunk == NULL ? 0 : (unsigned)__builtin_popcountll(chunk->have);
        }
        cr_assert_lt(fetched, cells / 2, "viewer %u: %u of %u", i, fetched, cells);
        cr_assert_not_null(window_chunk(&video(i)->window, number + 40), "viewer %u", i);
    }
}

/* What of the next one has not come yet nobody has to leave out. */
Test(rest, of_one_broadcast_is_none_of_the_next) {
    set_cut(true);
    stage_run(&stage, 5 * US_PER_S);
    origin_stop(&source);
    origin_start_on(&second, &stage, source.actor, 8, false);
    set_cut(false);
    stage_run(&stage, 2 * US_PER_S);
    for (unsigned i = 0; i < VIEWERS; i++) {
        cr_assert_eq(rest(i)->seen_us, 0, "viewer %u", i);
        cr_assert_eq(video(i)->lacked_until, 0, "viewer %u", i);
        cr_assert_geq(viewers[i]->played[0].last, second.number - 10, "viewer %u", i);
    }
}

/* One whom nobody serves asks what others have, and hears of it at once. */
Test(rest, is_not_for_who_is_cut_off_alone) {
    set_cut_between(0, 1, true);
    uint64_t rested_us = 0;
    for (unsigned i = 0; i < 100; i++) {
        stage_run(&stage, 50 * US_PER_MS);
        rested_us += rest(0)->is_on ? 50 * US_PER_MS : 0;
    }
    cr_assert_leq(rested_us, 500 * US_PER_MS);
    cr_assert_geq(viewers[0]->played[0].last, source.number - 10);
}

/* Behind a router that lets nobody dial it: those whom it had links with have closed them. */
Test(rest, of_ones_own_network_ends_with_a_dial) {
    struct actor *a = stage_node(&stage, 20, &source.broadcast, NULL);
    set_cut_between(20, 0, true);
    for (unsigned i = 0; i < VIEWERS; i++) stage_introduce(a, viewers[i]);
    stage_run(&stage, 5 * US_PER_S);
    for (unsigned i = 0; i < VIEWERS; i++) set_cut_between(20, i + 1, true);
    stage_run(&stage, 10 * US_PER_S);
    for (unsigned i = 0; i < VIEWERS; i++) {
        sampler_remove(&viewers[i]->node->channels[0]->sampler, &a->identity.public);
        set_cut_between(20, i + 1, false);
    }
    stage_run(&stage, 3 * US_PER_S);
    cr_assert_geq(a->played[0].last, source.number - 10);
}

static unsigned haves(struct hostile_peer *p) { return (unsigned)hostile_count(p, MESSAGE_HAVE); }

/* The source may be gone for good. */
Test(rest, asks_ever_more_rarely) {
    struct hostile_peer *p = stage_hostile(&stage, 20);
    hostile_meet(p, viewers[0], &source.broadcast);
    stage_run(&stage, 3 * US_PER_S);
    origin_stop(&source);
    stage_run(&stage, 2 * US_PER_S);
    unsigned before = haves(p);
    stage_run(&stage, 6 * US_PER_S);
    cr_assert_geq(haves(p) - before, 10);
    before = haves(p);
    stage_run(&stage, 300 * US_PER_S);
    cr_assert_leq(haves(p) - before, 90);
}

Test(rest, of_another_is_ended_by_who_has_more) {
    struct hostile_peer *p = stage_hostile(&stage, 20);
    hostile_meet(p, viewers[0], &source.broadcast);
    stage_run(&stage, 3 * US_PER_S);
    unsigned before = haves(p), usual = 0, asked = 0;
    for (unsigned i = 0; i < 40; i++) {
        stage_run(&stage, 300 * US_PER_MS);
        usual = haves(p) - before;
    }
    before = haves(p);
    for (unsigned i = 0; i < 40; i++) {
        struct have m = {.broadcast = 7,
                         .held_len = 1,
                         .held = {{.track = 0, .newest = video(0)->window.newest - 60}}};
        cr_assert(hostile_send_have(p, &m));
        stage_run(&stage, 300 * US_PER_MS);
        asked = haves(p) - before;
    }
    cr_assert_lt(usual, 16);
    cr_assert_geq(asked, 40);
    cr_assert_leq(asked, 60);
}
