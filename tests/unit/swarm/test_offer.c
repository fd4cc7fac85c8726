/* What neighbours choose their parents by: how late we say that we have each substream. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (20 * US_PER_MS)
#define HOP_LAGS 5         /* DELAY_US in LAG_UNIT_US; */
#define HEADS_LAGS_MOST 7  /* rounded, with HOP_US; */
#define CELLS_LAGS_MOST 12 /* and the time that a random access point of 36 KB takes to leave */

static struct stage stage;
static struct origin source;
static struct hostile_peer *hostile;

static void start(void) { stage_init(&stage, 1, DELAY_US); }

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
}

TestSuite(offer, .init = start, .fini = end);

static void meet(const struct actor *a) {
    if (hostile == NULL || hostile->links == NULL) hostile = stage_hostile(&stage, 9);
    hostile_meet(hostile, a, &source.broadcast);
    stage_run(&stage, 3 * US_PER_S);
}

/* The newest OFFER of this node. */
static struct offer offer_of(const struct actor *a) {
    struct offer m;
    meet(a);
    cr_assert(hostile_last_offer(hostile, &m));
    cr_assert_eq(m.broadcast, source.broadcast.id);
    return m;
}

static void assert_range(const struct track_lags *lags, unsigned i, unsigned least, unsigned most) {
    cr_assert_geq(lags->lags[i], least, "track %u, %u: %u", lags->track, i, lags->lags[i]);
    cr_assert_leq(lags->lags[i], most, "track %u, %u: %u", lags->track, i, lags->lags[i]);
}

static void assert_lags(const struct offer *m, unsigned least, unsigned most, unsigned heads_most) {
    cr_assert_eq(m->tracks_len, 2);
    cr_assert_eq(m->tracks[0].lags_len, 16 + 1);
    cr_assert_eq(m->tracks[1].lags_len, 2 + 1);
    for (unsigned t = 0; t < 2; t++) {
        unsigned heads = m->tracks[t].lags_len - 1u;
        for (unsigned i = 0; i < heads; i++) assert_range(&m->tracks[t], i, least, most);
        assert_range(&m->tracks[t], heads, least, heads_most);
    }
}

Test(offer, of_a_source_is_without_lag) {
    origin_start(&source, &stage, 0, 7, false);
    struct offer m = offer_of(source.actor);
    assert_lags(&m, 0, 0, 0);
    cr_assert_gt(m.spare, 0);
}

Test(offer, of_a_viewer_says_how_far_it_is_from_the_source) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    struct offer m = offer_of(viewer);
    assert_lags(&m, HOP_LAGS, CELLS_LAGS_MOST, HEADS_LAGS_MOST);
}

Test(offer, needs_no_clocks_that_agree) {
    source.clock_error_us = -5 * 60 * (int64_t)US_PER_S;
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node_as(&stage, 1, &source.broadcast, NULL, true, true, false);
    stage_introduce(viewer, source.actor);
    struct offer m = offer_of(viewer);
    assert_lags(&m, HOP_LAGS, CELLS_LAGS_MOST, HEADS_LAGS_MOST);
}

/* The time of its samples is no lag: who took it for one would look for a better parent for ever.
 */
Test(offer, of_sound_leaves_out_what_passes_before_it_is_published) {
    source.sound_us = 150 * US_PER_MS;
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    struct offer m = offer_of(viewer);
    assert_lags(&m, HOP_LAGS, CELLS_LAGS_MOST, HEADS_LAGS_MOST);
}

Test(offer, adds_up_what_each_hop_takes) {
    origin_start(&source, &stage, 0, 7, false);
    struct node_config relays = {.role = ROLE_VIEWER, .max_upload_bps = 50000000};
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, &relays);
    struct actor *child = stage_node(&stage, 2, &source.broadcast, NULL);
    network_set_path(stage.network, 2, 0, &(struct network_path){.loss = 1});
    stage_introduce(viewer, source.actor);
    stage_introduce(child, viewer);
    stage_run(&stage, 3 * US_PER_S);
    struct offer m = offer_of(child);
    assert_lags(&m, 2 * HOP_LAGS, 2 * CELLS_LAGS_MOST, 2 * HEADS_LAGS_MOST);
}

/* What it says itself would be believed in turn. */
Test(offer, does_not_take_the_word_of_one_parent_for_what_all_others_contradict) {
    origin_start(&source, &stage, 0, 7, false);
    struct node_config relays = {.role = ROLE_VIEWER, .max_upload_bps = 50000000};
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, &relays);
    struct actor *child = stage_node(&stage, 2, &source.broadcast, NULL);
    for (unsigned from = 0; from < 2; from++)
        network_set_path(stage.network, from, 1 - from,
                         &(struct network_path){.delay_us = 150 * US_PER_MS});
    network_set_path(stage.network, 2, 0, &(struct network_path){.loss = 1});
    stage_introduce(viewer, source.actor);
    stage_introduce(child, viewer);
    meet(child);
    struct channel *c = child->node->channels[0];
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned t = 0; t < 2; t++)
            c->streams[t].supplies[SUPPLY_HEADS].parent->streams[t].lags[SUPPLY_HEADS] = 1;
        stage_run(&stage, 3 * US_PER_MS);
    }
    struct offer m;
    cr_assert(hostile_last_offer(hostile, &m));
    for (unsigned i = 0; i < 16; i++) assert_range(&m.tracks[0], i, 7 * HOP_LAGS, 14 * HOP_LAGS);
}

Test(offer, names_nothing_that_has_no_parent) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    struct offer m = offer_of(viewer); /* it has the manifest from the hostile peer alone */
    assert_lags(&m, LAG_NONE, LAG_NONE, LAG_NONE);
}

