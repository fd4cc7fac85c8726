#include "core/crypto/noise.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/hex.h"
#include "tests/lib/vector_json.h"

#define TEXT_MAX 512
#define MESSAGE_MAX 256

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(noise, .init = start);

static size_t field(const char *object, const char *name, uint8_t *ret, size_t capacity) {
    char text[TEXT_MAX];
    int len = vector_json_string(vector_json_member(object, name), text, sizeof text);
    cr_assert_geq(len, 0, "member %s", name);
    len = hex_read(text, ret, capacity);
    cr_assert_geq(len, 0, "member %s", name);
    return (size_t)len;
}

static struct dh_key key_field(const char *object, const char *name) {
    uint8_t secret[NOISE_DH_BYTES];
    cr_assert_eq(field(object, name, secret, sizeof secret), sizeof secret);
    struct dh_key key;
    dh_key_from_secret(&key, secret);
    return key;
}

/* Both ends of a handshake, and the ephemeral keys that the vector prescribes. */
struct ends {
    struct noise initiator, responder;
    struct dh_key initiator_ephemeral, responder_ephemeral;
};

static struct ends ends_of_vector(const char *vector) {
    struct ends e;
    uint8_t prologue[MESSAGE_MAX], remote[NOISE_DH_BYTES];
    struct dh_key initiator_static = key_field(vector, "init_static");
    struct dh_key responder_static = key_field(vector, "resp_static");
    cr_assert_eq(field(vector, "init_remote_static", remote, sizeof remote), sizeof remote);
    size_t len = field(vector, "init_prologue", prologue, sizeof prologue);
    noise_init(&e.initiator, true, &initiator_static, remote, prologue, len);
    len = field(vector, "resp_prologue", prologue, sizeof prologue);
    noise_init(&e.responder, false, &responder_static, NULL, prologue, len);
    e.initiator_ephemeral = key_field(vector, "init_ephemeral");
    e.responder_ephemeral = key_field(vector, "resp_ephemeral");
    return e;
}

static void check_handshake_message(const char *message, struct noise *from, struct noise *to,
                                    const struct dh_key *ephemeral) {
    uint8_t payload[MESSAGE_MAX], expected[MESSAGE_MAX], written[MESSAGE_MAX], read[MESSAGE_MAX];
    size_t payload_len = field(message, "payload", payload, sizeof payload);
    size_t expected_len = field(message, "ciphertext", expected, sizeof expected);
    int len = noise_write(from, ephemeral, payload, payload_len, written);
    cr_assert_eq(len, (int)expected_len);
    cr_assert_arr_eq(written, expected, expected_len);
    cr_assert_eq(noise_read(to, expected, expected_len, read), (int)payload_len);
    cr_assert_arr_eq(read, payload, payload_len);
}

static void check_transport_message(const char *message, const struct seal_key *send,
                                    const struct seal_key *receive, uint64_t counter) {
    uint8_t payload[MESSAGE_MAX], expected[MESSAGE_MAX], sealed[MESSAGE_MAX], plain[MESSAGE_MAX];
    size_t payload_len = field(message, "payload", payload, sizeof payload);
    size_t expected_len = field(message, "ciphertext", expected, sizeof expected);
    cr_assert_eq(expected_len, payload_len + NOISE_TAG_BYTES);
    seal(send, counter, NULL, 0, payload, payload_len, sealed);
    cr_assert_arr_eq(sealed, expected, expected_len);
    int len = unseal(receive, counter, NULL, 0, expected, expected_len, plain);
    cr_assert_eq(len, (int)payload_len);
    cr_assert_arr_eq(plain, payload, payload_len);
}

