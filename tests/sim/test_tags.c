/* What the engine relies on in core/crypto, held by real cryptography and by tags alike: each
 * property is a test of both. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/cookie.h"
#include "core/crypto/hash.h"
#include "core/crypto/noise.h"
#include "core/crypto/read_key.h"
#include "tests/sim/both.h"

#define CELL 1120

static struct random randomness;
static struct seal_key key;
static uint8_t text[2 * CELL], sealed[2 * CELL], opened[2 * CELL];
static const uint8_t aad[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static void start(void) {
    randomness = random_from_seed((const uint8_t[RANDOM_SEED_BYTES]){1});
    random_bytes(&randomness, text, sizeof text);
    random_bytes(&randomness, key.key, sizeof key.key);
}

static struct sign_key new_key(void) {
    struct sign_key made;
    sign_key_generate(&made, &randomness);
    return made;
}

/* --- sealing --- */

static int open_sealed(const struct seal_key *k, uint64_t counter, size_t aad_len, size_t len) {
    return unseal(k, counter, aad, aad_len, sealed, len + NOISE_TAG_BYTES, opened);
}

BOTH(what_was_sealed_opens_at_every_length) {
    for (size_t len = 0; len <= 1400; len++) {
        seal(&key, len, aad, sizeof aad, text, len, sealed);
        cr_assert_eq(open_sealed(&key, len, sizeof aad, len), (int)len);
        cr_assert_arr_eq(opened, text, len);
    }
}

BOTH(what_was_sealed_in_place_opens_in_place) {
    memcpy(sealed, text, CELL);
    seal(&key, 7, aad, sizeof aad, sealed, CELL, sealed);
    cr_assert_eq(unseal(&key, 7, aad, sizeof aad, sealed, CELL + NOISE_TAG_BYTES, sealed), CELL);
    cr_assert_arr_eq(sealed, text, CELL);
}

BOTH(nothing_opens_under_another_key_counter_or_context) {
    const size_t lens[] = {0, 1, 48, 64, 65, CELL};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        size_t len = lens[i];
        seal(&key, 7, aad, sizeof aad, text, len, sealed);
        for (size_t k = 0; k < sizeof key.key; k++) {
            struct seal_key other = key;
            other.key[k] ^= 1;
            cr_assert_eq(open_sealed(&other, 7, sizeof aad, len), ERR_DECRYPT);
        }
        for (unsigned bit = 0; bit < 64; bit++)
            cr_assert_eq(open_sealed(&key, 7 ^ 1ull << bit, sizeof aad, len), ERR_DECRYPT);
        for (size_t k = 0; k < sizeof aad; k++)
            cr_assert_eq(open_sealed(&key, 7, k, len), ERR_DECRYPT);
        cr_assert_eq(open_sealed(&key, 7, sizeof aad, len), (int)len);
    }
}

static void refuses_change_at(size_t at, size_t len) {
    sealed[at] ^= 0x10;
    cr_assert_eq(open_sealed(&key, 7, sizeof aad, len), ERR_DECRYPT, "byte %zu of %zu", at, len);
    sealed[at] ^= 0x10;
}

BOTH(no_byte_of_a_short_message_may_change) {
    for (size_t len = 0; len <= 64; len++) {
        seal(&key, 7, aad, sizeof aad, text, len, sealed);
        for (size_t at = 0; at < len + NOISE_TAG_BYTES; at++) refuses_change_at(at, len);
        for (size_t cut = 0; cut < len; cut++)
            cr_assert_lt(open_sealed(&key, 7, sizeof aad, cut), 0);
    }
}

BOTH(no_byte_at_the_ends_or_in_the_middle_of_a_long_message_may_change) {
    for (size_t len = 65; len <= CELL; len += 211) {
        seal(&key, 7, aad, sizeof aad, text, len, sealed);
        for (size_t i = 0; i < 24; i++) {
            refuses_change_at(i, len);
            refuses_change_at(len - 1 - i, len);
        }
        for (size_t i = 0; i < 16; i++) refuses_change_at(len / 2 - 8 + i, len);
        for (size_t i = 0; i < NOISE_TAG_BYTES; i++) refuses_change_at(len + i, len);
        for (size_t cut = 1; cut < 16; cut++)
            cr_assert_eq(open_sealed(&key, 7, sizeof aad, len - cut), ERR_DECRYPT);
    }
}