Test(offer, comes_once_a_second_and_not_from_those_that_upload_nothing) {
    origin_start(&source, &stage, 0, 7, false);
    struct node_config leech = {.role = ROLE_VIEWER, .max_upload_bps = 0};
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    struct actor *silent = stage_node(&stage, 2, &source.broadcast, &leech);
    /* It has a parent: one that was silent would be probed with an OFFER. */
    stage_introduce(silent, source.actor);
    stage_run(&stage, US_PER_S);
    meet(silent);
    cr_assert_eq(hostile_count(hostile, MESSAGE_OFFER), 0);
    hostile_release(hostile);
    meet(viewer);
    cr_assert_geq(hostile_count(hostile, MESSAGE_OFFER), 2);
    cr_assert_leq(hostile_count(hostile, MESSAGE_OFFER), 4);
}

/* Eight renditions of sixteen substreams: the most that can be said. */
/* Both have one parent alone, which dies: who hears of it turns to others. */
Test(offer, says_at_once_what_has_dried_up) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *parent = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(parent, source.actor);
    struct actor *viewer = stage_node(&stage, 2, &source.broadcast, NULL);
    network_set_path(stage.network, 2, 0, &(struct network_path){.is_cut = true});
    network_set_path(stage.network, 0, 2, &(struct network_path){.is_cut = true});
    stage_introduce(viewer, parent);
    struct offer m = offer_of(viewer);
    cr_assert_neq(m.tracks[0].lags[3], LAG_NONE);
    uint64_t died_us = stage_now(&stage);
    network_detach(stage.network, 1);
    while (m.tracks[0].lags[3] != LAG_NONE && stage_now(&stage) < died_us + 2 * US_PER_S) {
        stage_run(&stage, 10 * US_PER_MS);
        cr_assert(hostile_last_offer(hostile, &m));
    }
    cr_assert_leq(stage_now(&stage), died_us + 500 * US_PER_MS);
}

Test(offer, of_every_track_and_substream_there_can_be_arrives_whole) {
    struct broadcast *b = &source.broadcast;
    broadcast_init(b, 1, 7, false, STAGE_UTC_US);
    for (; b->manifest.tracks_len < TRACKS_MAX; b->manifest.tracks_len++)
        b->manifest.tracks[b->manifest.tracks_len] = b->manifest.tracks[BROADCAST_VIDEO];
    b->manifest.tracks[BROADCAST_AUDIO] = b->manifest.tracks[BROADCAST_VIDEO];
    broadcast_sign(b);
    struct actor *viewer = stage_node(&stage, 1, b, NULL);
    struct offer m = offer_of(viewer);
    cr_assert_eq(m.tracks_len, TRACKS_MAX);
    for (unsigned t = 0; t < TRACKS_MAX; t++) cr_assert_eq(m.tracks[t].lags_len, 16 + 1);
}

/* The viewer's neighbour that is the hostile peer. */
static const struct neighbour *hostile_at(const struct actor *a) {
    return channel_neighbour(a->node->channels[0], &hostile->identity.public);
}

static struct offer all_early(void) {
    struct offer m = {.broadcast = 7,
                      .spare = 3,
                      .carried = 2,
                      .bar = 1,
                      .tracks_len = 2,
                      .tracks = {{.track = 0, .lags_len = 17}, {.track = 1, .lags_len = 3}}};
    for (unsigned i = 0; i < 17; i++) m.tracks[0].lags[i] = (uint8_t)(i + 1);
    m.tracks[1].lags[2] = 9;
    return m;
}

Test(offer, is_taken_with_all_that_it_says) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet(viewer);
    struct offer m = all_early();
    (void)hostile_send_offer(hostile, &m);
    stage_run(&stage, 2 * DELAY_US);
    const struct neighbour *nb = hostile_at(viewer);
    cr_assert(nb->has_offer && nb->streams[0].has_lags && nb->streams[1].has_lags);
    cr_assert_eq(nb->spare_bps, 3 * OFFER_UNIT_BPS);
    cr_assert_eq(nb->carried_bps, 2 * OFFER_UNIT_BPS);
    cr_assert_eq(nb->bar_bps, 1 * OFFER_UNIT_BPS);
    for (unsigned i = 0; i < 17; i++) cr_assert_eq(nb->streams[0].lags[i], i + 1);
    cr_assert_eq(nb->streams[1].lags[SUPPLY_HEADS], 9, "the heads come last");
}

Test(offer, of_another_broadcast_says_only_that) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet(viewer);
    struct offer m = all_early();
    m.broadcast = 6;
    (void)hostile_send_offer(hostile, &m);
    stage_run(&stage, 2 * DELAY_US);
    cr_assert_eq(hostile_at(viewer)->follows, 6);
    cr_assert_not(hostile_at(viewer)->has_offer);
    cr_assert_not(hostile_at(viewer)->streams[0].has_lags);
}

Test(offer, of_tracks_and_substreams_that_do_not_exist_is_left_out) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet(viewer);
    struct offer m = all_early();
    m.tracks[0].lags_len = 16;
    m.tracks[1].track = TRACKS_MAX - 1;
    (void)hostile_send_offer(hostile, &m);
    m.tracks[0].lags_len = 0;
    (void)hostile_send_offer(hostile, &m);
    stage_run(&stage, 2 * DELAY_US);
    const struct neighbour *nb = hostile_at(viewer);
    cr_assert(nb->has_offer, "the rest counts");
    cr_assert_not(nb->streams[0].has_lags);
    cr_assert_not(nb->streams[1].has_lags);
    cr_assert_eq(viewer->bans, 0);
}
