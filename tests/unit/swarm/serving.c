#include "tests/unit/swarm/serving.h"

#include <criterion/criterion.h>

struct stage stage;
struct origin source;
struct actor *parent;
struct hostile_peer *children[CHILDREN_MAX];
static unsigned children_len;

void serving_start(void) {
    stage_init(&stage, 1, DELAY_US);
    broadcast_init(&source.broadcast, 1, 7, false, STAGE_UTC_US);
    children_len = 0;
}

void serving_end(void) {
    stage_release(&stage);
    origin_release(&source);
}

void serving_source(uint64_t upload_bps) {
    struct node_config config = {.role = ROLE_SOURCE, .max_upload_bps = upload_bps};
    const struct broadcast *b = &source.broadcast;
    parent = stage_node(&stage, 0, b, &config);
    cr_assert_eq(
        node_set_manifest(parent->node, 0, b->manifest_bytes, b->manifest_len, stage_now(&stage)),
        0);
}

struct hostile_peer *serving_relay(uint64_t upload_bps) {
    struct node_config config = {.role = ROLE_RELAY, .max_upload_bps = upload_bps};
    parent = stage_node(&stage, 0, &source.broadcast, &config);
    struct hostile_peer *above = stage_hostile(&stage, 1);
    above->react = hostile_grants_all;
    hostile_meet(above, parent, &source.broadcast);
    stage_run(&stage, 200 * US_PER_MS);
    cr_assert(parent->node->channels[0]->streams[0].supplies[15].is_granted);
    return above;
}

struct hostile_peer *serving_child(void) {
    struct hostile_peer *p = stage_hostile(&stage, 10 + children_len);
    children[children_len++] = p;
    hostile_meet(p, parent, &source.broadcast);
    stage_run(&stage, 100 * US_PER_MS);
    return p;
}

void serving_offer(struct hostile_peer *p, uint64_t spare_bps, unsigned held) {
    struct offer m = {.broadcast = 7,
                      .spare = (uint16_t)(spare_bps / OFFER_UNIT_BPS),
                      .tracks_len = 1,
                      .tracks = {{.track = 0, .lags_len = 17}}};
    for (unsigned i = 0; i < 17; i++) m.tracks[0].lags[i] = i < held ? 10 : LAG_NONE;
    cr_assert(hostile_send_offer(p, &m));
    stage_run(&stage, 2 * DELAY_US);
}

const struct neighbour_stream *serving_child_at(const struct hostile_peer *p) {
    return &channel_neighbour(parent->node->channels[0], &p->identity.public)->streams[0];
}

uint32_t serving_subscribe(struct hostile_peer *p, uint32_t substreams, uint8_t flags) {
    struct grant m;
    (void)hostile_send_subscribe(
        p, &(struct subscribe){.generation = (uint16_t)(serving_child_at(p)->child_generation + 1),
                               .flags = flags,
                               .substreams = substreams});
    stage_run(&stage, 3 * DELAY_US);
    cr_assert(hostile_last_grant(p, &m));
    cr_assert_eq(m.substreams & ~substreams, 0);
    return m.substreams;
}

uint32_t serving_taken_by_the_second_of_eight(void) {
    for (unsigned i = 0; i < 8; i++) serving_child();
    cr_assert_eq(serving_subscribe(children[0], ALL, 0), ALL);
    uint32_t taken = 0;
    for (unsigned i = 0; i < 8; i++) {
        serving_offer(children[1], 20000000, 0);
        taken = serving_subscribe(children[1], ALL, 0);
        stage_run(&stage, US_PER_S);
    }
    return taken;
}
