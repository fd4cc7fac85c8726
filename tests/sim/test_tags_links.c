/* Handshakes, links and nodes, with real cryptography and with tags alike. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/noise.h"
#include "tests/lib/stage.h"
#include "tests/sim/both.h"

#define CELL CELL_SIZE

static struct random randomness;
static uint8_t text[CELL], sealed[2 * CELL], opened[2 * CELL];
static const uint8_t prologue[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static void start(void) {
    randomness = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    random_bytes(&randomness, text, sizeof text);
}

static struct sign_key new_key(void) {
    struct sign_key made;
    sign_key_generate(&made, &randomness);
    return made;
}

struct ends {
    struct dh_key ours, theirs, ephemeral[2];
    struct noise initiator, responder;
};

static struct dh_key new_dh_key(void) {
    uint8_t secret[NOISE_DH_BYTES];
    random_bytes(&randomness, secret, sizeof secret);
    struct dh_key made;
    dh_key_from_secret(&made, secret);
    return made;
}

/* The responder's static key is known from its Ed25519 form, as a peer's id is. */
static void begin(struct ends *e) {
    struct sign_key ours = new_key(), theirs = new_key();
    dh_key_from_sign_key(&e->ours, &ours);
    dh_key_from_sign_key(&e->theirs, &theirs);
    e->ephemeral[0] = new_dh_key();
    e->ephemeral[1] = new_dh_key();
    uint8_t remote[NOISE_DH_BYTES];
    cr_assert_eq(dh_public_from_public_key(remote, &theirs.public), 0);
    cr_assert_arr_eq(remote, e->theirs.public, sizeof remote);
    noise_init(&e->initiator, true, &e->ours, remote, prologue, sizeof prologue);
    noise_init(&e->responder, false, &e->theirs, NULL, prologue, sizeof prologue);
}

static size_t write_first(struct ends *e, size_t len) {
    int n = noise_write(&e->initiator, &e->ephemeral[0], text, len, sealed);
    cr_assert_eq(n, (int)len + NOISE_MESSAGE1_OVERHEAD);
    return (size_t)n;
}

BOTH(a_handshake_carries_payloads_and_gives_both_ends_two_keys) {
    struct ends e;
    begin(&e);
    size_t n = write_first(&e, CELL);
    cr_assert_eq(noise_read(&e.responder, sealed, n, opened), CELL);
    cr_assert_arr_eq(opened, text, CELL);
    cr_assert_arr_eq(e.responder.remote, e.ours.public, NOISE_DH_BYTES);
    int second = noise_write(&e.responder, &e.ephemeral[1], text, 77, sealed);
    cr_assert_eq(second, 77 + NOISE_MESSAGE2_OVERHEAD);
    cr_assert_eq(noise_read(&e.initiator, sealed, (size_t)second, opened), 77);
    cr_assert_arr_eq(opened, text, 77);
    struct seal_key keys[4];
    noise_split(&e.initiator, &keys[0], &keys[1]);
    noise_split(&e.responder, &keys[2], &keys[3]);
    cr_assert_arr_eq(keys[0].key, keys[3].key, sizeof keys[0].key);
    cr_assert_arr_eq(keys[1].key, keys[2].key, sizeof keys[0].key);
    cr_assert_arr_neq(keys[0].key, keys[1].key, sizeof keys[0].key);
}

BOTH(a_first_message_for_another_peer_or_prologue_is_refused) {
    struct ends e;
    begin(&e);
    size_t n = write_first(&e, 50);
    struct dh_key stranger = new_dh_key();
    struct noise other;
    noise_init(&other, false, &stranger, NULL, prologue, sizeof prologue);
    cr_assert_eq(noise_read(&other, sealed, n, opened), ERR_DECRYPT);
    noise_init(&other, false, &e.theirs, NULL, prologue, sizeof prologue - 1);
    cr_assert_eq(noise_read(&other, sealed, n, opened), ERR_DECRYPT);
    noise_init(&other, false, &e.theirs, NULL, prologue, sizeof prologue);
    cr_assert_eq(noise_read(&other, sealed, n, opened), 50);
}

