/* Peers that promise, claim and withhold: the stream goes on while one peer is honest. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (20 * US_PER_MS)
#define LIE_PERIOD_US (50 * US_PER_MS)
#define BEHIND_MAX 30 /* fragments, a second: later is missed */

static struct stage stage;
static struct origin source;
static struct actor *viewer;
static struct hostile_peer *liar;

static void start(void) {
    stage_init(&stage, 1, DELAY_US);
    origin_start(&source, &stage, 0, 7, false);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
}

TestSuite(node_lies, .init = start, .fini = end);

static void meet_liar(void) {
    liar = stage_hostile(&stage, 2);
    liar->react = hostile_grants_all;
    hostile_meet(liar, viewer, &source.broadcast);
}

static void claim(uint32_t newest) {
    (void)hostile_send_have(
        liar, &(struct have){.broadcast = 7,
                             .held_len = 2,
                             .held = {{0, newest, UINT64_MAX}, {1, newest, UINT64_MAX}}});
}

static void assert_plays_on(uint32_t at_least) {
    for (unsigned t = 0; t < 2; t++) {
        cr_assert_geq(viewer->played[t].fragments, at_least, "track %u: %u", t,
                      viewer->played[t].fragments);
        cr_assert_eq(viewer->played[t].wrong + viewer->played[t].skipped, 0);
        cr_assert_geq(viewer->played[t].last, source.number - BEHIND_MAX, "%u of %u",
                      viewer->played[t].last, source.number);
    }
    cr_assert_eq(actor_stats(viewer).chunks_missed, 0);
}

static void claim_everything(void *context) {
    (void)context;
    claim(source.number);
    network_at(stage.network, stage_now(&stage) + LIE_PERIOD_US, claim_everything, NULL);
}

Test(node_lies, a_peer_that_claims_everything_and_gives_nothing_costs_no_chunk) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    struct actor *honest = stage_node(&stage, 3, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_introduce(honest, source.actor);
    meet_liar();
    claim_everything(NULL);
    stage_run(&stage, 2 * US_PER_S);
    for (unsigned from = 0; from < 4; from++)
        network_set_path(stage.network, from, 1,
                         &(struct network_path){.delay_us = DELAY_US, .loss = 0.01});
    stage_run(&stage, 10 * US_PER_S);
    assert_plays_on(350);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_lies, a_parent_that_grants_everything_and_sends_nothing_is_left) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet_liar();
    stage_run(&stage, US_PER_S);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 8 * US_PER_S);
    cr_assert_geq(viewer->played[0].fragments, 200);
    cr_assert_geq(viewer->played[0].last, source.number - 6);
    cr_assert_eq(viewer->played[0].wrong, 0);
}

static void repeat_old_head(void *context) {
    hostile_send_chunk_head(liar, source.chunks[0][0]);
    hostile_send_chunk_head(liar, source.chunks[1][0]);
    claim(source.number);
    network_at(stage.network, stage_now(&stage) + LIE_PERIOD_US, repeat_old_head, context);
}

Test(node_lies, a_parent_that_repeats_an_old_head_is_left) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet_liar();
    stage_run(&stage, 200 * US_PER_MS);
    for (unsigned t = 0; t < 2; t++) hostile_send_chunk(liar, source.chunks[t][0]);
    repeat_old_head(NULL);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_eq(viewer->played[0].fragments, 1);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 6 * US_PER_S);
    cr_assert_geq(viewer->played[0].last, source.number - 15, "%u of %u", viewer->played[0].last,
                  source.number);
    cr_assert_eq(viewer->bans, 0);
}

static void always_gap(struct hostile_peer *p, const uint8_t *data, size_t len) {
    hostile_grants_all(p, data, len);
    struct request m;
    if (request_read(data, len, &m) != 0) return;
    (void)hostile_send_gap(p,
                           &(struct gap){.track = m.track, .number = m.number, .cells = m.cells});
}

