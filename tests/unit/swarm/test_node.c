/* What the node refuses from its owner, and what it says of itself. */
#include "core/swarm/node.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/swarm/engine.h"
#include "tests/lib/stage.h"

static struct stage stage;
static struct origin source;
static struct broadcast b;
static struct actor *a;

static void start(void) {
    stage_init(&stage, 1, 5 * US_PER_MS);
    broadcast_init(&b, 1, 7, false, STAGE_UTC_US);
    a = stage_node(&stage, 0, &b, NULL);
}

static void end(void) {
    stage_release(&stage);
    origin_release(&source);
    broadcast_release(&b);
}

TestSuite(node, .init = start, .fini = end);

static int set_manifest(void) {
    return node_set_manifest(a->node, 0, b.manifest_bytes, b.manifest_len, 0);
}

static struct chunk *chunk_of(uint8_t track, uint32_t number) {
    return source.chunks[track][number];
}

Test(node, joins_a_channel_once_and_sixteen_at_most) {
    cr_assert_eq(node_join(a->node, &b.channel_key.public, NULL, true, 0), ERR_DUPLICATE);
    for (uint8_t i = 1; i < NODE_CHANNELS_MAX; i++) {
        struct public_key key = {{i}};
        cr_assert_eq(node_join(a->node, &key, NULL, false, 0), i);
        cr_assert(public_key_equal(node_channel_key(a->node, i), &key));
    }
    struct public_key key = {{99}};
    cr_assert_eq(node_join(a->node, &key, NULL, false, 0), ERR_FULL);
}

Test(node, takes_only_a_manifest_that_is_newer) {
    cr_assert_null(node_manifest(a->node, 0));
    cr_assert_eq(set_manifest(), 0);
    cr_assert_eq(node_manifest(a->node, 0)->broadcast, 7);
    cr_assert_eq(set_manifest(), ERR_STALE);
    b.manifest.version = 2;
    broadcast_sign(&b);
    cr_assert_eq(set_manifest(), 0);
    cr_assert_eq(node_manifest(a->node, 0)->version, 2);
    b.manifest.broadcast = 6;
    broadcast_sign(&b);
    cr_assert_eq(set_manifest(), ERR_STALE);
    cr_assert_eq(node_manifest(a->node, 0)->broadcast, 7);
}

Test(node, refuses_a_manifest_that_its_channel_did_not_sign) {
    struct broadcast stranger;
    broadcast_init(&stranger, 2, 9, false, STAGE_UTC_US);
    cr_assert_eq(node_set_manifest(a->node, 0, stranger.manifest_bytes, stranger.manifest_len, 0),
                 ERR_SIGNATURE);
    static const uint8_t large[MANIFEST_SIZE_MAX + 1];
    cr_assert_eq(node_set_manifest(a->node, 0, large, sizeof large, 0), ERR_RANGE);
    cr_assert_null(node_manifest(a->node, 0));
}

Test(node, publishes_only_what_belongs_to_its_manifest_and_in_order) {
    origin_record(&source, 7, 4, STAGE_UTC_US);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 0), 0), ERR_STATE);
    cr_assert_eq(set_manifest(), 0);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 0), 0), 0);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 2), 0), ERR_RANGE);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 0), 0), ERR_RANGE);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 1), 0), 0);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(1, 0), 0), 0);
    struct chunk *c = chunk_of(0, 2);
    c->have = 1;
    cr_assert_eq(node_publish(a->node, 0, c, 0), ERR_RANGE); /* not whole */
    c->have = head_all_cells(c->head);
    const struct head *true_head = c->head;
    struct head changed = *true_head;
    c->head = &changed;
    changed.broadcast = 8;
    cr_assert_eq(node_publish(a->node, 0, c, 0), ERR_RANGE);
    changed.broadcast = 7;
    changed.track = 2;
    cr_assert_eq(node_publish(a->node, 0, c, 0), ERR_RANGE);
    c->head = true_head;
    cr_assert_eq(node_publish(a->node, 0, c, 0), 0);
}

Test(node, takes_a_reference_of_what_it_publishes_and_gives_it_back) {
    origin_record(&source, 7, 1, STAGE_UTC_US);
    cr_assert_eq(set_manifest(), 0);
    cr_assert_eq(node_publish(a->node, 0, chunk_of(0, 0), 0), 0);
    cr_assert_eq(chunk_of(0, 0)->references, 2);
    stage_kill(&stage, a);
    cr_assert_eq(chunk_of(0, 0)->references, 1);
}

Test(node, keeps_a_bounded_number_of_hints_and_no_address_that_cannot_be) {
    struct endpoint e = network_endpoint(stage.network, 5), nowhere = {.port = 7};
    node_hint(a->node, 0, &nowhere, 0);
    cr_assert_eq(a->node->hints_len, 0);
    for (unsigned i = 0; i < 100; i++) node_hint(a->node, 0, &e, 0);
    cr_assert_eq(a->node->hints_len, HINTS_MAX);
    node_peer_found(a->node, 0, &b.key.public, &nowhere, 0);
    node_peer_found(a->node, 0, &a->identity.public, &e, 0);
    cr_assert_eq(a->node->channels[0]->sampler.len, 0);
}

Test(node, finds_a_peer_behind_a_hint) {
    origin_start(&source, &stage, 1, 7, false);
    struct endpoint e = network_endpoint(stage.network, 1);
    node_hint(a->node, 0, &e, stage_now(&stage));
    network_wake(stage.network, 0);
    stage_run(&stage, 3 * US_PER_S);
    cr_assert_geq(a->played[0].last, source.number - 4);
    cr_assert_eq(a->peers_up, 1);
}

Test(node, dials_holders_but_never_itself) {
    struct holder holders[2] = {{.peer = a->identity.public, .endpoints_len = 1},
                                {.peer = b.key.public, .endpoints_len = 2}};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < 2; k++)
            holders[i].endpoints[k] = network_endpoint(stage.network, 4 + k);
    node_holders_found(a->node, 0, holders, 2, 0);
    cr_assert_eq(actor_stats(a).holders_found, 1);
    cr_assert_eq(a->node->channels[0]->sampler.len, 1);
    /* In the record's order: the first of them is tried first. */
    const struct candidate *c = &a->node->channels[0]->sampler.candidates[0];
    cr_assert(endpoint_equal(&c->endpoints[0], &holders[1].endpoints[0]));
}

Test(node, has_a_deadline_and_nothing_to_send_when_it_is_alone) {
    uint8_t buffer[DATAGRAM_MAX];
    struct datagram d = {.data = buffer, .capacity = sizeof buffer};
    stage_run(&stage, US_PER_S);
    cr_assert_eq(node_transmit(a->node, &d, stage_now(&stage)), 0);
    cr_assert_gt(node_deadline(a->node), stage_now(&stage));
    cr_assert_leq(node_deadline(a->node), stage_now(&stage) + US_PER_S);
    node_free(NULL);
}
