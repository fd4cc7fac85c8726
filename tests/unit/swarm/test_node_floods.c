/* What a peer can fill has a bound, and what it must not send ends its link. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"
#include "tests/lib/message_fill.h"
#include "tests/lib/stage.h"

#define DELAY_US (5 * US_PER_MS)

static struct stage stage;
static struct origin source, other;
static struct actor *viewer;
static struct hostile_peer *hostile;

static void start(void) {
    stage_init(&stage, 1, DELAY_US);
    origin_start(&source, &stage, 0, 7, false);
    viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    stage_introduce(viewer, source.actor);
    stage_run(&stage, US_PER_S);
    hostile = stage_hostile(&stage, 2);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    origin_release(&other);
}

TestSuite(node_floods, .init = start, .fini = end);

static void assert_viewer_is_well(void) {
    stage_run(&stage, US_PER_S);
    cr_assert_geq(viewer->played[0].last, source.number - 4);
    cr_assert_eq(viewer->played[0].skipped + viewer->played[0].wrong, 0);
    cr_assert_eq(actor_stats(viewer).chunks_missed, 0);
}

Test(node_floods, requests_beyond_the_budget_are_not_answered) {
    hostile_meet(hostile, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    uint64_t start_us = stage_now(&stage);
    for (unsigned i = 0; i < 400; i++) {
        for (unsigned k = 0; k < 5; k++)
            (void)hostile_send_request(hostile, &(struct request){.track = 0,
                                                                  .number = source.number - 5 - k,
                                                                  .cells = UINT64_MAX,
                                                                  .flags = REQUEST_HEAD});
        stage_run(&stage, 10 * US_PER_MS);
    }
    uint64_t ran_s = (stage_now(&stage) - start_us) / US_PER_S + 1;
    size_t answered = hostile_count_cells(hostile);
    cr_assert_gt(answered, 0);
    cr_assert_leq(answered, REQUESTS_BURST + ran_s * REQUESTS_PER_S);
    cr_assert_eq(source.actor->bans, 0);
    assert_viewer_is_well();
}

Test(node_floods, a_request_for_what_is_not_there_is_answered_with_a_gap) {
    hostile_meet(hostile, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    const uint32_t numbers[] = {UINT32_MAX, 1u << 31, 100000};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)hostile_send_request(hostile, &(struct request){.number = numbers[i], .cells = 0xff});
        stage_run(&stage, 50 * US_PER_MS);
        struct gap gap;
        cr_assert(hostile_last_gap(hostile, &gap));
        cr_assert_eq(gap.number, numbers[i]);
        cr_assert_eq(gap.cells, 0xff);
    }
    cr_assert_eq(hostile_count_cells(hostile), 0);
}

Test(node_floods, what_is_cancelled_is_not_sent) {
    hostile_meet(hostile, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    /* Both in one datagram: the queue is emptied only after it. */
    uint8_t buffer[64];
    struct writer w = writer_init(buffer, sizeof buffer);
    uint32_t number = source.number - 3;
    request_write(&w, &(struct request){.number = number, .cells = 0xf});
    size_t request_len = writer_len(&w);
    cancel_write(&w, &(struct cancel){.number = number, .cells = 0x7});
    cr_assert_eq(link_send_message(hostile->link, buffer, request_len, stage_now(&stage)), 0);
    cr_assert(hostile_send(hostile, buffer + request_len, writer_len(&w) - request_len));
    stage_run(&stage, 100 * US_PER_MS);
    cr_assert_eq(hostile_count_cells(hostile), 1);
}