Test(node_lies, a_peer_that_always_says_gap_does_not_drive_the_viewer) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    meet_liar();
    liar->react = always_gap;
    claim_everything(NULL);
    stage_run(&stage, 6 * US_PER_S);
    assert_plays_on(150);
    cr_assert_lt(hostile_count(liar, MESSAGE_REQUEST), 6 * 200);
}

Test(node_lies, absurd_numbers_in_have_do_no_harm) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    meet_liar();
    stage_run(&stage, 500 * US_PER_MS);
    const uint32_t numbers[] = {UINT32_MAX, 0, UINT32_MAX - 63, 1u << 31, 64, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        claim(numbers[i]);
        stage_run(&stage, 500 * US_PER_MS);
    }
    (void)hostile_send_have(liar,
                            &(struct have){.broadcast = 7, .held_len = 1, .held = {{7, 5, 1}}});
    stage_run(&stage, 2 * US_PER_S);
    assert_plays_on(130);
    cr_assert_eq(viewer->bans, 0);
    cr_assert_lt(viewer->node->channels[0]->streams[0].window.newest, 1000);
}

Test(node_lies, a_grant_of_what_was_never_asked_changes_nothing) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    liar = stage_hostile(&stage, 2);
    hostile_meet(liar, viewer, &source.broadcast);
    stage_run(&stage, US_PER_S);
    for (uint16_t generation = 0; generation < 40; generation++)
        for (uint8_t track = 0; track < TRACKS_MAX; track++)
            (void)hostile_send_grant(
                liar, &(struct grant){.track = track,
                                      .generation = generation,
                                      .revision = (uint16_t)(generation * 1000),
                                      .flags = SUBSCRIBE_HEADS,
                                      .substreams = (1u << SUBSTREAMS_MAX) - 1,
                                      .excess = UINT32_MAX,
                                      .from = generation % 2 ? UINT32_MAX - 1 : 0,
                                      .ancestry_len = 1,
                                      .ancestry = {{.substreams = 0xffff, .ids_len = 16}}});
    stage_run(&stage, 3 * US_PER_S);
    assert_plays_on(110);
    for (unsigned i = 0; i < viewer->node->channels[0]->neighbours_len; i++) {
        const struct neighbour *nb = viewer->node->channels[0]->neighbours[i];
        if (nb->role == ROLE_SOURCE) continue;
        for (size_t t = 0; t < nb->streams_len; t++)
            cr_assert_eq(nb->streams[t].granted & ~nb->streams[t].asked, 0);
    }
}

static uint32_t hostile_from;

static void grants_from(struct hostile_peer *p, const uint8_t *data, size_t len) {
    struct subscribe m;
    if (subscribe_read(data, len, &m) != 0) return;
    (void)hostile_send_grant(p, &(struct grant){.track = m.track,
                                                .generation = m.generation,
                                                .revision = ++p->revision,
                                                .flags = m.flags & SUBSCRIBE_HEADS,
                                                .substreams = m.substreams,
                                                .from = hostile_from});
}

Test(node_lies, a_hostile_from_cannot_make_a_viewer_stall) {
    stage_run(&stage, 3 * US_PER_S);
    const uint32_t from[] = {
        0, 1, source.number - 60, source.number, source.number + 50, UINT32_MAX - 1, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
        viewer = stage_node(&stage, 10 + i, &source.broadcast, NULL);
        liar = stage_hostile(&stage, 20 + i);
        liar->react = grants_from;
        hostile_from = from[i];
        hostile_meet(liar, viewer, &source.broadcast);
        stage_run(&stage, 200 * US_PER_MS);
        /* Media at last, so that the viewer starts by what was said. */
        for (unsigned t = 0; t < 2; t++)
            hostile_send_chunk(liar, source.chunks[t][source.number - 2]);
        stage_run(&stage, 100 * US_PER_MS);
        stage_introduce(viewer, source.actor);
        /* More than a second of it for the liar: it lives, and could be short of media itself. */
        stage_run(&stage, 4 * US_PER_S);
        for (unsigned t = 0; t < 2; t++) {
            cr_assert_geq(viewer->played[t].last, source.number - 6, "from %u track %u: %u of %u",
                          from[i], t, viewer->played[t].last, source.number);
            cr_assert_geq(viewer->played[t].fragments, 70, "from %u", from[i]);
        }
        hostile_release(liar);
        stage_kill(&stage, viewer);
    }
}

