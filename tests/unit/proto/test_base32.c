#include "core/proto/base32.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"
#include "core/base/rng.h"

/* RFC 4648, 10, in lower case and without the padding. */
static const struct {
    const char *plain, *text;
} rfc[] = {
    {"", ""},
    {"f", "my"},
    {"fo", "mzxq"},
    {"foo", "mzxw6"},
    {"foob", "mzxw6yq"},
    {"fooba", "mzxw6ytb"},
    {"foobar", "mzxw6ytboi"},
};

Test(base32, gives_the_vectors_of_rfc_4648) {
    for (size_t i = 0; i < ARRAY_LEN(rfc); i++) {
        char text[16] = {0};
        uint8_t plain[8];
        size_t len = strlen(rfc[i].plain);
        cr_assert_eq(BASE32_LEN(len), strlen(rfc[i].text));
        base32_write(rfc[i].plain, len, text);
        cr_assert_str_eq(text, rfc[i].text);
        cr_assert_eq(base32_read(rfc[i].text, plain, len), 0);
        cr_assert_arr_eq(plain, rfc[i].plain, len);
    }
}

Test(base32, comes_back_for_every_length) {
    struct rng rng = rng_init(1);
    for (size_t len = 0; len <= 64; len++) {
        uint8_t plain[64], got[64];
        char text[BASE32_LEN(64)];
        for (size_t i = 0; i < len; i++) plain[i] = (uint8_t)rng_u64(&rng);
        base32_write(plain, len, text);
        cr_assert_eq(base32_read(text, got, len), 0);
        cr_assert_arr_eq(got, plain, len);
    }
}

Test(base32, reads_either_case) {
    uint8_t got[6];
    cr_assert_eq(base32_read("MzXW6YtBoI", got, 6), 0);
    cr_assert_arr_eq(got, "foobar", 6);
}

Test(base32, refuses_every_other_character) {
    for (int c = 0; c < 256; c++) {
        char text[] = "aaaaaaaa";
        uint8_t got[5];
        text[3] = (char)c;
        bool is_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
        cr_assert_eq(base32_read(text, got, 5), is_digit ? 0 : ERR_FORMAT, "character %d", c);
    }
}

Test(base32, refuses_bits_behind_the_last_byte) {
    uint8_t got[4];
    cr_assert_eq(base32_read("my", got, 1), 0);
    cr_assert_eq(base32_read("mz", got, 1), ERR_FORMAT);
    cr_assert_eq(base32_read("mzxr", got, 2), ERR_FORMAT);
    cr_assert_eq(base32_read("mzxw7", got, 3), ERR_FORMAT);
    cr_assert_eq(base32_read("mzxw6yr", got, 4), ERR_FORMAT);
}
