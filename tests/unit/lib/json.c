#include "tests/lib/json.h"

#include <criterion/criterion.h>

#include "core/base/err.h"

static double number(const char *text, const char *path) {
    double value = -1;
    cr_assert_eq(json_number(text, path, &value), 0, "%s in %s", path, text);
    return value;
}

static int number_error(const char *text, const char *path) {
    double value;
    return json_number(text, path, &value);
}

Test(json, finds_numbers_by_their_path) {
    const char *text = "{\"a\": 1, \"b\":{\"c\":-2.5e1,\"d\":{\"e\":3}}, \"s\":\"b\", \"f\":0}";
    cr_assert_eq(number(text, "a"), 1);
    cr_assert_eq(number(text, "b.c"), -25);
    cr_assert_eq(number(text, "b.d.e"), 3);
    cr_assert_eq(number(text, "f"), 0);
}

Test(json, tells_missing_null_and_wrong_kinds_apart) {
    const char *text = "{\"a\":null,\"b\":\"x\",\"c\":{\"d\":1},\"e\":[1]}";
    cr_assert_eq(number_error(text, "a"), ERR_STATE);
    cr_assert_eq(number_error(text, "b"), ERR_FORMAT);
    cr_assert_eq(number_error(text, "c"), ERR_FORMAT);
    cr_assert_eq(number_error(text, "d"), ERR_NOT_FOUND);
    cr_assert_eq(number_error(text, "c.x"), ERR_NOT_FOUND);
    cr_assert_eq(number_error(text, "b.x"), ERR_NOT_FOUND);
    cr_assert_eq(number_error("{\"ab\":1}", "a"), ERR_NOT_FOUND);
}

Test(json, undoes_the_escapes_of_a_string) {
    char text[16];
    cr_assert_eq(json_text("{\"a\":\"q\\\"\\\\\\n\\u0041\"}", "a", text, sizeof text), 0);
    cr_assert_str_eq(text, "q\"\\\nA");
    cr_assert_eq(json_text("{\"a\":\"long\"}", "a", text, 4), ERR_FULL);
    cr_assert_eq(json_text("{\"a\":1}", "a", text, sizeof text), ERR_FORMAT);
    cr_assert_eq(json_text("{\"a\":\"\\u00e9\"}", "a", text, sizeof text), ERR_FORMAT);
}

Test(json, refuses_what_is_no_json) {
    static const char *const wrong[] = {
        "",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1,]",
        "{\"a\":1}x",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":1e}",
        "nul",
        "\"\\u00g0\"",
        "{\"a\":\"",
        "-",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        cr_expect_eq(json_check(wrong[i]), ERR_FORMAT, "%s", wrong[i]);
    cr_expect_eq(json_check(" {\"a\" : [ 1 , { } , [ ] , true ] } \n"), 0);
}

Test(json, refuses_a_text_cut_at_every_byte) {
    const char *text = "{\"a\":{\"b\":[1,\"\\u0041\"]}}";
    char cut[64];
    for (size_t len = 0; len < strlen(text); len++) {
        memcpy(cut, text, len);
        cut[len] = '\0';
        cr_expect_eq(json_check(cut), ERR_FORMAT, "%s", cut);
    }
}

Test(json, bounds_the_depth) {
    char text[2 * 100 + 1] = {0};
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    cr_assert_eq(json_check(text), ERR_FORMAT);
}
