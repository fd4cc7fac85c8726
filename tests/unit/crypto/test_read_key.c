#include "core/crypto/read_key.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(read_key, .init = start);

static const char text[] = "payload";
#define TEXT_LEN (sizeof text - 1)
#define SEALED (TEXT_LEN + READ_KEY_OVERHEAD)

static struct read_key counting_key(void) {
    struct read_key key;
    for (size_t i = 0; i < sizeof key.bytes; i++) key.bytes[i] = (uint8_t)i;
    return key;
}

/* From other implementations: Python's hashlib.blake2b and its cryptography, broadcast 7, track 3,
 * chunk 9. It pins the derivation and the nonce, which every viewer must make alike. */
Test(read_key, seals_as_another_implementation_does) {
    struct read_key key = counting_key();
    uint8_t expected[SEALED], got[SEALED];
    cr_assert_eq(hex_read("a5cd92b71cb0d71da31828670d300085eb4a41e90c6dde", expected, SEALED),
                 (int)SEALED);
    read_key_seal(&key, 7, 3, 9, text, TEXT_LEN, got);
    cr_assert_arr_eq(got, expected, SEALED);
}

Test(read_key, opens_what_it_sealed_also_in_place) {
    struct random random = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    struct read_key key;
    uint8_t buffer[SEALED];
    read_key_generate(&key, &random);
    memcpy(buffer, text, TEXT_LEN);
    read_key_seal(&key, UINT64_MAX, 7, UINT32_MAX, buffer, TEXT_LEN, buffer);
    cr_assert_eq(read_key_unseal(&key, UINT64_MAX, 7, UINT32_MAX, buffer, SEALED, buffer),
                 (int)TEXT_LEN);
    cr_assert_arr_eq(buffer, text, TEXT_LEN);
}

Test(read_key, refuses_another_key_broadcast_track_or_chunk) {
    struct read_key key = counting_key(), other = counting_key();
    uint8_t sealed[SEALED], plain[SEALED];
    other.bytes[31] ^= 1;
    read_key_seal(&key, 7, 3, 9, text, TEXT_LEN, sealed);
    cr_assert_eq(read_key_unseal(&other, 7, 3, 9, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&key, 8, 3, 9, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&key, 7, 2, 9, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&key, 7, 3, 10, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&key, 7, 3, 9, sealed, SEALED, plain), (int)TEXT_LEN);
}

Test(read_key, refuses_every_cut_and_every_changed_bit) {
    struct read_key key = counting_key();
    uint8_t sealed[SEALED], plain[SEALED];
    read_key_seal(&key, 7, 3, 9, text, TEXT_LEN, sealed);
    for (size_t len = 0; len < SEALED; len++)
        cr_assert_eq(read_key_unseal(&key, 7, 3, 9, sealed, len, plain),
                     len < READ_KEY_OVERHEAD ? ERR_TRUNCATED : ERR_DECRYPT);
    for (size_t bit = 0; bit < 8 * SEALED; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(read_key_unseal(&key, 7, 3, 9, sealed, SEALED, plain), ERR_DECRYPT);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(read_key, seals_an_empty_payload) {
    struct read_key key = counting_key();
    uint8_t sealed[READ_KEY_OVERHEAD], plain[1];
    read_key_seal(&key, 7, 3, 9, NULL, 0, sealed);
    cr_assert_eq(read_key_unseal(&key, 7, 3, 9, sealed, sizeof sealed, plain), 0);
}
