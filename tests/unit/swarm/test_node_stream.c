/* What a swarm of honest peers does: it plays what was published. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

#define DELAY_US (20 * US_PER_MS)

static struct stage stage;
static struct origin source, second;

static void start(void) { stage_init(&stage, 1, DELAY_US); }

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    origin_release(&second);
}

TestSuite(node_stream, .init = start, .fini = end);

static void assert_plays(const struct actor *a, uint32_t at_least) {
    for (unsigned t = 0; t < 2; t++) {
        const struct played *p = &a->played[t];
        cr_assert_geq(p->fragments, at_least, "host %u track %u: %u", a->host, t, p->fragments);
        cr_assert_eq(p->wrong, 0, "host %u track %u", a->host, t);
        cr_assert_eq(p->disordered, 0, "host %u track %u", a->host, t);
        cr_assert_eq(p->skipped, 0, "host %u track %u: %u", a->host, t, p->skipped);
    }
    cr_assert_eq(actor_stats(a).chunks_missed, 0, "host %u", a->host);
}

static void watch(bool is_private) {
    origin_start(&source, &stage, 0, 7, is_private);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 3 * US_PER_S);
    assert_plays(viewer, 80);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
    struct node_channel_stats stats = actor_stats(viewer);
    cr_assert(stats.on_air);
    cr_assert_eq(stats.duplicate_in, 0);
    cr_assert_eq(stats.parents, 1);
    cr_assert_eq(viewer->bans + source.actor->bans, 0);
}

Test(node_stream, a_viewer_plays_what_a_source_publishes_in_order_and_byte_equal) { watch(false); }
Test(node_stream, a_viewer_with_the_read_key_plays_a_private_channel) { watch(true); }

Test(node_stream, a_relay_without_the_read_key_passes_on_what_it_cannot_play) {
    origin_start(&source, &stage, 0, 7, true);
    struct node_config config = {.role = ROLE_RELAY, .max_upload_bps = NODE_UPLOAD_UNLIMITED};
    struct actor *relay = stage_node_as(&stage, 1, &source.broadcast, &config, false, false, true);
    struct actor *viewer = stage_node(&stage, 2, &source.broadcast, NULL);
    stage_introduce(relay, source.actor);
    /* The viewer hears of the source too, but cannot reach it. */
    network_set_path(stage.network, 2, 0, &(struct network_path){.loss = 1});
    stage_introduce(viewer, relay);
    stage_run(&stage, 3 * US_PER_S);
    assert_plays(viewer, 60);
    cr_assert_eq(relay->played[0].fragments, 0);
    cr_assert_gt(actor_stats(relay).media_out, 0);
}

static bool has_first_cell(void *context) { return actor_stats(context).media_in > 0; }

Test(node_stream, media_flows_one_round_trip_after_the_dial) {
    origin_start(&source, &stage, 0, 7, false);
    stage_run(&stage, US_PER_S);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    uint64_t dialled_us = stage_now(&stage);
    stage_introduce(viewer, source.actor);
    cr_assert(network_run(stage.network, dialled_us + US_PER_S, has_first_cell, viewer));
    uint64_t took_us = stage_now(&stage) - dialled_us;
    /* The tick that dials may come 1 ms later than the wish; nothing else adds to the round trip.
     */
    cr_assert_leq(took_us, 2 * DELAY_US + US_PER_MS, "after %llu us", (unsigned long long)took_us);
    cr_assert_not_null(node_manifest(viewer->node, 0));
}

Test(node_stream, many_viewers_serve_each_other) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewers[10];
    for (unsigned i = 0; i < 10; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
        stage_run(&stage, 200 * US_PER_MS);
    }
    stage_run(&stage, 8 * US_PER_S);
    uint64_t from_viewers = 0, in = 0;
    for (unsigned i = 0; i < 10; i++) {
        assert_plays(viewers[i], 240);
        from_viewers += actor_stats(viewers[i]).media_out;
        in += actor_stats(viewers[i]).media_in;
    }
    cr_assert_gt(from_viewers, in / 4, "viewers sent %llu of %llu",
                 (unsigned long long)from_viewers, (unsigned long long)in);
}