Test(node_floods, subscriptions_over_and_over_fill_no_more_than_their_queues) {
    hostile_meet(hostile, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    for (uint16_t i = 1; i < 1000; i++) {
        (void)hostile_send_subscribe(hostile,
                                     &(struct subscribe){.track = i / 2 % 2,
                                                         .generation = i,
                                                         .flags = SUBSCRIBE_HEADS,
                                                         .substreams = i % 4 < 2 ? 0xffff : 0,
                                                         .from = i % 3 ? 0 : FROM_RANDOM_ACCESS});
        stage_run(&stage, 2 * US_PER_MS);
        const struct channel *c = source.actor->node->channels[0];
        for (size_t k = 0; k < c->neighbours_len; k++)
            for (unsigned class = 0; class < SEND_CLASSES; class ++)
                cr_assert_leq(send_queue_len(&c->neighbours[k]->queue, class), SEND_QUEUE_MAX);
    }
    assert_viewer_is_well();
}

Test(node_floods, a_subscription_to_numbers_far_ahead_gets_nothing_and_harms_nothing) {
    hostile_meet(hostile, source.actor, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    (void)hostile_send_subscribe(hostile, &(struct subscribe){.generation = 1,
                                                              .flags = SUBSCRIBE_HEADS,
                                                              .substreams = 0xffff,
                                                              .from = UINT32_MAX - 1});
    stage_run(&stage, 500 * US_PER_MS);
    cr_assert_eq(hostile_count_cells(hostile), 0);
    for (uint8_t track = 0; track < TRACKS_MAX; track++)
        (void)hostile_send_subscribe(
            hostile, &(struct subscribe){.track = track, .generation = 5, .substreams = 0xffff});
    assert_viewer_is_well();
    cr_assert_eq(source.actor->bans, 0);
}

Test(node_floods, peers_that_are_made_up_fill_a_bounded_table) {
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    struct rng rng = rng_init(3);
    for (unsigned i = 0; i < 100; i++) {
        struct peers m;
        peers_fill(&m, &rng, true);
        m.slot = 0;
        for (size_t k = 0; k < m.peers_len; k++)
            m.peers[k].endpoint = network_endpoint(stage.network, 30);
        (void)hostile_send_peers(hostile, &m);
        stage_run(&stage, 100 * US_PER_MS);
        const struct channel *c = viewer->node->channels[0];
        cr_assert_leq(c->sampler.len, CANDIDATES_MAX);
        cr_assert_leq(c->neighbours_len, NODE_NEIGHBOURS_DEFAULT + 16);
    }
    cr_assert_eq(viewer->bans, 0);
    assert_viewer_is_well();
}

Test(node_floods, a_seventeenth_channel_on_a_link_ends_it) {
    hostile_dial(hostile, &viewer->identity.public, viewer->host);
    for (uint8_t slot = 0; slot < SLOTS_MAX; slot++) {
        struct hello m = {.slot = slot, .channel = {{slot + 1}}, .role = ROLE_VIEWER};
        (void)hostile_send_hello(hostile, &m);
    }
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(hostile_count(hostile, MESSAGE_BYE), SLOTS_MAX); /* it carries none of them */
    cr_assert_eq(hostile->closed, 0);
    (void)hostile_send_hello(hostile, &(struct hello){.slot = SLOTS_MAX, .role = ROLE_VIEWER});
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(hostile->closed, 1);
    assert_viewer_is_well();
}

Test(node_floods, a_slot_for_two_channels_or_a_channel_in_two_slots_ends_the_link) {
    struct public_key second;
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){7});
    struct sign_key key;
    sign_key_generate(&key, &random);
    second = key.public;
    cr_assert_eq(node_join(viewer->node, &second, NULL, true, stage_now(&stage)), 1);
    const struct hello first = {
        .slot = 3, .channel = source.broadcast.channel_key.public, .role = ROLE_VIEWER};
    struct hello reused = first, moved = first;
    reused.channel = second;
    moved.slot = 4;
    const struct hello *seconds[] = {&reused, &moved};
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        struct hostile_peer *p = stage_hostile(&stage, 20 + (unsigned)i);
        hostile_dial(p, &viewer->identity.public, viewer->host);
        (void)hostile_send_hello(p, &first);
        (void)hostile_send_hello(p, &first); /* the same again is fine */
        stage_run(&stage, 100 * US_PER_MS);
        cr_assert_eq(p->closed, 0);
        (void)hostile_send_hello(p, seconds[i]);
        stage_run(&stage, 100 * US_PER_MS);
        cr_assert_eq(p->closed, 1);
        cr_assert_eq(viewer->ban_err, ERR_DUPLICATE);
    }
    cr_assert_eq(viewer->bans, 2);
}

