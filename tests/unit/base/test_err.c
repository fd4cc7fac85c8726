#include "core/base/err.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>

static const int errors[] = {
#define X(name, text) ERR_##name,
    ERR_LIST(X)
#undef X
};

Test(err, is_negative_and_differs_from_every_other) {
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        cr_assert_lt(errors[i], 0);
        for (size_t j = 0; j < i; j++) cr_assert_neq(errors[i], errors[j]);
    }
    cr_assert_eq(ARRAY_LEN(errors) + 1, ERR_COUNT);
}

/* A text stands behind "NAME: ", so it is no sentence. */
Test(err, has_a_text_that_fits_behind_a_name) {
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        const char *text = err_text(errors[i]);
        cr_assert_gt(strlen(text), 0);
        cr_assert_lt(strlen(text), 60);
        cr_assert_neq(text[strlen(text) - 1], '.');
        for (size_t j = 0; j < i; j++) cr_assert_str_neq(text, err_text(errors[j]));
    }
    cr_assert_str_eq(err_text(ERR_TRUNCATED), "ends too early");
    cr_assert_str_eq(err_text(ERR_END), "at its end");
}

Test(err, has_a_text_for_any_number) {
    cr_assert_str_eq(err_text(0), "no error");
    cr_assert_str_eq(err_text(5), "no error");
    cr_assert_str_eq(err_text(INT_MAX), "no error");
    cr_assert_str_eq(err_text(-(int)ERR_COUNT), "an unknown error");
    cr_assert_str_eq(err_text(INT_MIN), "an unknown error");
}
