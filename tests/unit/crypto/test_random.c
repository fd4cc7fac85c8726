#include "core/crypto/random.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(random, .init = start);

static const uint8_t zero_seed[RANDOM_SEED_BYTES];

/* RFC 8439, A.1, vectors 1 and 2: the blocks 0 and 1 of ChaCha20 under the zero key and nonce. */
static const char block0_half[] =
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7";
static const char block1[] = "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                             "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";

Test(random, hands_out_the_stream_of_its_seed_and_replaces_its_key) {
    uint8_t expected[64], got[64];
    struct random r = random_from_seed(zero_seed);
    random_bytes(&r, got, sizeof got);
    cr_assert_eq(hex_read(block1, expected, sizeof expected), 64);
    cr_assert_arr_eq(got, expected, 64);
    cr_assert_eq(hex_read(block0_half, expected, sizeof expected), 32);
    cr_assert_arr_eq(r.key, expected, 32);
}

Test(random, replays_from_the_same_seed) {
    uint8_t a_bytes[1000], b_bytes[1000];
    struct random a = random_from_seed(zero_seed), b = random_from_seed(zero_seed);
    random_bytes(&a, a_bytes, sizeof a_bytes);
    random_bytes(&b, b_bytes, sizeof b_bytes);
    cr_assert_arr_eq(a_bytes, b_bytes, sizeof a_bytes);
    cr_assert_eq(random_u64(&a), random_u64(&b));
}

Test(random, reads_numbers_from_its_bytes_in_a_fixed_order) {
    struct random r = random_from_seed(zero_seed);
    cr_assert_eq(random_u32(&r), 0x9f07e7be);
    r = random_from_seed(zero_seed);
    cr_assert_eq(random_u64(&r), 0x9f07e7be5551387a);
}

Test(random, never_hands_out_the_same_again) {
    struct random r = random_from_seed(zero_seed);
    uint64_t seen[1000];
    for (size_t i = 0; i < 1000; i++) {
        seen[i] = random_u64(&r);
        for (size_t j = 0; j < i; j++) cr_assert_neq(seen[i], seen[j]);
    }
}

Test(random, replaces_its_key_also_when_nothing_is_asked) {
    struct random r = random_from_seed(zero_seed);
    random_bytes(&r, NULL, 0);
    cr_assert_neq(memcmp(r.key, zero_seed, sizeof zero_seed), 0);
}

Test(random, differs_between_two_starts_from_the_system) {
    struct random a = random_from_system(), b = random_from_system();
    cr_assert_neq(memcmp(a.key, b.key, sizeof a.key), 0);
}

Test(random, erases_a_secret) {
    uint8_t secret[40], zeros[40] = {0};
    memset(secret, 0xaa, sizeof secret);
    secret_erase(secret, sizeof secret);
    cr_assert_arr_eq(secret, zeros, sizeof secret);
}
