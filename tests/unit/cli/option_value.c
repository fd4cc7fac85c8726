#include "cli/option_value.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/options.h"
#include "core/base/err.h"

/* The option's value after `text`; fails the test where it is refused. */
static uint64_t number(enum option_id id, const char *text) {
    uint64_t value = 0;
    cr_assert_eq(option_value_parse(&option_table[id], text, &value), 0, "%s", text);
    return value;
}

static int refused(enum option_id id, const char *text) {
    union {
        struct hosts largest;
        char *text;
    } value;
    memset(&value, 0, sizeof value);
    int err = option_value_parse(&option_table[id], text, &value);
    cr_expect_lt(err, 0, "'%s' is taken", text);
    return err;
}

Test(option_value, every_default_of_the_table_is_a_value) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        union {
            struct hosts largest;
            char *text;
        } value;
        memset(&value, 0, sizeof value);
        const struct option *option = &option_table[i];
        if (option->fallback != NULL)
            cr_expect_eq(option_value_parse(option, option->fallback, &value), 0, "%s",
                         option->name);
        option_value_clear(option, &value);
    }
}

Test(option_value, every_option_says_what_it_expects) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char text[VALUE_EXPECTED_MAX];
        cr_expect_gt(strlen(option_value_expected(&option_table[i], text)), 4, "%zu", i);
    }
    char text[VALUE_EXPECTED_MAX];
    cr_assert_str_eq(option_value_expected(&option_table[OPTION_max_upload], text),
                     "a rate such as 800k or 2.5M, 0 for none");
    cr_assert_str_eq(option_value_expected(&option_table[OPTION_bitrate], text),
                     "a rate such as 800k or 2.5M from 50k to 50M");
    cr_assert_str_eq(option_value_expected(&option_table[OPTION_log], text),
                     "one of error, warn, info, debug, trace");
}

Test(option_value, reads_rates_with_units_and_fractions) {
    cr_assert_eq(number(OPTION_max_upload, "0"), 0);
    cr_assert_eq(number(OPTION_max_upload, "800k"), 800000);
    cr_assert_eq(number(OPTION_max_upload, "800K"), 800000);
    cr_assert_eq(number(OPTION_max_upload, "2.5M"), 2500000);
    cr_assert_eq(number(OPTION_max_upload, "2.000001M"), 2000001);
    cr_assert_eq(number(OPTION_max_upload, "1G"), 1000000000);
    cr_assert_eq(number(OPTION_max_upload, "123456"), 123456);
    cr_assert_eq(number(OPTION_max_upload, "unlimited"), UNLIMITED);
}

