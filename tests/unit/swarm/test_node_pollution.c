/* What is not signed, not asked for or not of now is neither played nor passed on. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (20 * US_PER_MS)
#define CHUNKS 20

static struct stage stage;
static struct origin source, other;
static struct actor *viewer, *child;
static struct hostile_peer *hostile;

static void start(void) { stage_init(&stage, 1, DELAY_US); }

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    origin_release(&other);
}

TestSuite(node_pollution, .init = start, .fini = end);

/* A viewer that has its media from the hostile peer alone, and passes it on to a child. */
static void set_up_chain(uint64_t captured_us, bool has_utc) {
    origin_record(&source, 7, CHUNKS, captured_us);
    viewer = stage_node_as(&stage, 1, &source.broadcast, NULL, true, true, has_utc);
    child = stage_node(&stage, 3, &source.broadcast, NULL);
    hostile = stage_hostile(&stage, 2);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    stage_introduce(child, viewer);
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(actor_stats(viewer).parents, 1);
    cr_assert_eq(actor_stats(viewer).children, 1);
}

static void assert_refused_and_banned(int err) {
    stage_run(&stage, 100 * US_PER_MS);
    cr_assert_eq(viewer->bans, 1);
    cr_assert_eq(viewer->ban_err, err);
    cr_assert(public_key_equal(&viewer->banned, &hostile->identity.public));
    cr_assert_eq(hostile->closed, 1);
    cr_assert_eq(hostile->end, LINK_END_REMOTE);
    cr_assert_eq(actor_stats(viewer).peers_banned, 1);
    cr_assert_eq(child->bans, 0);
}

/* The peer that was banned is not let in again. */
static void assert_stays_away(void) {
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 4 * US_PER_S);
    cr_assert_eq(hostile->closed, 2);
    cr_assert_eq(actor_stats(viewer).neighbours, 1);
    struct node_stats stats;
    node_stats(viewer->node, &stats);
    cr_assert_eq(stats.links_up, 1);
}

Test(node_pollution, true_chunks_of_a_stranger_are_played_and_passed_on) {
    set_up_chain(STAGE_UTC_US, true);
    for (unsigned i = 0; i < CHUNKS; i++)
        for (unsigned t = 0; t < 2; t++) hostile_send_chunk(hostile, source.chunks[t][i]);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_eq(viewer->played[0].fragments, CHUNKS);
    cr_assert_eq(child->played[0].fragments, CHUNKS);
    cr_assert_eq(child->played[0].wrong, 0);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_pollution, a_cell_with_a_byte_flipped_is_refused_and_costs_the_link) {
    set_up_chain(STAGE_UTC_US, true);
    const struct chunk *c = source.chunks[0][0];
    hostile_send_chunk_head(hostile, c);
    hostile_send_chunk_cell(hostile, c, 0, 0);
    hostile_send_chunk_cell(hostile, c, 1, 1);
    hostile_send_chunk_cell(hostile, c, 2, 0);
    assert_refused_and_banned(ERR_HASH);
    cr_assert_eq(actor_stats(viewer).refused_cell, 1);
    cr_assert_eq(actor_stats(viewer).media_in, CELL_SIZE);
    /* The child has the cell that was true, and neither the flipped one nor what came behind. */
    cr_assert_eq(actor_stats(child).media_in, CELL_SIZE);
    cr_assert_eq(actor_stats(child).refused_cell, 0);
    cr_assert_eq(viewer->played[0].fragments, 0);
    assert_stays_away();
}

Test(node_pollution, a_flipped_cell_that_came_before_its_head_costs_the_link_too) {
    set_up_chain(STAGE_UTC_US, true);
    const struct chunk *c = source.chunks[0][0];
    hostile_send_chunk_cell(hostile, c, 0, 0x80);
    hostile_send_chunk_cell(hostile, c, 1, 0);
    stage_run(&stage, 5 * US_PER_MS + DELAY_US);
    hostile_send_chunk_head(hostile, c);
    assert_refused_and_banned(ERR_HASH);
    cr_assert_eq(actor_stats(viewer).refused_cell, 1);
    cr_assert_eq(actor_stats(child).media_in, 0);
    assert_stays_away();
}