BOTH(what_is_shorter_than_a_tag_and_the_last_counter_are_refused) {
    for (size_t len = 0; len < NOISE_TAG_BYTES; len++)
        cr_assert_eq(unseal(&key, 7, NULL, 0, sealed, len, opened), ERR_TRUNCATED);
    seal(&key, UINT64_MAX - 1, NULL, 0, text, CELL, sealed);
    cr_assert_eq(open_sealed(&key, UINT64_MAX, 0, CELL), ERR_DECRYPT);
}

BOTH(a_rekeyed_end_understands_only_a_rekeyed_end) {
    struct seal_key next = key, theirs = key;
    seal_rekey(&next);
    seal(&next, 7, aad, sizeof aad, text, CELL, sealed);
    cr_assert_eq(open_sealed(&theirs, 7, sizeof aad, CELL), ERR_DECRYPT);
    seal_rekey(&theirs);
    cr_assert_eq(open_sealed(&theirs, 7, sizeof aad, CELL), CELL);
}

BOTH(a_cookie_opens_for_its_key_nonce_and_context_alone) {
    const uint8_t *nonce = text, *cookie = text + 100;
    uint8_t box[COOKIE_SEALED_BYTES], ret[COOKIE_BYTES];
    cookie_seal(box, cookie, key.key, nonce, aad, sizeof aad);
    cr_assert_eq(cookie_unseal(ret, box, key.key, nonce, aad, sizeof aad), 0);
    cr_assert_arr_eq(ret, cookie, COOKIE_BYTES);
    cr_assert_eq(cookie_unseal(ret, box, text, nonce, aad, sizeof aad), ERR_DECRYPT);
    cr_assert_eq(cookie_unseal(ret, box, key.key, nonce + 1, aad, sizeof aad), ERR_DECRYPT);
    cr_assert_eq(cookie_unseal(ret, box, key.key, nonce, aad, 3), ERR_DECRYPT);
    for (size_t i = 0; i < sizeof box; i++) {
        box[i] ^= 1;
        cr_assert_eq(cookie_unseal(ret, box, key.key, nonce, aad, sizeof aad), ERR_DECRYPT);
        box[i] ^= 1;
    }
}

BOTH(a_private_payload_opens_in_its_place_alone) {
    struct read_key k, other;
    read_key_generate(&k, &randomness);
    read_key_generate(&other, &randomness);
    size_t len = CELL + READ_KEY_OVERHEAD;
    read_key_seal(&k, 7, 2, 3, text, CELL, sealed);
    cr_assert_eq(read_key_unseal(&k, 7, 2, 3, sealed, len, opened), CELL);
    cr_assert_arr_eq(opened, text, CELL);
    cr_assert_eq(read_key_unseal(&other, 7, 2, 3, sealed, len, opened), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&k, 8, 2, 3, sealed, len, opened), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&k, 7, 3, 3, sealed, len, opened), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&k, 7, 2, 4, sealed, len, opened), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&k, 7, 2, 3, sealed, len - 1, opened), ERR_DECRYPT);
    cr_assert_eq(read_key_unseal(&k, 7, 2, 3, sealed, 15, opened), ERR_TRUNCATED);
    sealed[0] ^= 1;
    cr_assert_eq(read_key_unseal(&k, 7, 2, 3, sealed, len, opened), ERR_DECRYPT);
}

/* --- hashes and random bytes --- */

static bool cells_differ(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
    uint8_t first[HASH_CELL_BYTES], second[HASH_CELL_BYTES];
    hash_cell(first, a, a_len);
    hash_cell(second, b, b_len);
    return !hash_equal(first, second, sizeof first);
}

