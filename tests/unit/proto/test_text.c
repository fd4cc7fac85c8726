#include "core/proto/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bool is_utf8(const char *text) { return text_is_utf8(text, strlen(text)); }

Test(text, takes_utf8_of_every_length) {
    cr_assert(is_utf8(""));
    cr_assert(is_utf8("a title, ~ and all"));
    cr_assert(is_utf8("\xc2\xa0"));         /* U+00A0, the first behind C1 */
    cr_assert(is_utf8("\xdf\xbf"));         /* U+07FF */
    cr_assert(is_utf8("\xe0\xa0\x80"));     /* U+0800 */
    cr_assert(is_utf8("\xed\x9f\xbf"));     /* U+D7FF, before the surrogates */
    cr_assert(is_utf8("\xee\x80\x80"));     /* U+E000, behind them */
    cr_assert(is_utf8("\xf0\x90\x80\x80")); /* U+10000 */
    cr_assert(is_utf8("\xf4\x8f\xbf\xbf")); /* U+10FFFF */
    cr_assert(is_utf8("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f"));
}

Test(text, refuses_control_characters) {
    for (int c = 0; c < 0x20; c++) cr_assert_not(text_is_utf8(&(char){(char)c}, 1));
    cr_assert_not(is_utf8("\x7f"));
    cr_assert_not(is_utf8("\xc2\x80"));
    cr_assert_not(is_utf8("\xc2\x9b")); /* CSI: a terminal would obey it */
    cr_assert_not(is_utf8("\xc2\x9f"));
    cr_assert_not(is_utf8("two\nlines"));
}

Test(text, refuses_what_is_not_utf8) {
    cr_assert_not(is_utf8("\x80"));             /* a sequence without its start */
    cr_assert_not(is_utf8("\xc3"));             /* cut */
    cr_assert_not(is_utf8("\xe2\x82"));         /* cut */
    cr_assert_not(is_utf8("\xf0\x9f\x90"));     /* cut */
    cr_assert_not(is_utf8("\xc3("));            /* no continuation */
    cr_assert_not(is_utf8("\xc1\xa1"));         /* 'a' in two bytes */
    cr_assert_not(is_utf8("\xe0\x9f\xbf"));     /* U+07FF in three */
    cr_assert_not(is_utf8("\xf0\x8f\xbf\xbf")); /* U+FFFF in four */
    cr_assert_not(is_utf8("\xed\xa0\x80"));     /* a surrogate */
    cr_assert_not(is_utf8("\xed\xbf\xbf"));     /* a surrogate */
    cr_assert_not(is_utf8("\xf4\x90\x80\x80")); /* behind U+10FFFF */
    cr_assert_not(is_utf8("\xf8\x88\x80\x80\x80"));
    cr_assert_not(is_utf8("\xff"));
}

Test(text, does_not_look_behind_its_end) {
    char *cut = malloc(2);
    memcpy(cut, "\xf0\x9f", 2);
    cr_assert_not(text_is_utf8(cut, 2));
    free(cut);
}

Test(text, ascii_is_what_can_be_printed) {
    for (int c = 0; c < 256; c++)
        cr_assert_eq(text_is_ascii(&(char){(char)c}, 1), c >= 0x20 && c < 0x7f, "%d", c);
    cr_assert(text_is_ascii("", 0));
    cr_assert_not(text_is_ascii("avc1\n", 5));
}
