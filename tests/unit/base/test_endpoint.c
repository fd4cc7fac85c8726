#include "core/base/endpoint.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/err.h"

static struct endpoint parsed(const char *text) {
    struct endpoint e;
    cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
    return e;
}

Test(endpoint, comes_back_as_it_was_written) {
    static const char *const texts[] = {
        "192.0.2.1:7000",        "0.0.0.0:0",
        "255.255.255.255:65535", "[::1]:1",
        "[2001:db8::1]:7000",    "[2001:db8:1:2:3:4:5:6]:7000",
        "[fe80::1]:80",          "[::]:0",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[ENDPOINT_TEXT_MAX];
        struct endpoint e = parsed(texts[i]);
        cr_assert_str_eq(endpoint_format(&e, text), texts[i]);
    }
}

Test(endpoint, is_an_ipv4_address_mapped_into_ipv6) {
    struct endpoint e = parsed("192.0.2.1:7000"), mapped = parsed("[::ffff:192.0.2.1]:7000");
    cr_assert_arr_eq(e.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
    cr_assert(endpoint_equal(&e, &mapped));
    cr_assert(endpoint_is_ipv4(&e));
    e = parsed("[2001:db8::1]:7000");
    cr_assert_not(endpoint_is_ipv4(&e));
}

Test(endpoint, is_refused_when_malformed) {
    static const char *const bad[] = {
        "",
        ":",
        ":7000",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2:80",
        "host:7000",
        "1.2.3.4:x",
        "1.2.3.4:80x",
        "1.2.3.4:-1",
        "1.2.3.4:65536",
        "1.2.3.4: 80",
        "::1:7000",
        "[::1]",
        "[::1]:",
        "[::1]7000",
        "[::1:7000",
        "[]:7000",
        "[::1]:+80",
        "[1.2.3.4]:1",
        "[::1]:99999",
        "[::1]]:7000",
        "1.2.3.256:7000",
        "[::g]:7000",
        "[",
        "[]",
        "]:1",
        "1.2.3.4:+80",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
    };
    struct endpoint e = {.port = 77};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(endpoint_parse(bad[i], &e), ERR_FORMAT, "%s", bad[i]);
    cr_assert_eq(e.port, 77);
}

Test(endpoint, has_a_text_that_always_fits) {
    struct endpoint e = {.port = UINT16_MAX};
    char text[ENDPOINT_TEXT_MAX];
    memset(e.ip, 0xff, sizeof e.ip);
    cr_assert_str_eq(endpoint_format(&e, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

Test(endpoint, is_masked_for_logs) {
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint e = parsed("192.0.2.1:7000");
    cr_assert_str_eq(endpoint_format_masked(&e, text), "192.0.x.x:7000");
    e = parsed("[2001:db8:1:2:3:4:5:6]:7000");
    cr_assert_str_eq(endpoint_format_masked(&e, text), "[2001:db8:x]:7000");
}

Test(endpoint, is_equal_by_address_and_port) {
    struct endpoint a = parsed("192.0.2.1:7000"), b = a;
    cr_assert(endpoint_equal(&a, &b));
    b.port++;
    cr_assert_not(endpoint_equal(&a, &b));
    b = a;
    b.ip[15]++;
    cr_assert_not(endpoint_equal(&a, &b));
}

Test(endpoint, knows_loopback) {
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {{"127.0.0.1:1", true},  {"127.255.0.9:1", true},
                 {"[::1]:1", true},      {"128.0.0.1:1", false},
                 {"[::2]:1", false},     {"[::]:1", false},
                 {"192.0.2.1:1", false}, {"[::ffff:127.0.0.1]:1", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint e = parsed(cases[i].text);
        cr_assert_eq(endpoint_is_loopback(&e), cases[i].is_loopback, "%s", cases[i].text);
    }
}

Test(endpoint, is_usable_where_a_datagram_can_be_sent_to_one_host) {
    static const struct {
        const char *text;
        bool is_usable, is_empty;
    } cases[] = {
        {"192.0.2.1:7000", true, false},  {"127.0.0.1:1", true, false},
        {"10.0.0.1:65535", true, false},  {"[::1]:1", true, false},
        {"[fe80::1]:1", true, false},     {"223.255.255.255:1", true, false},
        {"192.0.2.1:0", false, true},     {"[2001:db8::1]:0", false, true},
        {"0.0.0.0:7000", false, true},    {"[::]:7000", false, true},
        {"0.1.2.3:7000", false, false},   {"224.0.0.1:7000", false, false},
        {"240.0.0.1:7000", false, false}, {"255.255.255.255:7000", false, false},
        {"[ff02::1]:7000", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct endpoint e = parsed(cases[i].text);
        cr_assert_eq(endpoint_is_usable(&e), cases[i].is_usable, "%s", cases[i].text);
        cr_assert_eq(endpoint_is_empty(&e), cases[i].is_empty, "%s", cases[i].text);
    }
}

Test(endpoint, takes_eighteen_bytes_on_the_wire) {
    uint8_t data[ENDPOINT_WIRE];
    struct endpoint e = parsed("192.0.2.1:7000"), got;
    struct writer w = writer_init(data, sizeof data);
    endpoint_write(&w, &e);
    cr_assert_eq(w.err, 0);
    cr_assert_eq(writer_len(&w), ENDPOINT_WIRE);
    cr_assert_arr_eq(data + 10, "\xff\xff\xc0\0\2\1\x1b\x58", 8);
    struct reader r = reader_init(data, sizeof data);
    endpoint_read(&r, &got);
    cr_assert_eq(reader_finish(&r), 0);
    cr_assert(endpoint_equal(&got, &e));
    for (size_t cut = 0; cut < sizeof data; cut++) {
        r = reader_init(data, cut);
        endpoint_read(&r, &got);
        cr_assert_eq(reader_finish(&r), ERR_TRUNCATED);
    }
}
