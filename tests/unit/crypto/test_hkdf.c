#include "core/crypto/hkdf.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/crypto/random.h"
#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(hkdf, .init = start);

static void expect_hmac(const void *key, size_t key_len, const void *data, size_t len,
                        const char *text) {
    uint8_t got[HKDF_BYTES], expected[HKDF_BYTES];
    hmac_blake2b(got, key, key_len, data, len);
    cr_assert_eq(hex_read(text, expected, sizeof expected), HKDF_BYTES);
    cr_assert_arr_eq(got, expected, sizeof got);
}

/* From another implementation: Python's hmac over its hashlib.blake2b. */
Test(hkdf, makes_the_hmac_that_another_implementation_makes) {
    uint8_t block[128], zeros[200] = {0};
    for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)i;
    expect_hmac("key", 3, "The quick brown fox", 19,
                "5c169e8a18362381efbc0f688fa1d48e99f2bd5885a19c29943e28b43d566f33"
                "0555d6c37a277cd4cbb1deca561f377c02f0d5388c6e1efd6e97de2bd8b2d678");
    expect_hmac(NULL, 0, NULL, 0,
                "198cd2006f66ff83fbbd913f78aca2251caf4f19fe9475aade8cf2091b99a684"
                "66775177424f58286886cbae8229644cec747237d4b721735485e17372fdf59c");
    expect_hmac(block, sizeof block, zeros, sizeof zeros,
                "17f6253bddf7819bf96d3cf05380832cb3bdeaa7cba9bdcb79c8bad838a29d00"
                "8cad63061786fa1b6d290026d58f8e67ecaf3edf7cfae9fd82cc31717d73c3dd");
}

/* Noise, 4.3, written out. */
Test(hkdf, chains_its_outputs) {
    uint8_t chaining[HKDF_BYTES] = {1}, material[32] = {2};
    uint8_t first[HKDF_BYTES], second[HKDF_BYTES], temp[HKDF_BYTES], expected[HKDF_BYTES];
    uint8_t text[HKDF_BYTES + 1];
    hkdf_blake2b(first, second, chaining, material, sizeof material);

    hmac_blake2b(temp, chaining, sizeof chaining, material, sizeof material);
    hmac_blake2b(expected, temp, sizeof temp, "\1", 1);
    cr_assert_arr_eq(first, expected, sizeof first);
    memcpy(text, first, HKDF_BYTES);
    text[HKDF_BYTES] = 2;
    hmac_blake2b(expected, temp, sizeof temp, text, sizeof text);
    cr_assert_arr_eq(second, expected, sizeof second);
}

Test(hkdf, may_replace_the_chaining_key_in_place) {
    uint8_t chaining[HKDF_BYTES] = {1}, first[HKDF_BYTES], second[HKDF_BYTES], again[HKDF_BYTES];
    hkdf_blake2b(first, second, chaining, "material", 8);
    hkdf_blake2b(chaining, again, chaining, "material", 8);
    cr_assert_arr_eq(chaining, first, sizeof first);
    cr_assert_arr_eq(again, second, sizeof second);
}