/* Every message, cut at each byte of its start and at the end, one link for each cut. */
static void assert_cuts_end_the_link(const uint8_t *data, size_t len) {
    for (size_t cut = 1; cut < len; cut++) {
        if (cut == 160 && len > 240) cut = len - 80;
        if (viewer->node->bans != NULL)
            memset(viewer->node->bans, 0, BANS_MAX * sizeof viewer->node->bans[0]);
        unsigned closed = hostile->closed;
        hostile_meet(hostile, viewer, &source.broadcast);
        stage_run(&stage, 30 * US_PER_MS);
        cr_assert(hostile_is_up(hostile));
        cr_assert(hostile_send(hostile, data, cut));
        stage_run(&stage, 30 * US_PER_MS);
        cr_assert_eq(hostile->closed, closed + 1, "type %02x cut at %zu of %zu", data[0], cut, len);
        hostile_forget(hostile);
    }
}

#define X(name, NAME, type, fields)                                                                \
    Test(node_floods, a_cut_##name##_ends_the_link) {                                              \
        struct rng rng = rng_init(11);                                                             \
        struct name m;                                                                             \
        name##_fill(&m, &rng, false);                                                              \
        m.slot = 0;                                                                                \
        uint8_t buffer[MESSAGE_SIZE_MAX];                                                          \
        struct writer w = writer_init(buffer, sizeof buffer);                                      \
        name##_write(&w, &m);                                                                      \
        cr_assert_eq(w.err, 0);                                                                    \
        assert_cuts_end_the_link(buffer, writer_len(&w));                                          \
        assert_viewer_is_well();                                                                   \
    }
MESSAGE_LIST(X)
#undef X

Test(node_floods, a_malformed_first_message_ends_the_link) {
    const uint8_t cut[] = {MESSAGE_HELLO, 0, 1, 2};
    hostile_dial(hostile, &viewer->identity.public, viewer->host);
    (void)hostile_send(hostile, cut, sizeof cut);
    stage_run(&stage, 4 * US_PER_S);
    cr_assert_eq(hostile->closed, 1);
    cr_assert_eq(actor_stats(viewer).neighbours, 1);
    struct node_stats stats;
    node_stats(viewer->node, &stats);
    cr_assert_eq(stats.links_up, 1);
}

Test(node_floods, messages_of_later_versions_are_passed_over) {
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    for (uint8_t type = 0; type < 0x80; type++) {
        if ((type >= MESSAGE_HELLO && type <= MESSAGE_BYE) ||
            (type >= MESSAGE_HAVE && type <= MESSAGE_OFFER))
            continue;
        (void)hostile_send(hostile, &type, 1);
    }
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(hostile->closed, 0);
    cr_assert_eq(viewer->bans, 0);
}