Test(node_pollution, a_cell_of_another_length_costs_the_link) {
    set_up_chain(STAGE_UTC_US, true);
    const struct chunk *c = source.chunks[0][0];
    hostile_send_chunk_head(hostile, c);
    hostile_send_cell(hostile, &(struct cell){.index = 0,
                                              .number = c->head->number,
                                              .head_tag = c->tag,
                                              .payload = chunk_cell(c, 0),
                                              .len = CELL_SIZE - 1});
    assert_refused_and_banned(ERR_RANGE);
    cr_assert_eq(actor_stats(child).media_in, 0);
}

Test(node_pollution, a_head_signed_by_another_key_is_refused_and_costs_the_link) {
    set_up_chain(STAGE_UTC_US, true);
    origin_record(&other, 7, 1, STAGE_UTC_US);
    struct sign_key wrong;
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){9});
    sign_key_generate(&wrong, &random);
    struct head h = *other.chunks[0][0]->head;
    uint8_t encoded[HEAD_SIZE_MAX];
    int len = head_sign(&h, &wrong, encoded, sizeof encoded);
    cr_assert_gt(len, 0);
    struct chunk *c = chunk_new(NULL, &h, encoded, (size_t)len);
    hostile_send_chunk_head(hostile, c);
    chunk_unref(c);
    assert_refused_and_banned(ERR_SIGNATURE);
    cr_assert_eq(actor_stats(viewer).refused_head, 1);
    cr_assert_eq(viewer->node->channels[0]->streams[0].window.bytes, 0);
    assert_stays_away();
}

Test(node_pollution, a_head_with_any_bit_flipped_is_refused) {
    set_up_chain(STAGE_UTC_US, true);
    const struct chunk *c = source.chunks[0][0];
    for (size_t i = 0; i < c->encoded_len; i += 5) {
        uint8_t bytes[HEAD_SIZE_MAX];
        memcpy(bytes, chunk_encoded(c), c->encoded_len);
        bytes[i] ^= (uint8_t)(1 << i % 8);
        struct head h;
        if (head_decode(bytes, c->encoded_len, &h) != 0) continue;
        struct chunk *flipped = chunk_new(NULL, &h, bytes, c->encoded_len);
        if (hostile->link == NULL) {
            if (viewer->node->bans != NULL)
                memset(viewer->node->bans, 0, BANS_MAX * sizeof viewer->node->bans[0]);
            hostile_meet(hostile, viewer, &source.broadcast);
            stage_run(&stage, 1200 * US_PER_MS);
        }
        hostile_send_chunk_head(hostile, flipped);
        chunk_unref(flipped);
        stage_run(&stage, 100 * US_PER_MS);
        cr_assert_eq(viewer->node->channels[0]->streams[0].window.bytes, 0, "byte %zu", i);
    }
    cr_assert_gt(actor_stats(viewer).refused_head, 100);
}

Test(node_pollution, two_different_heads_by_the_true_key_ban_nobody) {
    set_up_chain(STAGE_UTC_US, true);
    other.video_len = 8000;
    origin_record(&other, 7, 1, STAGE_UTC_US);
    hostile_send_chunk_head(hostile, source.chunks[0][0]);
    hostile_send_chunk(hostile, other.chunks[0][0]);
    hostile_send_chunk(hostile, source.chunks[0][0]);
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(viewer->bans, 0);
    cr_assert_eq(hostile->closed, 0);
    cr_assert_gt(actor_stats(viewer).refused_equivocation, 0);
    cr_assert_eq(viewer->played[0].fragments, 1); /* the first one holds */
    cr_assert_eq(viewer->played[0].wrong, 0);
    cr_assert_eq(child->played[0].fragments, 1);
}

Test(node_pollution, an_old_broadcast_cannot_hold_a_peer_that_knows_the_newer_one) {
    origin_start(&source, &stage, 0, 7, false);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    origin_record(&other, 5, CHUNKS, STAGE_UTC_US);
    hostile = stage_hostile(&stage, 2);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &other.broadcast);
    stage_run(&stage, 200 * US_PER_MS);
    for (unsigned i = 0; i < CHUNKS; i++) hostile_send_chunk(hostile, other.chunks[0][i]);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(actor_stats(viewer).broadcast, 7);
    cr_assert_eq(viewer->broadcasts, 1);
    cr_assert_gt(actor_stats(viewer).refused_stale, 0);
    cr_assert_eq(viewer->played[0].wrong + viewer->played[0].skipped, 0);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
    /* And it was told of the newer one. */
    struct manifest_message m;
    cr_assert(hostile_last_manifest_message(hostile, &m));
    cr_assert_arr_eq(m.manifest.data, source.broadcast.manifest_bytes, m.manifest.len);
}

