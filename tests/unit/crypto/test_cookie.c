#include "core/crypto/cookie.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/crypto/random.h"

static void start(void) { cr_assert_eq(random_start(), 0); }

TestSuite(cookie, .init = start);

static const uint8_t cookie[COOKIE_BYTES] = {1, 2, 3}, key[32] = {4},
                     nonce[COOKIE_NONCE_BYTES] = {5};
static const char aad[] = "mac1";

Test(cookie, opens_under_its_key_nonce_and_header_alone) {
    uint8_t sealed[COOKIE_SEALED_BYTES], got[COOKIE_BYTES];
    uint8_t other_key[32] = {6}, other_nonce[COOKIE_NONCE_BYTES] = {[COOKIE_NONCE_BYTES - 1] = 5};
    cookie_seal(sealed, cookie, key, nonce, aad, sizeof aad);
    cr_assert_eq(cookie_unseal(got, sealed, key, nonce, aad, sizeof aad), 0);
    cr_assert_arr_eq(got, cookie, sizeof cookie);
    cr_assert_eq(cookie_unseal(got, sealed, other_key, nonce, aad, sizeof aad), ERR_DECRYPT);
    cr_assert_eq(cookie_unseal(got, sealed, key, other_nonce, aad, sizeof aad), ERR_DECRYPT);
    cr_assert_eq(cookie_unseal(got, sealed, key, nonce, aad, sizeof aad - 1), ERR_DECRYPT);
    cr_assert_eq(cookie_unseal(got, sealed, key, nonce, NULL, 0), ERR_DECRYPT);
}

Test(cookie, refuses_every_changed_bit) {
    uint8_t sealed[COOKIE_SEALED_BYTES], got[COOKIE_BYTES];
    cookie_seal(sealed, cookie, key, nonce, aad, sizeof aad);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(cookie_unseal(got, sealed, key, nonce, aad, sizeof aad), ERR_DECRYPT);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