Test(node_stream, what_the_network_loses_is_repaired) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewers[4];
    for (unsigned i = 0; i < 4; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, 2 * US_PER_S);
    for (unsigned from = 0; from < 5; from++)
        for (unsigned to = 0; to < 5; to++)
            network_set_path(stage.network, from, to,
                             &(struct network_path){.delay_us = DELAY_US, .loss = 0.01});
    stage_run(&stage, 6 * US_PER_S);
    for (unsigned i = 0; i < 4; i++) assert_plays(viewers[i], 220);
}

Test(node_stream, a_viewer_that_may_not_upload_serves_nobody_and_still_watches) {
    origin_start(&source, &stage, 0, 7, false);
    struct node_config config = {.role = ROLE_VIEWER, .max_upload_bps = 0};
    struct actor *leech = stage_node(&stage, 1, &source.broadcast, &config);
    struct actor *viewer = stage_node(&stage, 2, &source.broadcast, NULL);
    stage_introduce(leech, source.actor);
    stage_introduce(viewer, source.actor);
    stage_introduce(viewer, leech);
    stage_run(&stage, 4 * US_PER_S);
    assert_plays(leech, 110);
    assert_plays(viewer, 110);
    cr_assert_eq(actor_stats(leech).media_out, 0);
    cr_assert_eq(actor_stats(leech).children, 0);
    cr_assert_eq(actor_stats(viewer).parents, 1);
}

/* 3 Mb/s through an uplink of 4 is a datagram every 2 ms; waking for each costs more than it. */
Test(node_stream, a_limited_uplink_sends_several_datagrams_at_a_time) {
    source.video_len = 12500;
    origin_start(&source, &stage, 0, 7, false);
    struct node_config config = {.role = ROLE_VIEWER, .max_upload_bps = 4000000};
    struct actor *relay = stage_node(&stage, 1, &source.broadcast, &config);
    struct actor *viewer = stage_node(&stage, 2, &source.broadcast, NULL);
    network_set_path(stage.network, 2, 0, &(struct network_path){.loss = 1});
    stage_introduce(relay, source.actor);
    stage_introduce(viewer, relay);
    stage_run(&stage, 2 * US_PER_S);
    uint64_t media = actor_stats(relay).media_out;
    unsigned before = relay->expiries;
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_gt(actor_stats(relay).media_out - media, 700000);
    cr_assert_leq(relay->expiries - before, 2 * 250, "%u", relay->expiries - before);
    assert_plays(viewer, 80);
}

Test(node_stream, a_signed_end_ends_it_for_everyone_and_nothing_is_missed) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewers[3];
    for (unsigned i = 0; i < 3; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, 3 * US_PER_S);
    origin_end(&source);
    stage_run(&stage, US_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        assert_plays(viewers[i], 85);
        cr_assert_eq(viewers[i]->ends, 1);
        cr_assert_eq(viewers[i]->played[0].ends, 1);
        cr_assert_eq(viewers[i]->played[1].ends, 1);
        cr_assert_eq(viewers[i]->played[0].last, source.number - 1);
        cr_assert(actor_stats(viewers[i]).ended);
        cr_assert_not(actor_stats(viewers[i]).on_air);
    }
}

Test(node_stream, a_source_that_comes_back_with_a_new_broadcast_takes_its_viewers_along) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewers[3];
    for (unsigned i = 0; i < 3; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, 2 * US_PER_S);
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    stage_run(&stage, US_PER_S);
    origin_start(&second, &stage, 0, 8, false);
    stage_introduce(viewers[0], second.actor);
    stage_run(&stage, 8 * US_PER_S);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(viewers[i]->broadcasts, 2, "host %u", i + 1);
        cr_assert_eq(actor_stats(viewers[i]).broadcast, 8);
        cr_assert_geq(viewers[i]->played[0].last, second.number - 5);
        cr_assert_eq(viewers[i]->played[0].wrong, 0);
        cr_assert_eq(viewers[i]->bans, 0);
    }
}