/* The sides take turns, also after the handshake. Returns how many messages there were. */
static size_t check_vector(const char *vector) {
    struct ends e = ends_of_vector(vector);
    const char *messages = vector_json_member(vector, "messages");
    check_handshake_message(vector_json_item(messages, 0), &e.initiator, &e.responder,
                            &e.initiator_ephemeral);
    check_handshake_message(vector_json_item(messages, 1), &e.responder, &e.initiator,
                            &e.responder_ephemeral);

    uint8_t hash[NOISE_HASH_BYTES];
    cr_assert_eq(field(vector, "handshake_hash", hash, sizeof hash), sizeof hash);
    cr_assert_arr_eq(e.initiator.hash, hash, sizeof hash);
    cr_assert_arr_eq(e.responder.hash, hash, sizeof hash);

    struct seal_key send[2], receive[2];
    noise_split(&e.initiator, &send[0], &receive[0]);
    noise_split(&e.responder, &send[1], &receive[1]);
    size_t i = 2;
    for (const char *m; (m = vector_json_item(messages, i)) != NULL; i++)
        check_transport_message(m, &send[i % 2], &receive[1 - i % 2], (i - 2) / 2);
    return i;
}

Test(noise, gives_what_the_published_vectors_give) {
    char *text = vector_json_load("tests/data/noise-vectors.json");
    cr_assert_not_null(text);
    const char *vectors = vector_json_member(text, "vectors");
    size_t checked = 0, messages = 0;
    for (size_t i = 0; vector_json_item(vectors, i) != NULL; i++) {
        const char *vector = vector_json_item(vectors, i);
        char name[TEXT_MAX];
        const char *value = vector_json_member(vector, "protocol_name");
        cr_assert_gt(vector_json_string(value, name, sizeof name), 0);
        /* The file has other protocols too, which this code does not speak. */
        if (strcmp(name, "Noise_IK_25519_ChaChaPoly_BLAKE2b") != 0) continue;
        messages += check_vector(vector);
        checked++;
    }
    cr_assert_geq(checked, 1);
    cr_assert_geq(messages, 6 * checked);
    free(text);
}

/* Two peers with keys of their own, and the first message between them. */
struct dial {
    struct sign_key alice_key, bob_key;
    struct dh_key alice, bob, ephemeral[2];
    struct noise initiator, responder;
    uint8_t message[2][MESSAGE_MAX];
    size_t len[2];
};

static const char prologue[] = "test", hello[] = "hello, bob", answer[] = "hello, alice";

static void dial_begin(struct dial *d) {
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    sign_key_generate(&d->alice_key, &random);
    sign_key_generate(&d->bob_key, &random);
    dh_key_from_sign_key(&d->alice, &d->alice_key);
    dh_key_from_sign_key(&d->bob, &d->bob_key);
    for (size_t i = 0; i < 2; i++) {
        uint8_t secret[NOISE_DH_BYTES];
        random_bytes(&random, secret, sizeof secret);
        dh_key_from_secret(&d->ephemeral[i], secret);
    }
    noise_init(&d->initiator, true, &d->alice, d->bob.public, prologue, sizeof prologue);
    noise_init(&d->responder, false, &d->bob, NULL, prologue, sizeof prologue);
    int len = noise_write(&d->initiator, &d->ephemeral[0], hello, sizeof hello, d->message[0]);
    cr_assert_eq(len, (int)(NOISE_MESSAGE1_OVERHEAD + sizeof hello));
    d->len[0] = (size_t)len;
}

static void dial_answer(struct dial *d) {
    uint8_t payload[MESSAGE_MAX];
    int len = noise_read(&d->responder, d->message[0], d->len[0], payload);
    cr_assert_eq(len, (int)sizeof hello);
    cr_assert_arr_eq(payload, hello, sizeof hello);
    len = noise_write(&d->responder, &d->ephemeral[1], answer, sizeof answer, d->message[1]);
    cr_assert_eq(len, (int)(NOISE_MESSAGE2_OVERHEAD + sizeof answer));
    d->len[1] = (size_t)len;
}

static void dial_end(struct dial *d) {
    uint8_t payload[MESSAGE_MAX];
    int len = noise_read(&d->initiator, d->message[1], d->len[1], payload);
    cr_assert_eq(len, (int)sizeof answer);
    cr_assert_arr_eq(payload, answer, sizeof answer);
}

