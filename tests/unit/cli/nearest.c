#include "cli/nearest.h"

#include <criterion/criterion.h>

static const char *nearest_of(const char *typed) {
    struct nearest n = nearest_init(typed);
    nearest_offer(&n, "bitrate");
    nearest_offer(&n, "audio-bitrate");
    nearest_offer(&n, "bootstrap");
    nearest_offer(&n, "log");
    return n.name == NULL ? "" : n.name;
}

Test(nearest, is_the_name_with_the_fewest_changes) {
    cr_assert_str_eq(nearest_of("bitrat"), "bitrate");
    cr_assert_str_eq(nearest_of("bitrtae"), "bitrate");
    cr_assert_str_eq(nearest_of("bbitrate"), "bitrate");
    cr_assert_str_eq(nearest_of("vitrate"), "bitrate");
    cr_assert_str_eq(nearest_of("audio-bit-rate"), "audio-bitrate");
    cr_assert_str_eq(nearest_of("lgo"), "log");
    cr_assert_str_eq(nearest_of("bitrate"), "bitrate");
}

Test(nearest, is_none_for_another_word) {
    cr_assert_str_eq(nearest_of("colour"), "");
    cr_assert_str_eq(nearest_of(""), "");
    cr_assert_str_eq(nearest_of("x"), "");
    cr_assert_str_eq(nearest_of("abc"), "");
    cr_assert_str_eq(nearest_of("a-name-that-is-longer-than-all-of-them-together"), "");
}
