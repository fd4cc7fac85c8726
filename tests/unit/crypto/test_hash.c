#include "core/crypto/hash.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/crypto/random.h"
#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(hash, .init = start);

static void expect_hex(const uint8_t *got, size_t len, const char *text) {
    uint8_t expected[64];
    cr_assert_eq(hex_read(text, expected, sizeof expected), (int)len);
    cr_assert_arr_eq(got, expected, len);
}

/* An empty context still puts its zero byte in front, so of the published unkeyed vectors of
 * BLAKE2 (blake2b-kat.txt: inputs 00, 00 01, 00 01 02, ...) this reaches all but the empty one, and
 * not the "abc" of RFC 7693. */
Test(hash, gives_the_published_blake2b_vectors) {
    uint8_t got[64];
    hash_context(got, sizeof got, "", NULL, 0);
    expect_hex(got, sizeof got,
               "2fa3f686df876995167e7c2e5d74c4c7b6e48f8068fe0e44208344d480f7904c"
               "36963e44115fe3eb2a3ac8694c28bcb4f5a0f3276f2e79487d8219057a506e4b");
    hash_context(got, sizeof got, "", "\1\2", 2);
    expect_hex(got, sizeof got,
               "40a374727302d9a4769c17b5f409ff32f58aa24ff122d7603e4fda1509e919d4"
               "107a52c57570a6d94e50967aea573b11f86f473f537565c66f7039830a85d186");
}

/* From another implementation of RFC 7693, Python's hashlib. */
Test(hash, gives_what_another_implementation_gives) {
    uint8_t got[RECORD_KEY_BYTES], key[32];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    hash_cell(got, "abc", 3);
    expect_hex(got, HASH_CELL_BYTES, "cf4ab791c62b8d2b2109c90275287816");
    hash_mac(got, key, "abc", 3);
    expect_hex(got, 16, "1a64be47e4729d951c302ee543f97cf3");
    hash_context(got, RECORD_KEY_BYTES, "one", "two", 3);
    expect_hex(got, RECORD_KEY_BYTES, "0bb7b7ca910908e916343ef8fb0e0eaac109be96");
}

Test(hash, differs_where_context_and_data_only_join_to_the_same) {
    uint8_t a[32], b[32];
    hash_context(a, sizeof a, "ab", "c", 1);
    hash_context(b, sizeof b, "a", "bc", 2);
    cr_assert_not(hash_equal(a, b, sizeof a));
}

Test(hash, differs_for_every_bit_of_a_cell) {
    uint8_t payload[1120] = {0}, whole[HASH_CELL_BYTES], got[HASH_CELL_BYTES];
    hash_cell(whole, payload, sizeof payload);
    for (size_t bit = 0; bit < 8 * sizeof payload; bit++) {
        payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
        hash_cell(got, payload, sizeof payload);
        payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not(hash_equal(whole, got, sizeof got), "bit %zu", bit);
    }
}

Test(hash, of_a_mac_depends_on_the_key) {
    uint8_t a[16], b[16], key[32] = {0};
    hash_mac(a, key, "abc", 3);
    key[31] = 1;
    hash_mac(b, key, "abc", 3);
    cr_assert_not(hash_equal(a, b, sizeof a));
}

Test(hash, compares_all_bytes) {
    cr_assert(hash_equal("abcd", "abcd", 4));
    cr_assert(hash_equal("abcd", "abce", 3));
    cr_assert_not(hash_equal("abcd", "abce", 4));
    cr_assert_not(hash_equal("bbcd", "abcd", 4));
}

/* The example in the appendix of "SipHash: a fast short-input PRF" (2012). */
Test(hash, of_a_table_key_is_siphash) {
    uint8_t key[16], data[15];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    cr_assert_eq(hash_table_key(key, data, sizeof data), 0xa129ca6149be45e5);
}