Test(node_stream, a_source_on_the_same_node_takes_its_viewers_along_to_a_new_broadcast) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 2 * US_PER_S);
    origin_stop(&source);
    origin_start_on(&second, &stage, source.actor, 8, false);
    stage_run(&stage, 2 * US_PER_S);
    cr_assert_eq(viewer->broadcasts, 2);
    cr_assert_geq(viewer->played[0].fragments, 50);
    cr_assert_eq(viewer->played[0].wrong, 0);
    cr_assert_eq(viewer->bans + source.actor->bans, 0);
}

Test(node_stream, a_killed_relay_costs_its_children_nothing) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewers[5];
    for (unsigned i = 0; i < 5; i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, 3 * US_PER_S);
    stage_kill(&stage, viewers[2]);
    stage_run(&stage, 5 * US_PER_S);
    for (unsigned i = 0; i < 5; i++)
        if (i != 2) assert_plays(viewers[i], 225);
}

Test(node_stream, a_node_that_leaves_says_goodbye) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    cr_assert_eq(actor_stats(source.actor).neighbours, 1);
    node_leave(viewer->node, stage_now(&stage));
    network_wake(stage.network, 1);
    stage_run(&stage, DELAY_US + US_PER_MS);
    cr_assert_eq(actor_stats(source.actor).neighbours, 0);
    cr_assert_eq(actor_stats(source.actor).children, 0);
    struct node_stats stats;
    node_stats(source.actor->node, &stats);
    cr_assert_eq(stats.links_up, 0);
}

Test(node_stream, two_viewers_do_not_feed_each_other_when_the_source_is_gone) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *a = stage_node(&stage, 1, &source.broadcast, NULL);
    struct actor *b = stage_node(&stage, 2, &source.broadcast, NULL);
    stage_introduce(a, source.actor);
    stage_introduce(b, source.actor);
    stage_introduce(a, b);
    stage_run(&stage, 3 * US_PER_S);
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    stage_run(&stage, 2 * US_PER_S);
    struct network_counts before, after;
    uint64_t media = actor_stats(a).media_out + actor_stats(b).media_out;
    network_counts(stage.network, &before);
    stage_run(&stage, 5 * US_PER_S);
    network_counts(stage.network, &after);
    cr_assert_eq(actor_stats(a).media_out + actor_stats(b).media_out, media);
    cr_assert_lt(after.bytes_sent - before.bytes_sent, 100000, "%llu bytes in 5 s",
                 (unsigned long long)(after.bytes_sent - before.bytes_sent));
}

Test(node_stream, memory_stays_below_its_bound_while_the_stream_goes_on) {
    /* 30 Mb/s against 3 MB of memory: less than a second's worth. */
    source.video_len = 60000;
    origin_start(&source, &stage, 0, 7, false);
    struct node_config config = {
        .role = ROLE_VIEWER, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .memory_max = 3u << 20};
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, &config);
    stage_introduce(viewer, source.actor);
    for (unsigned i = 0; i < 50; i++) {
        stage_run(&stage, 100 * US_PER_MS);
        if (viewer->manifests == 0) continue;
        size_t bytes = 0;
        for (size_t t = 0; t < 2; t++) bytes += viewer->node->channels[0]->streams[t].window.bytes;
        cr_assert_leq(bytes, 3u << 20);
        if (i > 15) cr_assert_gt(bytes, 2u << 20, "%zu", bytes);
    }
    assert_plays(viewer, 140);
}

static uint64_t run_once(uint64_t seed) {
    static struct stage s;
    static struct origin src;
    stage_init(&s, seed, DELAY_US);
    origin_start(&src, &s, 0, 7, false);
    for (unsigned i = 1; i <= 6; i++)
        stage_introduce(stage_node(&s, i, &src.broadcast, NULL), src.actor);
    for (unsigned from = 0; from <= 6; from++)
        network_set_path(s.network, from, from == 6 ? 0 : from + 1,
                         &(struct network_path){.delay_us = DELAY_US, .loss = 0.02});
    stage_run(&s, 3 * US_PER_S);
    uint64_t trace = network_trace(s.network);
    stage_release(&s);
    origin_release(&src);
    return trace;
}

Test(node_stream, the_same_seed_gives_the_same_datagrams) {
    uint64_t first = run_once(5);
    cr_assert_eq(run_once(5), first);
    cr_assert_neq(run_once(6), first);
}