Test(node_pollution, a_newcomer_leaves_an_old_broadcast_when_it_meets_one_honest_peer) {
    origin_start(&source, &stage, 0, 7, false);
    origin_record(&other, 5, CHUNKS, STAGE_UTC_US);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    hostile = stage_hostile(&stage, 2);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &other.broadcast);
    stage_run(&stage, 200 * US_PER_MS);
    for (unsigned i = 0; i < CHUNKS; i++) hostile_send_chunk(hostile, other.chunks[0][i]);
    stage_run(&stage, 300 * US_PER_MS);
    cr_assert_eq(actor_stats(viewer).broadcast, 5);
    cr_assert_gt(viewer->played[0].fragments, 0);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(actor_stats(viewer).broadcast, 7);
    cr_assert_eq(viewer->broadcasts, 2);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
    cr_assert_eq(viewer->played[0].wrong, 0);
}

Test(node_pollution, a_broadcast_captured_an_hour_ago_is_refused_by_a_newcomer_with_a_clock) {
    set_up_chain(STAGE_UTC_US - 3600 * US_PER_S, true);
    for (unsigned i = 0; i < CHUNKS; i++) hostile_send_chunk(hostile, source.chunks[0][i]);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_geq(actor_stats(viewer).refused_stale, CHUNKS);
    cr_assert_eq(viewer->played[0].fragments, 0);
    cr_assert_not(actor_stats(viewer).on_air);
    cr_assert_eq(viewer->bans, 0);
    cr_assert_eq(actor_stats(child).media_in, 0);
}

Test(node_pollution, a_newcomer_without_a_clock_cannot_tell) {
    set_up_chain(STAGE_UTC_US - 3600 * US_PER_S, false);
    for (unsigned i = 0; i < CHUNKS; i++) hostile_send_chunk(hostile, source.chunks[0][i]);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_eq(viewer->played[0].fragments, CHUNKS);
}

Test(node_pollution, a_clock_that_is_minutes_off_is_said_and_does_not_stop_the_stream) {
    source.clock_error_us = 5 * 60 * (int64_t)US_PER_S;
    origin_start(&source, &stage, 0, 7, false);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(viewer->clocks, 1);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
}

/* A neighbour that says it does not upload is asked for nothing. */
static void meet_silently(void) {
    hostile = stage_hostile(&stage, 2);
    hostile_dial(hostile, &viewer->identity.public, viewer->host);
    hostile_send_hello(hostile, &(struct hello){.channel = source.broadcast.channel_key.public,
                                                .role = ROLE_VIEWER,
                                                .broadcast = 7,
                                                .manifest_version = 1});
    stage_run(&stage, 100 * US_PER_MS);
    cr_assert(hostile_is_up(hostile));
}