BOTH(a_cell_that_is_spoilt_or_another_hashes_to_something_else) {
    for (size_t len = 1; len <= CELL; len++) {
        memcpy(opened, text, len);
        cr_assert_not(cells_differ(text, len, opened, len));
        cr_assert(cells_differ(text, len, text, len - 1));
        cr_assert(cells_differ(text, len, text + CELL, len));
        const size_t places[] = {0, len / 2, len - 1};
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
            opened[places[i]] ^= 1;
            cr_assert(cells_differ(text, len, opened, len), "%zu of %zu", places[i], len);
            opened[places[i]] ^= 1;
        }
        for (size_t i = 0; i < len; i++) opened[i] ^= 0xff;
        cr_assert(cells_differ(text, len, opened, len));
    }
}

BOTH(a_hash_is_of_its_context_and_of_every_byte) {
    uint8_t hash[64], other[64];
    for (size_t len = 0; len < 200; len++) {
        hash_context(hash, 64, "one", text, len);
        hash_context(other, 64, "two", text, len);
        cr_assert_arr_neq(hash, other, 16);
        hash_context(other, 20, "one", text, len + 1);
        cr_assert_arr_neq(hash, other, 16);
        for (size_t at = 0; at < len; at++) {
            text[at] ^= 1;
            hash_context(other, 64, "one", text, len);
            text[at] ^= 1;
            cr_assert_arr_neq(hash, other, 16);
        }
        hash_context(other, 64, "one", text, len);
        cr_assert_arr_eq(hash, other, 64);
    }
}

BOTH(a_mac_is_of_its_key_and_of_every_byte) {
    uint8_t mac[16], other[16];
    hash_mac(mac, key.key, text, 100);
    hash_mac(other, text, text, 100);
    cr_assert_arr_neq(mac, other, 16);
    for (size_t at = 0; at < 100; at++) {
        text[at] ^= 1;
        hash_mac(other, key.key, text, 100);
        text[at] ^= 1;
        cr_assert_arr_neq(mac, other, 16);
    }
    hash_mac(other, key.key, text, 100);
    cr_assert_arr_eq(mac, other, 16);
}

/* Also for seeds that are nearly all zeros, as tests like to have them. */
BOTH(random_bytes_replay_and_differ_with_every_seed_and_call) {
    enum { SEEDS = 64, CALLS = 4 };
    uint64_t seen[SEEDS * CALLS];
    size_t len = 0;
    for (uint8_t i = 0; i < SEEDS; i++) {
        uint8_t seed[RANDOM_SEED_BYTES] = {0};
        seed[i / 2] = (uint8_t)(1 + i % 2);
        struct random a = random_from_seed(seed), b = random_from_seed(seed);
        for (size_t k = 0; k < CALLS; k++) {
            seen[len] = random_u64(&a);
            cr_assert_eq(random_u64(&b), seen[len]);
            for (size_t j = 0; j < len; j++) cr_assert_neq(seen[j], seen[len]);
            len++;
        }
        cr_assert_eq(random_u32(&a), random_u32(&b));
        uint8_t bytes[33], again[33];
        random_bytes(&a, bytes, sizeof bytes);
        random_bytes(&b, again, sizeof again);
        cr_assert_arr_eq(bytes, again, sizeof bytes);
        cr_assert_arr_neq(bytes, bytes + 16, 16);
    }
}

/* --- keys and signatures --- */

BOTH(a_key_is_made_again_from_its_seed) {
    struct sign_key made = new_key(), again;
    uint8_t seed[SIGN_SEED_BYTES];
    sign_key_seed(&made, seed);
    sign_key_from_seed(&again, seed);
    cr_assert(public_key_equal(&made.public, &again.public));
    struct sign_key other = new_key();
    cr_assert_not(public_key_equal(&made.public, &other.public));
}

BOTH(made_keys_are_valid_and_most_random_bytes_are_not) {
    unsigned valid = 0;
    for (size_t i = 0; i < 256; i++) {
        struct sign_key made = new_key();
        cr_assert(public_key_is_valid(&made.public));
        struct public_key junk;
        random_bytes(&randomness, junk.bytes, sizeof junk.bytes);
        valid += public_key_is_valid(&junk);
    }
    cr_assert(valid >= 4 && valid <= 40, "%u of 256", valid);
    cr_assert_not(public_key_is_valid(&(struct public_key){{0}}));
}