Test(node_stream, events_that_nobody_takes_are_bounded_and_freed) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    viewer->holds_events = true;
    stage_introduce(viewer, source.actor);
    stage_run(&stage, 12 * US_PER_S);
    unsigned fragments = 0;
    uint32_t last = 0;
    struct node_event e;
    while (node_next_event(viewer->node, &e)) {
        if (e.type != NODE_EVENT_FRAGMENT) continue;
        fragments++;
        last = broadcast_number(e.fragment);
        cr_assert_eq(atomic_load(&e.fragment->references), 1);
        fragment_unref(e.fragment);
    }
    cr_assert_gt(fragments, 400);
    cr_assert_leq(fragments, 512);
    cr_assert_geq(last, source.number - 4); /* the newest are worth most */
}

Test(node_stream, a_child_that_vanished_does_not_keep_the_next_one_out) {
    origin_start(&source, &stage, 0, 7, false);
    struct actor *first = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(first, source.actor);
    stage_run(&stage, 3 * US_PER_S);
    stage_kill(&stage, first);
    stage_run(&stage, 1500 * US_PER_MS);
    struct actor *viewer = stage_node(&stage, 2, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    assert_plays(viewer, 15);
}

Test(node_stream, each_chunk_that_came_whole_is_told_once_to_an_owner_who_asked) {
    origin_start(&source, &stage, 0, 7, false);
    struct node_config config = {
        .role = ROLE_RELAY, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .tells_chunks = true};
    struct actor *teller = stage_node_as(&stage, 1, &source.broadcast, &config, false, false, true);
    teller->holds_events = source.actor->holds_events = true;
    source.actor->node->tells_chunks = true;
    stage_introduce(teller, source.actor);
    stage_run(&stage, 3 * US_PER_S);
    unsigned told[2] = {0}, random_access = 0;
    bool was_told[2][STAGE_CHUNKS_MAX] = {0};
    struct node_event e;
    while (node_next_event(teller->node, &e)) {
        if (e.type != NODE_EVENT_CHUNK) continue;
        const struct head *h = source.chunks[e.track][e.number]->head;
        cr_assert_eq(h->capture_us, e.capture_us);
        cr_assert_eq((h->flags & HEAD_RANDOM_ACCESS) != 0, e.random_access);
        cr_assert(!was_told[e.track][e.number]);
        was_told[e.track][e.number] = true;
        random_access += e.track == 0 && e.random_access;
        told[e.track]++;
    }
    cr_assert_gt(told[0], 60);
    cr_assert_gt(told[1], 60);
    cr_assert_geq(random_access, 2);
    while (node_next_event(source.actor->node, &e)) cr_assert_neq(e.type, NODE_EVENT_CHUNK);
}

/* 5 KB a frame: 10 s of it are in the window, and every neighbour has sent and taken. */
Test(node_stream, a_node_is_small_beside_its_chunks_and_links) {
    enum { NEIGHBOURS = 32, REST_MAX = 50 << 10, KNOWN_MAX = 12 << 10 };
    source.video_len = 5000;
    origin_start(&source, &stage, 0, 7, false);
    struct node_config config = {
        .role = ROLE_VIEWER, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .neighbours_max = NEIGHBOURS};
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, &config);
    stage_introduce(viewer, source.actor);
    for (unsigned i = 2; i <= NEIGHBOURS; i++) {
        struct actor *other = stage_node(&stage, i, &source.broadcast, NULL);
        stage_introduce(other, viewer);
        stage_introduce(other, source.actor);
    }
    stage_run(&stage, 12 * US_PER_S);
    cr_assert_eq(viewer->node->channels[0]->neighbours_len, NEIGHBOURS);
    struct node_memory memory = node_memory(viewer->node);
    size_t held = 0;
    for (size_t t = 0; t < viewer->node->channels[0]->streams_len; t++)
        held += viewer->node->channels[0]->streams[t].window.bytes;
    cr_assert_gt(held, 300 * 5000);
    cr_assert_leq(memory.chunks, held + KNOWN_MAX, "%zu", memory.chunks - held);
    cr_assert_gt(memory.rest, NEIGHBOURS * sizeof(struct neighbour));
    cr_assert_leq(memory.rest, REST_MAX, "%zu", memory.rest);
}