BOTH(a_changed_message_is_refused_and_changes_nothing) {
    struct ends e;
    begin(&e);
    size_t n = write_first(&e, 50);
    for (size_t at = 0; at < n; at++) {
        sealed[at] ^= 1;
        cr_assert_lt(noise_read(&e.responder, sealed, n, opened), 0, "byte %zu", at);
        sealed[at] ^= 1;
    }
    cr_assert_eq(noise_read(&e.responder, sealed, NOISE_MESSAGE1_OVERHEAD - 1, opened),
                 ERR_TRUNCATED);
    cr_assert_eq(noise_read(&e.responder, sealed, n, opened), 50);
    int second = noise_write(&e.responder, &e.ephemeral[1], text, 20, sealed);
    cr_assert_gt(second, 0);
    for (int at = 0; at < second; at++) {
        sealed[at] ^= 1;
        cr_assert_lt(noise_read(&e.initiator, sealed, (size_t)second, opened), 0, "byte %d", at);
        sealed[at] ^= 1;
    }
    cr_assert_eq(noise_read(&e.initiator, sealed, NOISE_MESSAGE2_OVERHEAD - 1, opened),
                 ERR_TRUNCATED);
    cr_assert_eq(noise_read(&e.initiator, sealed, (size_t)second, opened), 20);
}

BOTH(a_second_message_is_for_the_first_that_it_answers) {
    struct ends e, other;
    begin(&e);
    other = e;
    other.ephemeral[0] = new_dh_key();
    size_t n = write_first(&e, 50);
    cr_assert_eq(noise_read(&e.responder, sealed, n, opened), 50);
    int second = noise_write(&e.responder, &e.ephemeral[1], text, 20, sealed);
    uint8_t answer[200];
    memcpy(answer, sealed, (size_t)second);
    write_first(&other, 50);
    cr_assert_eq(noise_read(&other.initiator, answer, (size_t)second, opened), ERR_DECRYPT);
}

BOTH(a_key_of_small_order_is_refused) {
    struct ends e;
    begin(&e);
    struct noise n;
    static const uint8_t zeros[NOISE_DH_BYTES];
    noise_init(&n, true, &e.ours, zeros, prologue, sizeof prologue);
    cr_assert_eq(noise_write(&n, &e.ephemeral[0], text, 50, sealed), ERR_RANGE);
    size_t len = write_first(&e, 50);
    memset(sealed, 0, NOISE_DH_BYTES);
    cr_assert_eq(noise_read(&e.responder, sealed, len, opened), ERR_RANGE);
}

/* --- the engine on them --- */

BOTH(nodes_link_and_carry_a_private_broadcast) {
    static struct stage stage;
    static struct origin source;
    stage_init(&stage, 1, 20 * US_PER_MS);
    origin_start(&source, &stage, 0, 7, true);
    struct actor *viewers[3];
    for (unsigned i = 0; i < ARRAY_LEN(viewers); i++) {
        viewers[i] = stage_node(&stage, i + 1, &source.broadcast, NULL);
        stage_introduce(viewers[i], source.actor);
    }
    stage_run(&stage, 2 * US_PER_S);
    for (unsigned i = 0; i < ARRAY_LEN(viewers); i++) {
        const struct played *p = &viewers[i]->played[0];
        cr_assert_gt(p->fragments, 30);
        cr_assert_eq(p->wrong + p->disordered + p->skipped, 0);
        cr_assert_eq(viewers[i]->bans, 0);
    }
    stage_release(&stage);
    origin_release(&source);
}

BOTH(a_spoilt_cell_costs_its_sender_the_link) {
    static struct stage stage;
    static struct origin source;
    stage_init(&stage, 1, 20 * US_PER_MS);
    origin_record(&source, 7, 5, STAGE_UTC_US);
    struct actor *viewer = stage_node(&stage, 1, &source.broadcast, NULL);
    struct hostile_peer *hostile = stage_hostile(&stage, 2);
    hostile->react = hostile_grants_all;
    hostile_meet(hostile, viewer, &source.broadcast);
    stage_run(&stage, 300 * US_PER_MS);
    cr_assert_eq(actor_stats(viewer).parents, 1);
    hostile_send_chunk_head(hostile, source.chunks[0][0]);
    hostile_send_chunk_cell(hostile, source.chunks[0][0], 0, 0);
    hostile_send_chunk_cell(hostile, source.chunks[0][0], 1, 1);
    stage_run(&stage, 100 * US_PER_MS);
    cr_assert_eq(viewer->ban_err, ERR_HASH);
    cr_assert_eq(actor_stats(viewer).media_in, CELL);
    stage_release(&stage);
    origin_release(&source);
}