Test(node_floods, messages_for_slots_that_nobody_opened_are_void) {
    hostile_dial(hostile, &viewer->identity.public, viewer->host);
    struct rng rng = rng_init(5);
#define X(name, NAME, type, fields)                                                                \
    {                                                                                              \
        struct name m;                                                                             \
        name##_fill(&m, &rng, false);                                                              \
        m.slot = 9;                                                                                \
        if (MESSAGE_##NAME != MESSAGE_HELLO) (void)hostile_send_##name(hostile, &m);               \
    }
    MESSAGE_LIST(X)
#undef X
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(hostile->closed, 0);
    cr_assert_eq(viewer->bans, 0);
    assert_viewer_is_well();
}

Test(node_floods, random_messages_of_every_type_leave_the_viewer_well) {
    struct rng rng = rng_init(17);
    for (unsigned round = 0; round < 150; round++) {
        if (viewer->node->bans != NULL)
            memset(viewer->node->bans, 0, BANS_MAX * sizeof viewer->node->bans[0]);
        if (hostile->link == NULL) hostile_meet(hostile, viewer, &source.broadcast);
        stage_run(&stage, 20 * US_PER_MS);
#define X(name, NAME, type, fields)                                                                \
    if (rng_below(&rng, 4) == 0) {                                                                 \
        struct name m;                                                                             \
        name##_fill(&m, &rng, false);                                                              \
        m.slot = 0;                                                                                \
        (void)hostile_send_##name(hostile, &m);                                                    \
    }
        MESSAGE_LIST(X)
#undef X
        hostile_forget(hostile);
    }
    assert_viewer_is_well();
}

Test(node_floods, hello_over_and_over_is_not_answered_with_more_than_its_queue) {
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    for (unsigned i = 0; i < 300; i++) {
        (void)hostile_send_hello(hostile,
                                 &(struct hello){.channel = source.broadcast.channel_key.public,
                                                 .role = ROLE_VIEWER,
                                                 .flags = PEER_UPLOADS,
                                                 .broadcast = 7,
                                                 .manifest_version = i % 2});
        stage_run(&stage, US_PER_MS);
    }
    cr_assert_leq(actor_stats(viewer).neighbours, 2);
    cr_assert_leq(viewer->peers_up, 2);
    assert_viewer_is_well();
}

Test(node_floods, neighbours_max_holds_and_whoever_is_turned_away_learns_of_others) {
    struct node_config config = {
        .role = ROLE_SOURCE, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .neighbours_max = 3};
    struct actor *small = stage_node(&stage, 10, &source.broadcast, &config);
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    stage_kill(&stage, viewer);
    origin_start_on(&other, &stage, small, 8, false);
    for (unsigned i = 0; i < 8; i++) {
        stage_introduce(stage_node(&stage, 11 + i, &other.broadcast, NULL), small);
        stage_run(&stage, 300 * US_PER_MS);
        cr_assert_leq(small->node->channels[0]->neighbours_len, 3 + 16);
        cr_assert_leq(actor_stats(small).neighbours, 3);
    }
    stage_run(&stage, 5 * US_PER_S);
    for (unsigned i = 0; i < 8; i++) {
        const struct played *p = &stage.actors[11 + i].played[0];
        cr_assert_geq(p->last, other.number - 8, "host %u plays %u of %u", 11 + i, p->last,
                      other.number);
        cr_assert_eq(p->wrong, 0);
    }
}

/* Its one place is taken by a peer that tells nobody anything. */
Test(node_floods, whoever_is_turned_away_learns_of_others_that_were) {
    struct node_config config = {
        .role = ROLE_SOURCE, .max_upload_bps = NODE_UPLOAD_UNLIMITED, .neighbours_max = 1};
    struct actor *small = stage_node(&stage, 10, &source.broadcast, &config);
    origin_stop(&source);
    stage_kill(&stage, source.actor);
    stage_kill(&stage, viewer);
    origin_start_on(&other, &stage, small, 8, false);
    struct hostile_peer *silent = stage_hostile(&stage, 11);
    hostile_dial(silent, &small->identity.public, small->host);
    hostile_join(silent, &other.broadcast);
    network_wake(stage.network, 11);
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert_eq(actor_stats(small).neighbours, 1);
    struct actor *turned[2];
    for (unsigned i = 0; i < 2; i++) {
        turned[i] = stage_node(&stage, 12 + i, &other.broadcast, NULL);
        stage_introduce(turned[i], small);
        stage_run(&stage, 500 * US_PER_MS);
    }
    stage_run(&stage, US_PER_S);
    const struct channel *c = turned[1]->node->channels[0];
    cr_assert_not_null(channel_neighbour(c, &turned[0]->identity.public));
}

Test(node_floods, links_of_strangers_without_a_channel_do_not_pile_up_at_the_end) {
    for (unsigned i = 0; i < 20; i++) {
        struct hostile_peer *p = stage_hostile(&stage, 20 + i);
        hostile_dial(p, &viewer->identity.public, viewer->host);
        network_wake(stage.network, 20 + i);
    }
    stage_run(&stage, 200 * US_PER_MS);
    struct node_stats stats;
    node_stats(viewer->node, &stats);
    cr_assert_eq(stats.links_up, 21, "%u", stats.links_up);
    /* The viewer is freed with them: nothing may be left of them (AddressSanitizer looks). */
    stage_kill(&stage, viewer);
}