/* A parent that says it stands below its child: the child would feed itself. */
static void grants_in_a_loop(struct hostile_peer *p, const uint8_t *data, size_t len) {
    struct subscribe m;
    if (subscribe_read(data, len, &m) != 0) return;
    (void)hostile_send_grant(
        p, &(struct grant){.track = m.track,
                           .generation = m.generation,
                           .revision = ++p->revision,
                           .flags = m.flags & SUBSCRIBE_HEADS,
                           .substreams = m.substreams,
                           .ancestry_len = 1,
                           .ancestry = {{.substreams = m.substreams,
                                         .ids_len = 2,
                                         .ids = {load_u32(p->identity.public.bytes),
                                                 load_u32(viewer->identity.public.bytes)}}}});
}

Test(node_lies, a_parent_below_its_child_is_left_at_once) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    liar = stage_hostile(&stage, 2);
    liar->react = grants_in_a_loop;
    hostile_meet(liar, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    claim(source.number);
    stage_run(&stage, 3 * US_PER_S);
    const struct neighbour *nb = viewer->node->channels[0]->neighbours[0];
    cr_assert_eq(nb->streams[0].granted, 0);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 6 * US_PER_S);
    cr_assert_geq(viewer->played[0].last, source.number - 6, "played %u of %u",
                  viewer->played[0].last, source.number);
}

/* It has all early, and room for it. */
static void offer_everything(void *context) {
    struct offer m = {.broadcast = 7, .spare = UINT16_MAX, .tracks_len = 2};
    for (uint8_t track = 0; track < 2; track++) {
        const struct stream *s = &viewer->node->channels[0]->streams[track];
        m.tracks[track] = (struct track_lags){.track = track, .lags_len = s->substreams + 1};
        memset(m.tracks[track].lags, 1, s->substreams + 1);
    }
    (void)hostile_send_offer(liar, &m);
    network_at(stage.network, stage_now(&stage) + US_PER_S, offer_everything, context);
}

/* Grants only what it is told to, when it is told to. */
static struct subscribe asked;

static void remembers(struct hostile_peer *p, const uint8_t *data, size_t len) {
    struct subscribe m;
    (void)p;
    if (subscribe_read(data, len, &m) == 0 && m.track == 0) asked = m;
}

static bool is_asked(void *context) {
    (void)context;
    return asked.substreams != 0 || asked.flags & SUBSCRIBE_HEADS;
}

Test(node_lies, a_grant_of_the_next_parent_may_come_when_the_first_one_is_gone) {
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    network_set_path(stage.network, 0, 1, &(struct network_path){.delay_us = 10 * DELAY_US});
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    liar = stage_hostile(&stage, 2);
    liar->react = remembers;
    hostile_meet(liar, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    offer_everything(NULL);
    memset(&asked, 0, sizeof asked);
    /* A move from the source, which is far, to the liar begins ... */
    cr_assert(network_run(stage.network, stage_now(&stage) + 8 * US_PER_S, is_asked, NULL));
    /* ... the source goes before it is granted. */
    origin_stop(&source);
    node_leave(source.actor->node, stage_now(&stage));
    network_wake(stage.network, 0);
    stage_run(&stage, 12 * DELAY_US);
    cr_assert_eq(actor_stats(viewer).neighbours, 1);
    (void)hostile_send_grant(liar, &(struct grant){.track = 0,
                                                   .generation = asked.generation,
                                                   .revision = 1,
                                                   .flags = asked.flags & SUBSCRIBE_HEADS,
                                                   .substreams = asked.substreams});
    stage_run(&stage, 3 * DELAY_US);
    cr_assert_eq(actor_stats(viewer).parents, 1);
}