Test(option_value, refuses_what_is_no_rate) {
    static const char *const wrong[] = {
        "",  "3x", "-1",   "+1",         " 1", "1 ",  "1.",  ".5M", "1,5M",      "1e6",
        "k", "1m", "0x10", "2.0000001M", "M",  "1MM", "nan", "1k5", "unlimitedx"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        cr_expect_eq(refused(OPTION_max_upload, wrong[i]), ERR_FORMAT, "%s", wrong[i]);
    cr_expect_eq(refused(OPTION_max_upload, "99999999999999999999"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_max_upload, "99999999999999999T"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_bitrate, "unlimited"), ERR_FORMAT);
}

Test(option_value, holds_numbers_within_their_bounds) {
    cr_assert_eq(number(OPTION_bitrate, "50k"), 50000);
    cr_assert_eq(number(OPTION_bitrate, "50M"), 50000000);
    cr_expect_eq(refused(OPTION_bitrate, "49999"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_bitrate, "50000001"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_max_peers, "3"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_max_peers, "64.0"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_dht_port, "65536"), ERR_RANGE);
    cr_assert_eq(number(OPTION_dht_port, "65535"), 65535);
}

Test(option_value, a_time_needs_its_unit) {
    cr_assert_eq(number(OPTION_keyint, "500ms"), 500 * US_PER_MS);
    cr_assert_eq(number(OPTION_keyint, "1.5s"), 1500 * US_PER_MS);
    cr_expect_eq(refused(OPTION_keyint, "1"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_keyint, "1m"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_keyint, "99ms"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_keyint, "1h"), ERR_RANGE);
}

Test(option_value, reads_addresses) {
    struct address a = {0};
    char text[ENDPOINT_TEXT_MAX];
    cr_assert_eq(option_value_parse(&option_table[OPTION_listen], "7000", &a), 0);
    cr_assert(a.is_set && a.at.port == 7000 && endpoint_is_empty(&a.at));
    cr_assert_eq(option_value_parse(&option_table[OPTION_listen], "[::1]:0", &a), 0);
    cr_assert(endpoint_is_loopback(&a.at));
    cr_assert_eq(option_value_parse(&option_table[OPTION_http], "127.0.0.1:80", &a), 0);
    cr_assert_str_eq(endpoint_format(&a.at, text), "127.0.0.1:80");
    cr_assert_eq(option_value_parse(&option_table[OPTION_http], "off", &a), 0);
    cr_assert(a.is_off);
    cr_expect_eq(refused(OPTION_listen, "65536"), ERR_RANGE);
    cr_expect_eq(refused(OPTION_listen, "off"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_listen, "host:1"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_http, "80"), ERR_FORMAT);
}

Test(option_value, collects_hosts_up_to_the_bound) {
    struct hosts h = {0};
    const struct option *option = &option_table[OPTION_bootstrap];
    for (int i = 0; i < HOSTS_MAX; i++)
        cr_assert_eq(option_value_parse(option, "node.example:4222", &h), 0);
    cr_assert_eq(option_value_parse(option, "node.example:4222", &h), ERR_RANGE);
    cr_assert_eq(h.len, HOSTS_MAX);
    cr_assert_eq(option_value_parse(option, "none", &h), 0);
    cr_assert(h.is_set && h.len == 0);
    cr_expect_eq(refused(OPTION_bootstrap, "node.example"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_bootstrap, "node.example:0"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_bootstrap, "::1:80"), ERR_FORMAT);
}

Test(option_value, reads_picture_sizes_and_frame_rates) {
    struct picture_size s;
    struct frame_rate r;
    cr_assert_eq(option_value_parse(&option_table[OPTION_size], "1280x720", &s), 0);
    cr_assert(s.width == 1280 && s.height == 720);
    cr_assert_eq(option_value_parse(&option_table[OPTION_fps], "29.97", &r), 0);
    cr_assert(r.num == 2997 && r.den == 100);
    cr_assert_eq(option_value_parse(&option_table[OPTION_fps], "30000/1001", &r), 0);
    cr_assert(r.num == 30000 && r.den == 1001);
    static const char *const sizes[] = {"1280", "1280x",      "x720",     "1281x720",
                                        "8x8",  "1280x720x3", "1280X720", "99999999999999999999x2"};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) refused(OPTION_size, sizes[i]);
    static const char *const rates[] = {"0",     "241", "30/0",       "1/2",           "30/",
                                        "30fps", "-30", "4294967296", "30/99999999999"};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) refused(OPTION_fps, rates[i]);
}

Test(option_value, reads_flags_choices_and_texts) {
    bool flag = false;
    struct choice choice;
    char *text = NULL;
    cr_assert(option_value_parse(&option_table[OPTION_loop], "Yes", &flag) == 0 && flag);
    cr_assert(option_value_parse(&option_table[OPTION_loop], "off", &flag) == 0 && !flag);
    cr_expect_eq(refused(OPTION_loop, "2"), ERR_FORMAT);
    cr_assert_eq(option_value_parse(&option_table[OPTION_log], "debug", &choice), 0);
    cr_assert(choice.index == 3 && strcmp(choice.word, "debug") == 0);
    cr_expect_eq(refused(OPTION_log, "debu"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_log, "warn|info"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_log, ""), ERR_FORMAT);
    cr_assert_eq(option_value_parse(&option_table[OPTION_title], "a", &text), 0);
    cr_assert_eq(option_value_parse(&option_table[OPTION_title], "b\xc3\xa9", &text), 0);
    cr_assert_str_eq(text, "b\xc3\xa9");
    free(text);
    cr_expect_eq(refused(OPTION_title, "a\nb"), ERR_FORMAT);
    cr_expect_eq(refused(OPTION_title, "\xff"), ERR_FORMAT);
    char longest[129];
    memset(longest, 'a', sizeof longest - 1);
    longest[128] = '\0';
    cr_expect_eq(refused(OPTION_title, longest), ERR_RANGE);
    cr_expect_eq(refused(OPTION_stats, ""), ERR_FORMAT);
}
