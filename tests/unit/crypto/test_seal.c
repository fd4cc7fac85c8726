#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/noise.h"
#include "tests/lib/hex.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(seal, .init = start);

/* RFC 8439, A.5: the published vector whose nonce has the form of ours, 4 zero bytes and 8 of
 * counter. The tag covers the whole ciphertext. */
static const char rfc_plain[] =
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
    "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
    "Internet-Drafts as reference material or to cite them other than as /\xe2\x80\x9cwork in "
    "progress./\xe2\x80\x9d";
#define RFC_COUNTER 0x0807060504030201

Test(seal, gives_the_vector_of_rfc_8439) {
    struct seal_key key;
    uint8_t aad[12], start_bytes[16], tag[NOISE_TAG_BYTES], sealed[300], plain[300];
    size_t len = sizeof rfc_plain - 1;
    cr_assert_eq(len, 265);
    cr_assert_eq(hex_read("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
                          key.key, sizeof key.key),
                 32);
    cr_assert_eq(hex_read("f33388860000000000004e91", aad, sizeof aad), 12);
    cr_assert_eq(hex_read("64a0861575861af460f062c79be643bd", start_bytes, 16), 16);
    cr_assert_eq(hex_read("eead9d67890cbb22392336fea1851f38", tag, sizeof tag), 16);

    seal(&key, RFC_COUNTER, aad, sizeof aad, rfc_plain, len, sealed);
    cr_assert_arr_eq(sealed, start_bytes, sizeof start_bytes);
    cr_assert_arr_eq(sealed + len, tag, sizeof tag);
    int got = unseal(&key, RFC_COUNTER, aad, sizeof aad, sealed, len + NOISE_TAG_BYTES, plain);
    cr_assert_eq(got, (int)len);
    cr_assert_arr_eq(plain, rfc_plain, len);
}

static const struct seal_key key = {{1, 2, 3}};
static const char aad[] = "header", text[] = "the plain text";
#define SEALED (sizeof text + NOISE_TAG_BYTES)

Test(seal, works_in_place) {
    uint8_t apart[SEALED], buffer[SEALED];
    seal(&key, 5, aad, sizeof aad, text, sizeof text, apart);
    memcpy(buffer, text, sizeof text);
    seal(&key, 5, aad, sizeof aad, buffer, sizeof text, buffer);
    cr_assert_arr_eq(buffer, apart, SEALED);
    cr_assert_eq(unseal(&key, 5, aad, sizeof aad, buffer, SEALED, buffer), (int)sizeof text);
    cr_assert_arr_eq(buffer, text, sizeof text);
}

Test(seal, refuses_every_changed_bit) {
    uint8_t sealed[SEALED], plain[SEALED];
    seal(&key, 5, aad, sizeof aad, text, sizeof text, sealed);
    for (size_t bit = 0; bit < 8 * SEALED; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(unseal(&key, 5, aad, sizeof aad, sealed, SEALED, plain), ERR_DECRYPT);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(unseal(&key, 5, aad, sizeof aad, sealed, SEALED, plain), (int)sizeof text);
}

Test(seal, refuses_every_cut) {
    uint8_t sealed[SEALED], plain[SEALED];
    seal(&key, 5, aad, sizeof aad, text, sizeof text, sealed);
    for (size_t len = 0; len < SEALED; len++)
        cr_assert_eq(unseal(&key, 5, aad, sizeof aad, sealed, len, plain),
                     len < NOISE_TAG_BYTES ? ERR_TRUNCATED : ERR_DECRYPT);
}

Test(seal, refuses_another_counter_key_or_header) {
    struct seal_key other = {{1, 2, 4}};
    uint8_t sealed[SEALED], plain[SEALED];
    seal(&key, 5, aad, sizeof aad, text, sizeof text, sealed);
    cr_assert_eq(unseal(&key, 6, aad, sizeof aad, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(unseal(&key, 5ull << 32, aad, sizeof aad, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(unseal(&other, 5, aad, sizeof aad, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(unseal(&key, 5, aad, sizeof aad - 1, sealed, SEALED, plain), ERR_DECRYPT);
    cr_assert_eq(unseal(&key, 5, NULL, 0, sealed, SEALED, plain), ERR_DECRYPT);
}

Test(seal, refuses_the_counter_that_is_kept_for_rekeying) {
    uint8_t sealed[SEALED] = {0}, plain[SEALED];
    cr_assert_eq(unseal(&key, UINT64_MAX, aad, sizeof aad, sealed, SEALED, plain), ERR_DECRYPT);
}

Test(seal, seals_nothing_at_all) {
    uint8_t sealed[NOISE_TAG_BYTES], plain[1];
    seal(&key, 0, aad, sizeof aad, NULL, 0, sealed);
    cr_assert_eq(unseal(&key, 0, aad, sizeof aad, sealed, sizeof sealed, plain), 0);
}

/* Noise, 4.2: the first 32 bytes of ENCRYPT(k, 2^64 - 1, "", 32 zeros). The expected key is from
 * another implementation, Python's cryptography. */
Test(seal, rekeys_as_noise_says) {
    struct seal_key k;
    uint8_t expected[32];
    for (size_t i = 0; i < sizeof k.key; i++) k.key[i] = (uint8_t)i;
    seal_rekey(&k);
    cr_assert_eq(hex_read("50835543a205b22c9323f2022bc4f67d838f90e61d5ccf33c4513e01f85b5042",
                          expected, sizeof expected),
                 32);
    cr_assert_arr_eq(k.key, expected, sizeof expected);
}
