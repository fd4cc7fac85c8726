#include "core/crypto/sign.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(sign, .init = start);

/* RFC 8032, 7.1, test 1. Its keys apply to us; its signatures, over messages without a context,
 * cannot come out of an interface that always signs one. */
static const char rfc_seed[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char rfc_public[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static struct sign_key rfc_key(void) {
    uint8_t seed[SIGN_SEED_BYTES];
    struct sign_key key;
    cr_assert_eq(hex_read(rfc_seed, seed, sizeof seed), SIGN_SEED_BYTES);
    sign_key_from_seed(&key, seed);
    return key;
}

static const char message[] = "message";
#define MESSAGE_LEN (sizeof message - 1)

Test(sign, makes_the_public_key_of_rfc_8032) {
    struct sign_key key = rfc_key();
    uint8_t expected[PUBLIC_KEY_BYTES];
    cr_assert_eq(hex_read(rfc_public, expected, sizeof expected), PUBLIC_KEY_BYTES);
    cr_assert_arr_eq(key.public.bytes, expected, sizeof expected);
}

/* From another implementation of Ed25519, Python's cryptography, over "test 1", a zero byte and
 * "message". */
Test(sign, signs_context_zero_and_message) {
    struct sign_key key = rfc_key();
    uint8_t expected[SIGNATURE_BYTES], got[SIGNATURE_BYTES];
    cr_assert_eq(hex_read("3a6ed880475b12b8ba029ffa92a8914203f5a50cdd8997a2e29421ed419090fc"
                          "4b9113ba94291171ab23d31eb547a3ee721ab6fe0fb1aa7c43c910122a2e910b",
                          expected, sizeof expected),
                 SIGNATURE_BYTES);
    sign_message(&key, "test 1", message, MESSAGE_LEN, got);
    cr_assert_arr_eq(got, expected, sizeof expected);
    cr_assert_eq(sign_verify(&key.public, "test 1", message, MESSAGE_LEN, expected), 0);
}

Test(sign, refuses_every_changed_bit_of_message_and_signature) {
    struct sign_key key = rfc_key();
    uint8_t signature[SIGNATURE_BYTES], changed[MESSAGE_LEN];
    sign_message(&key, "test 1", message, MESSAGE_LEN, signature);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(sign_verify(&key.public, "test 1", message, MESSAGE_LEN, signature),
                     ERR_SIGNATURE);
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof changed; bit++) {
        memcpy(changed, message, sizeof changed);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(sign_verify(&key.public, "test 1", changed, MESSAGE_LEN, signature),
                     ERR_SIGNATURE);
    }
}

Test(sign, refuses_another_context_and_a_border_that_moved) {
    struct sign_key key = rfc_key();
    uint8_t signature[SIGNATURE_BYTES];
    sign_message(&key, "test 1", "\0message", 8, signature);
    cr_assert_eq(sign_verify(&key.public, "test 1", "\0message", 8, signature), 0);
    cr_assert_eq(sign_verify(&key.public, "test 2", "\0message", 8, signature), ERR_SIGNATURE);
    cr_assert_eq(sign_verify(&key.public, "test 1", "message", 7, signature), ERR_SIGNATURE);
    sign_message(&key, "test", " 1", 2, signature);
    cr_assert_eq(sign_verify(&key.public, "test 1", "", 0, signature), ERR_SIGNATURE);
}

Test(sign, refuses_the_signature_of_another_key) {
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){3});
    struct sign_key key = rfc_key(), other;
    uint8_t signature[SIGNATURE_BYTES];
    sign_key_generate(&other, &random);
    sign_message(&other, "test 1", message, MESSAGE_LEN, signature);
    cr_assert_eq(sign_verify(&key.public, "test 1", message, MESSAGE_LEN, signature),
                 ERR_SIGNATURE);
    cr_assert_eq(sign_verify(&other.public, "test 1", message, MESSAGE_LEN, signature), 0);
}

Test(sign, signs_from_nothing_up_to_the_largest_message) {
    static uint8_t large[SIGN_MESSAGE_MAX + 1];
    struct sign_key key = rfc_key();
    uint8_t signature[SIGNATURE_BYTES];
    sign_message(&key, "test 1", NULL, 0, signature);
    cr_assert_eq(sign_verify(&key.public, "test 1", NULL, 0, signature), 0);
    sign_message(&key, "test 1", large, SIGN_MESSAGE_MAX, signature);
    cr_assert_eq(sign_verify(&key.public, "test 1", large, SIGN_MESSAGE_MAX, signature), 0);
    cr_assert_eq(sign_verify(&key.public, "test 1", large, sizeof large, signature), ERR_RANGE);
}

Test(sign, keeps_a_key_in_its_seed) {
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){4});
    struct sign_key key, again;
    uint8_t seed[SIGN_SEED_BYTES];
    sign_key_generate(&key, &random);
    sign_key_seed(&key, seed);
    sign_key_from_seed(&again, seed);
    cr_assert_eq(memcmp(&key, &again, sizeof key), 0);
}

Test(sign, erases_a_key) {
    static const struct sign_key erased;
    struct sign_key key = rfc_key();
    sign_key_erase(&key);
    cr_assert_eq(memcmp(&key, &erased, sizeof key), 0);
}

Test(sign, orders_public_keys_by_their_bytes) {
    struct public_key a = {{1, 2}}, b = {{1, 3}}, c = {{0xff}};
    cr_assert(public_key_equal(&a, &a));
    cr_assert_not(public_key_equal(&a, &b));
    cr_assert_eq(public_key_compare(&a, &a), 0);
    cr_assert_lt(public_key_compare(&a, &b), 0);
    cr_assert_gt(public_key_compare(&b, &a), 0);
    cr_assert_lt(public_key_compare(&b, &c), 0);
}

Test(sign, tells_keys_that_can_be_used_from_others) {
    struct sign_key key = rfc_key();
    struct public_key zeros = {{0}}, identity = {{1}}, off_curve = {{2}};
    cr_assert(public_key_is_valid(&key.public));
    cr_assert_not(public_key_is_valid(&zeros));
    cr_assert_not(public_key_is_valid(&identity));
    cr_assert_not(public_key_is_valid(&off_curve));
}