BOTH(a_signature_is_for_its_key_context_and_every_byte) {
    struct sign_key signer = new_key(), other = new_key();
    uint8_t signature[SIGNATURE_BYTES];
    const size_t len = 150;
    sign_message(&signer, "one", text, len, signature);
    cr_assert_eq(sign_verify(&signer.public, "one", text, len, signature), 0);
    cr_assert_eq(sign_verify(&other.public, "one", text, len, signature), ERR_SIGNATURE);
    cr_assert_eq(sign_verify(&signer.public, "two", text, len, signature), ERR_SIGNATURE);
    cr_assert_eq(sign_verify(&signer.public, "one", text, len - 1, signature), ERR_SIGNATURE);
    for (size_t at = 0; at < len; at++) {
        text[at] ^= 1;
        cr_assert_eq(sign_verify(&signer.public, "one", text, len, signature), ERR_SIGNATURE);
        text[at] ^= 1;
    }
    for (size_t at = 0; at < sizeof signature; at++) {
        signature[at] ^= 1;
        cr_assert_eq(sign_verify(&signer.public, "one", text, len, signature), ERR_SIGNATURE);
        signature[at] ^= 1;
    }
    static const uint8_t large[SIGN_MESSAGE_MAX + 1];
    cr_assert_eq(sign_verify(&signer.public, "one", large, sizeof large, signature), ERR_RANGE);
}

/* An adversary that writes another's name over its own key still signs as itself. */
BOTH(nobody_signs_for_another) {
    struct sign_key victim = new_key(), forger = new_key();
    forger.public = victim.public;
    uint8_t signature[SIGNATURE_BYTES];
    sign_message(&forger, "one", text, 100, signature);
    cr_assert_eq(sign_verify(&victim.public, "one", text, 100, signature), ERR_SIGNATURE);
}

/* --- what it would have cost --- */

static void work(struct sign_key *signer) {
    seal(&key, 7, aad, sizeof aad, text, CELL, sealed);
    sign_message(signer, "one", text, 100, opened);
}

Test(tags, charge_what_the_real_work_costs_and_once, .init = use_tags) {
    struct sign_key signer = new_key();
    cr_assert_gt(tags_take_cost_ns(), 0);
    cr_assert_eq(tags_take_cost_ns(), 0);
    work(&signer);
    uint64_t one = tags_take_cost_ns();
    cr_assert(one > 5000 && one < 100000, "%lu ns", (unsigned long)one);
    for (size_t i = 0; i < 10; i++) work(&signer);
    cr_assert_eq(tags_take_cost_ns(), 10 * one);
    work(&signer);
    tags_use(false);
    cr_assert_eq(tags_take_cost_ns(), 0);
}

Test(real, costs_what_it_costs, .init = use_real) {
    struct sign_key signer = new_key();
    work(&signer);
    cr_assert_eq(tags_take_cost_ns(), 0);
}

/* A run replays on every compiler and machine: these bytes are what all of them make. */
Test(tags, are_the_same_everywhere, .init = use_tags) {
    static const uint8_t of_text[HASH_CELL_BYTES] = {0xdd, 0x26, 0xce, 0xa9, 0xe3, 0x44,
                                                     0xb9, 0x88, 0xc2, 0xdc, 0x49, 0xf1,
                                                     0xea, 0xad, 0xa7, 0xd4};
    static const uint8_t of_all[HASH_CELL_BYTES] = {0xb3, 0x83, 0x2a, 0x33, 0x01, 0x13, 0xec, 0x93,
                                                    0x37, 0x0c, 0x46, 0xee, 0xf7, 0x34, 0x4c, 0x42};
    uint8_t hash[HASH_CELL_BYTES];
    hash_cell(hash, text, CELL);
    cr_assert_arr_eq(hash, of_text, sizeof hash);
    struct sign_key signer;
    sign_key_from_seed(&signer, text);
    sign_message(&signer, "one", text, 100, sealed);
    seal(&key, 7, aad, sizeof aad, sealed, SIGNATURE_BYTES, sealed);
    hash_context(hash, sizeof hash, "all", sealed, SIGNATURE_BYTES + NOISE_TAG_BYTES);
    cr_assert_arr_eq(hash, of_all, sizeof hash);
}