Test(node_pollution, heads_and_cells_that_nobody_asked_for_are_counted_and_not_kept) {
    origin_record(&source, 7, CHUNKS, STAGE_UTC_US);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    meet_silently();
    cr_assert_eq(node_manifest(viewer->node, 0), NULL);
    hostile_send_chunk(hostile, source.chunks[0][0]);
    hostile_send_manifest_message(
        hostile, &(struct manifest_message){.manifest = {source.broadcast.manifest_bytes,
                                                         (uint16_t)source.broadcast.manifest_len}});
    stage_run(&stage, 100 * US_PER_MS);
    uint64_t before = actor_stats(viewer).refused_unsolicited;
    cr_assert_gt(before, 0);
    for (unsigned i = 0; i < CHUNKS; i++) hostile_send_chunk(hostile, source.chunks[0][i]);
    stage_run(&stage, 300 * US_PER_MS);
    cr_assert_geq(actor_stats(viewer).refused_unsolicited, before + 8 * CHUNKS);
    const struct channel *c = viewer->node->channels[0];
    cr_assert_eq(c->streams[0].window.bytes, 0);
    cr_assert_not(c->streams[0].window.has_newest);
    cr_assert_eq(c->neighbours[0]->pending_len, 0);
    cr_assert_eq(viewer->played[0].fragments, 0);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_pollution, a_source_takes_no_media_from_anyone) {
    origin_start(&source, &stage, 0, 7, false);
    viewer = source.actor;
    meet_silently();
    uint32_t newest = viewer->node->channels[0]->streams[0].window.newest;
    origin_stop(&source);
    origin_record(&other, 7, newest + 20, STAGE_UTC_US);
    for (uint32_t i = 0; i < 20; i++) hostile_send_chunk(hostile, other.chunks[0][newest + i]);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_leq(viewer->node->channels[0]->streams[0].window.newest, newest + 1);
    cr_assert_gt(actor_stats(viewer).refused_unsolicited, 0);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_pollution, cells_without_a_head_are_bounded_and_their_head_is_asked_for) {
    set_up_chain(STAGE_UTC_US, true);
    uint64_t sent_us = stage_now(&stage);
    hostile_forget(hostile);
    unsigned sent = 0;
    for (unsigned i = 0; i < CHUNKS; i++)
        for (uint32_t k = 0; k < head_cells(source.chunks[0][i]->head); k++, sent++)
            hostile_send_chunk_cell(hostile, source.chunks[0][i], k, 0);
    stage_run(&stage, 500 * US_PER_MS);
    struct neighbour *nb = viewer->node->channels[0]->neighbours[0];
    cr_assert_eq(nb->pending_len, PENDING_CELLS_MAX);
    cr_assert_eq(actor_stats(viewer).cells_dropped, sent - PENDING_CELLS_MAX);
    cr_assert_eq(actor_stats(viewer).media_in, 0);
    cr_assert_eq(actor_stats(child).media_in, 0);
    struct request m;
    cr_assert(hostile_last_request(hostile, &m));
    cr_assert_eq(m.flags, REQUEST_HEAD);
    for (size_t i = 0; i < hostile->kept_len; i++)
        if (hostile->kept[i].data[0] == MESSAGE_REQUEST) {
            cr_assert_geq(hostile->kept[i].at_us, sent_us + 2 * DELAY_US + PENDING_WAIT_US);
            cr_assert_leq(hostile->kept[i].at_us,
                          sent_us + 2 * DELAY_US + PENDING_WAIT_US + TICK_IDLE_US);
            break;
        }
    stage_run(&stage, 3 * US_PER_S);
    cr_assert_eq(viewer->node->channels[0]->neighbours[0]->pending_len, 0);
}

Test(node_pollution, a_manifest_by_another_key_costs_the_link) {
    origin_start(&source, &stage, 0, 7, false);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 500 * US_PER_MS);
    struct broadcast forged;
    broadcast_init(&forged, 99, 1000, false, STAGE_UTC_US);
    forged.channel_key = source.broadcast.channel_key; /* in HELLO alone: the manifest is signed */
    hostile = stage_hostile(&stage, 2);
    hostile_meet(hostile, viewer, &forged);
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_eq(viewer->bans, 1);
    cr_assert_eq(viewer->ban_err, ERR_SIGNATURE);
    cr_assert_eq(actor_stats(viewer).broadcast, 7);
    cr_assert_eq(hostile->closed, 1);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
}

Test(node_pollution, an_expired_manifest_is_not_taken) {
    origin_record(&source, 7, 1, STAGE_UTC_US - 48 * 3600 * US_PER_S);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    hostile = stage_hostile(&stage, 2);
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_null(node_manifest(viewer->node, 0));
    cr_assert_eq(actor_stats(viewer).refused_stale, 1);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_pollution, an_old_head_does_not_bring_an_ended_broadcast_back) {
    origin_start(&source, &stage, 0, 7, false);
    stage_run(&stage, US_PER_S);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    hostile = stage_hostile(&stage, 2);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 2 * US_PER_S); /* it has left the hostile peer, and still takes its heads */
    origin_end(&source);
    stage_run(&stage, US_PER_S);
    cr_assert(actor_stats(viewer).ended);
    /* From before the viewer came: it has not got these heads. */
    size_t before = viewer->node->channels[0]->streams[0].window.bytes;
    hostile_send_chunk_head(hostile, source.chunks[0][0]);
    stage_run(&stage, 100 * US_PER_MS);
    cr_assert_gt(viewer->node->channels[0]->streams[0].window.bytes, before);
    cr_assert(actor_stats(viewer).ended);
    cr_assert_not(actor_stats(viewer).on_air);
    cr_assert_eq(viewer->ends, 1);
}