static int read_and_expect_no_change(struct noise *n, const uint8_t *message, size_t len) {
    uint8_t payload[MESSAGE_MAX];
    struct noise before;
    memcpy(&before, n, sizeof before);
    int err = noise_read(n, message, len, payload);
    if (err < 0) cr_assert_eq(memcmp(&before, n, sizeof before), 0, "the state changed");
    return err;
}

static void refuse_every_cut_and_flip(struct noise *n, const uint8_t *message, size_t len) {
    uint8_t forged[MESSAGE_MAX];
    for (size_t cut = 0; cut < len; cut++) {
        /* A copy of just these bytes, so that a sanitizer sees a read behind them. */
        uint8_t *short_message = malloc(cut + 1);
        memcpy(short_message, message, cut);
        cr_assert_lt(read_and_expect_no_change(n, short_message, cut), 0, "cut at %zu", cut);
        free(short_message);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy(forged, message, len);
        forged[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_lt(read_and_expect_no_change(n, forged, len), 0, "bit %zu", bit);
    }
    memcpy(forged, message, len);
    forged[len] = 0;
    cr_assert_lt(read_and_expect_no_change(n, forged, len + 1), 0, "a byte more");
}

Test(noise, refuses_cut_and_changed_first_messages_and_takes_the_genuine_one_after_them) {
    struct dial d;
    dial_begin(&d);
    refuse_every_cut_and_flip(&d.responder, d.message[0], d.len[0]);
    dial_answer(&d);
    dial_end(&d);
}

Test(noise, refuses_cut_and_changed_second_messages_and_takes_the_genuine_one_after_them) {
    struct dial d;
    dial_begin(&d);
    dial_answer(&d);
    refuse_every_cut_and_flip(&d.initiator, d.message[1], d.len[1]);
    dial_end(&d);
}

Test(noise, tells_a_message_that_is_too_short_from_a_forged_one) {
    struct dial d;
    dial_begin(&d);
    int err = read_and_expect_no_change(&d.responder, d.message[0], NOISE_MESSAGE1_OVERHEAD - 1);
    cr_assert_eq(err, ERR_TRUNCATED);
    cr_assert_eq(read_and_expect_no_change(&d.responder, d.message[0], NOISE_MESSAGE1_OVERHEAD),
                 ERR_DECRYPT);
    dial_answer(&d);
    err = read_and_expect_no_change(&d.initiator, d.message[1], NOISE_MESSAGE2_OVERHEAD - 1);
    cr_assert_eq(err, ERR_TRUNCATED);
    cr_assert_eq(read_and_expect_no_change(&d.initiator, d.message[1], NOISE_MESSAGE2_OVERHEAD),
                 ERR_DECRYPT);
}

Test(noise, carries_empty_payloads) {
    struct dial d;
    uint8_t message[MESSAGE_MAX], payload[1];
    dial_begin(&d);
    noise_init(&d.initiator, true, &d.alice, d.bob.public, NULL, 0);
    noise_init(&d.responder, false, &d.bob, NULL, NULL, 0);
    cr_assert_eq(noise_write(&d.initiator, &d.ephemeral[0], NULL, 0, message),
                 NOISE_MESSAGE1_OVERHEAD);
    cr_assert_eq(noise_read(&d.responder, message, NOISE_MESSAGE1_OVERHEAD, payload), 0);
    cr_assert_eq(noise_write(&d.responder, &d.ephemeral[1], NULL, 0, message),
                 NOISE_MESSAGE2_OVERHEAD);
    cr_assert_eq(noise_read(&d.initiator, message, NOISE_MESSAGE2_OVERHEAD, payload), 0);
}

Test(noise, tells_the_responder_who_dialled) {
    struct dial d;
    dial_begin(&d);
    dial_answer(&d);
    uint8_t expected[NOISE_DH_BYTES];
    cr_assert_eq(dh_public_from_public_key(expected, &d.alice_key.public), 0);
    cr_assert_arr_eq(d.responder.remote, expected, sizeof expected);
}

Test(noise, refuses_a_message_for_another_responder) {
    struct dial d;
    dial_begin(&d);
    noise_init(&d.responder, false, &d.alice, NULL, prologue, sizeof prologue);
    cr_assert_eq(read_and_expect_no_change(&d.responder, d.message[0], d.len[0]), ERR_DECRYPT);
}

Test(noise, refuses_a_message_under_another_prologue) {
    struct dial d;
    dial_begin(&d);
    noise_init(&d.responder, false, &d.bob, NULL, "another", 7);
    cr_assert_eq(read_and_expect_no_change(&d.responder, d.message[0], d.len[0]), ERR_DECRYPT);
}

Test(noise, refuses_a_second_message_of_another_handshake) {
    struct dial d, other;
    dial_begin(&d);
    dial_begin(&other);
    noise_init(&other.initiator, true, &other.alice, other.bob.public, prologue, sizeof prologue);
    int len =
        noise_write(&other.initiator, &other.ephemeral[1], hello, sizeof hello, other.message[0]);
    cr_assert_gt(len, 0);
    dial_answer(&d);
    dial_answer(&other);
    int err = read_and_expect_no_change(&d.initiator, other.message[1], other.len[1]);
    cr_assert_eq(err, ERR_DECRYPT);
    dial_end(&d);
}

/* The points of order 1, 2, 4 and 8 (Curve25519's paper lists them), two of them not reduced. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

Test(noise, refuses_keys_of_small_order) {
    struct dial d;
    dial_begin(&d);
    for (size_t i = 0; i < ARRAY_LEN(small_order); i++) {
        uint8_t point[NOISE_DH_BYTES], message[MESSAGE_MAX];
        struct noise n, before;
        cr_assert_eq(hex_read(small_order[i], point, sizeof point), NOISE_DH_BYTES);
        memcpy(message, d.message[0], d.len[0]);
        memcpy(message, point, sizeof point);
        cr_assert_eq(read_and_expect_no_change(&d.responder, message, d.len[0]), ERR_RANGE);

        noise_init(&n, true, &d.alice, point, NULL, 0);
        memcpy(&before, &n, sizeof before);
        cr_assert_eq(noise_write(&n, &d.ephemeral[0], NULL, 0, message), ERR_RANGE);
        cr_assert_eq(memcmp(&before, &n, sizeof before), 0);
    }
}

Test(noise, gives_each_direction_a_key_of_its_own) {
    struct dial d;
    struct seal_key initiator_send, initiator_receive, responder_send, responder_receive;
    dial_begin(&d);
    dial_answer(&d);
    dial_end(&d);
    noise_split(&d.initiator, &initiator_send, &initiator_receive);
    noise_split(&d.responder, &responder_send, &responder_receive);
    cr_assert_arr_eq(initiator_send.key, responder_receive.key, 32);
    cr_assert_arr_eq(initiator_receive.key, responder_send.key, 32);
    cr_assert_neq(memcmp(initiator_send.key, initiator_receive.key, 32), 0);
}

Test(noise, erases_its_secrets_on_release) {
    static const struct noise erased;
    struct dial d;
    dial_begin(&d);
    noise_release(&d.initiator);
    cr_assert_eq(memcmp(&d.initiator, &erased, sizeof erased), 0);
    noise_release(NULL);
}

Test(noise, makes_the_same_public_key_from_both_halves_of_a_signing_key) {
    struct dial d;
    uint8_t public[NOISE_DH_BYTES];
    dial_begin(&d);
    cr_assert_eq(dh_public_from_public_key(public, &d.alice_key.public), 0);
    cr_assert_arr_eq(public, d.alice.public, sizeof public);
}

Test(noise, refuses_signing_keys_without_an_x25519_form) {
    uint8_t public[NOISE_DH_BYTES] = {7};
    struct public_key identity = {{1}}, off_curve = {{2}};
    cr_assert_eq(dh_public_from_public_key(public, &identity), ERR_RANGE);
    cr_assert_eq(dh_public_from_public_key(public, &off_curve), ERR_RANGE);
    cr_assert_eq(public[0], 7);
}
