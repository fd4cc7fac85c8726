#include "core/proto/channel_link.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

#define KEY_AT 6 /* behind "shoal:" */
#define KEY_LEN 56

static struct channel_link plain;
static char plain_text[CHANNEL_LINK_TEXT_MAX];

static void start(void) {
    cr_assert_eq(random_start(), 0);
    struct sign_key key;
    sign_key_from_seed(&key, (const uint8_t[SIGN_SEED_BYTES]){1});
    memset(&plain, 0, sizeof plain);
    plain.channel = key.public;
    cr_assert_eq(channel_link_format(&plain, plain_text), KEY_AT + KEY_LEN);
}

TestSuite(channel_link, .init = start);

/* Parses the plain link with `options` behind it. */
static int parse_with(const char *options, struct channel_link *ret) {
    char text[2 * CHANNEL_LINK_TEXT_MAX];
    cr_assert_lt(snprintf(text, sizeof text, "%s%s", plain_text, options), (int)sizeof text);
    return channel_link_parse(text, ret);
}

Test(channel_link, comes_back_as_it_was_written) {
    struct channel_link link = plain, got;
    char text[CHANNEL_LINK_TEXT_MAX];
    link.has_read_key = true;
    memset(link.read_key.bytes, 0x5a, sizeof link.read_key.bytes);
    strcpy(link.name, "k\xc3\xb6nig & \"co\" 100% ?#/+=");
    link.peers_len = 3;
    strcpy(link.peers[0], "192.0.2.1:7000");
    strcpy(link.peers[1], "[2001:db8::1]:65535");
    strcpy(link.peers[2], "relay-1.example.org:1");
    int len = channel_link_format(&link, text);
    cr_assert_eq((size_t)len, strlen(text));
    cr_assert_eq(channel_link_parse(text, &got), 0);
    cr_assert(public_key_equal(&got.channel, &link.channel));
    cr_assert(got.has_read_key);
    cr_assert_arr_eq(got.read_key.bytes, link.read_key.bytes, READ_KEY_BYTES);
    cr_assert_str_eq(got.name, link.name);
    cr_assert_eq(got.peers_len, 3);
    for (size_t i = 0; i < 3; i++) cr_assert_str_eq(got.peers[i], link.peers[i]);
}

Test(channel_link, is_written_without_characters_that_a_shell_or_chat_would_change) {
    struct channel_link link = plain;
    char text[CHANNEL_LINK_TEXT_MAX];
    strcpy(link.name, "a b");
    link.peers_len = 1;
    strcpy(link.peers[0], "[::1]:7000");
    channel_link_format(&link, text);
    cr_assert_str_eq(text + KEY_AT + KEY_LEN, "?peer=%5B::1%5D:7000&name=a%20b");
}

Test(channel_link, of_a_key_alone_has_no_options) {
    struct channel_link got;
    memset(&got, 0xaa, sizeof got);
    cr_assert_eq(channel_link_parse(plain_text, &got), 0);
    cr_assert(public_key_equal(&got.channel, &plain.channel));
    cr_assert_not(got.has_read_key);
    cr_assert_str_empty(got.name);
    cr_assert_eq(got.peers_len, 0);
}

Test(channel_link, is_taken_in_upper_case) {
    struct channel_link got;
    char text[CHANNEL_LINK_TEXT_MAX];
    for (size_t i = 0; i <= KEY_AT + KEY_LEN; i++) text[i] = (char)toupper(plain_text[i]);
    cr_assert_eq(channel_link_parse(text, &got), 0);
    cr_assert(public_key_equal(&got.channel, &plain.channel));
}

/* Every printable character at every place. */
Test(channel_link, is_refused_with_any_one_character_mistyped) {
    struct channel_link got;
    char text[CHANNEL_LINK_TEXT_MAX];
    for (size_t at = 0; at < KEY_AT + KEY_LEN; at++) {
        for (int c = 0x20; c < 0x7f; c++) {
            strcpy(text, plain_text);
            if (tolower(c) == text[at]) continue;
            text[at] = (char)c;
            bool is_digit = isalpha(c) || (c >= '2' && c <= '7');
            int expected = at >= KEY_AT && is_digit ? ERR_CHECKSUM : ERR_FORMAT;
            cr_assert_eq(channel_link_parse(text, &got), expected, "'%c' at %zu", c, at);
        }
    }
}

Test(channel_link, is_refused_with_neighbours_swapped) {
    struct channel_link got;
    char text[CHANNEL_LINK_TEXT_MAX];
    for (size_t at = KEY_AT; at + 1 < KEY_AT + KEY_LEN; at++) {
        strcpy(text, plain_text);
        if (text[at] == text[at + 1]) continue;
        text[at] = plain_text[at + 1];
        text[at + 1] = plain_text[at];
        cr_assert_eq(channel_link_parse(text, &got), ERR_CHECKSUM, "at %zu", at);
    }
}

Test(channel_link, is_refused_when_cut_anywhere_or_followed_by_something) {
    struct channel_link got;
    char text[CHANNEL_LINK_TEXT_MAX];
    memset(&got, 0xaa, sizeof got);
    for (size_t cut = 0; cut < KEY_AT + KEY_LEN; cut++) {
        memcpy(text, plain_text, cut);
        text[cut] = '\0';
        cr_assert_eq(channel_link_parse(text, &got), ERR_FORMAT, "cut at %zu", cut);
    }
    cr_assert_eq(parse_with("a", &got), ERR_FORMAT);
    cr_assert_eq(parse_with(" ", &got), ERR_FORMAT);
    cr_assert_eq(parse_with("/", &got), ERR_FORMAT);
    cr_assert_eq(parse_with("\n", &got), ERR_FORMAT);
    cr_assert_eq(got.peers_len, 0xaa); /* untouched */
}

Test(channel_link, is_refused_for_a_key_that_is_none) {
    struct channel_link bad = {.channel = {{2}}}, got;
    char text[CHANNEL_LINK_TEXT_MAX];
    channel_link_format(&bad, text);
    cr_assert_eq(channel_link_parse(text, &got), ERR_RANGE);
}

Test(channel_link, takes_peers_by_address_and_by_name) {
    static const char *const good[] = {"192.0.2.1:1",      "a:65535",
                                       "a.b-c.d_e:80",     "xn--bcher-kva.example:443",
                                       "[::1]:7000",       "[2001:db8::192.0.2.1]:7000",
                                       "example.org.:7000"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct channel_link got;
        char options[CHANNEL_LINK_TEXT_MAX];
        snprintf(options, sizeof options, "?peer=%s", good[i]);
        cr_assert_eq(parse_with(options, &got), 0, "%s", good[i]);
        cr_assert_eq(got.peers_len, 1);
        cr_assert_str_eq(got.peers[0], good[i]);
    }
}

Test(channel_link, is_refused_with_a_peer_that_is_none) {
    static const char *const bad[] = {
        "",           ":",        ":7000",       "host",       "host:",        "host:0",
        "host:65536", "host:-1",  "host:+1",     "host: 1",    "host:7x",      "host:000001",
        "ho st:1",    "host:1:2", "::1:7000",    "[::1]",      "[::1]7000",    "[::1]:",
        "[::1:7000",  "[]:7000",  "[host]:7000", "[::1]:0",    "-a:1",         ".a:1",
        "a..b:1",     "h/x:1",    "u@host:1",    "host:70000", "[::1%25lo]:1", "h\xc3\xb6st:1",
        "%00:1",      "host%3",   "host:1%",     "host%zz:1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct channel_link got;
        char options[CHANNEL_LINK_TEXT_MAX];
        snprintf(options, sizeof options, "?peer=%s", bad[i]);
        cr_assert_eq(parse_with(options, &got), ERR_FORMAT, "%s", bad[i]);
    }
    struct channel_link got;
    cr_assert_eq(parse_with("?peer", &got), ERR_FORMAT);
}

Test(channel_link, takes_as_many_peers_as_its_maximum) {
    struct channel_link got;
    char options[CHANNEL_LINK_TEXT_MAX] = "?peer=a:1";
    for (int i = 1; i < CHANNEL_LINK_PEERS_MAX; i++) strcat(options, "&peer=a:1");
    cr_assert_eq(parse_with(options, &got), 0);
    cr_assert_eq(got.peers_len, CHANNEL_LINK_PEERS_MAX);
    strcat(options, "&peer=a:1");
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
}

Test(channel_link, takes_the_longest_host_name_and_no_longer_one) {
    struct channel_link got;
    char options[CHANNEL_LINK_TEXT_MAX];
    char host[300];
    memset(host, 'a', sizeof host);
    snprintf(options, sizeof options, "?peer=%.255s:65535", host);
    cr_assert_eq(parse_with(options, &got), 0);
    cr_assert_eq(strlen(got.peers[0]), 261);
    snprintf(options, sizeof options, "?peer=%.256s:1", host);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    snprintf(options, sizeof options, "?peer=%.290s:1", host);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
}

Test(channel_link, takes_a_name_in_any_language) {
    struct channel_link got;
    cr_assert_eq(parse_with("?name=caf%C3%A9%20%F0%9F%90%9F", &got), 0);
    cr_assert_str_eq(got.name, "caf\xc3\xa9 \xf0\x9f\x90\x9f");
    cr_assert_eq(parse_with("?name=caf\xc3\xa9", &got), 0);
    cr_assert_str_eq(got.name, "caf\xc3\xa9");
}

Test(channel_link, is_refused_with_a_name_that_is_no_text) {
    static const char *const bad[] = {"?name=a%0Ab", "?name=%1b[31m",  "?name=%7f", "?name=%c3",
                                      "?name=%00",   "?name=%",        "?name=%4",  "?name=%g0",
                                      "?name=%0g",   "?name=a&name=b", "?name",     "?name=\xff"};
    struct channel_link got;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(parse_with(bad[i], &got), ERR_FORMAT, "%s", bad[i]);
}

Test(channel_link, takes_the_longest_name_and_no_longer_one) {
    struct channel_link got;
    char options[CHANNEL_LINK_TEXT_MAX], name[CHANNEL_LINK_NAME_MAX];
    memset(name, 'n', sizeof name);
    snprintf(options, sizeof options, "?name=%.*s", CHANNEL_LINK_NAME_MAX - 1, name);
    cr_assert_eq(parse_with(options, &got), 0);
    snprintf(options, sizeof options, "?name=%.*s", CHANNEL_LINK_NAME_MAX, name);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
}

Test(channel_link, is_refused_with_a_read_key_that_is_none) {
    struct channel_link got;
    char options[200] = "?read=", digits[60];
    memset(digits, 'a', sizeof digits);
    snprintf(options, sizeof options, "?read=%.52s", digits);
    cr_assert_eq(parse_with(options, &got), 0);
    cr_assert(got.has_read_key);
    snprintf(options, sizeof options, "?read=%.51s", digits);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    snprintf(options, sizeof options, "?read=%.53s", digits);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    snprintf(options, sizeof options, "?read=%.51s1", digits);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    snprintf(options, sizeof options, "?read=%.51sb", digits); /* bits behind the key */
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    snprintf(options, sizeof options, "?read=%.52s&read=%.52s", digits, digits);
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
    cr_assert_eq(parse_with("?read=", &got), ERR_FORMAT);
    cr_assert_eq(parse_with("?read", &got), ERR_FORMAT);
}

Test(channel_link, skips_options_that_it_does_not_know) {
    struct channel_link got;
    cr_assert_eq(parse_with("?future=%zz&x&=&peers=a&peer=a:1&&", &got), 0);
    cr_assert_eq(got.peers_len, 1);
    cr_assert_eq(parse_with("?", &got), 0);
}

Test(channel_link, is_refused_when_longer_than_its_maximum) {
    struct channel_link got;
    char options[2 * CHANNEL_LINK_TEXT_MAX] = "?x=";
    size_t most = CHANNEL_LINK_TEXT_MAX - 1 - KEY_AT - KEY_LEN;
    memset(options + 3, 'x', most - 3);
    cr_assert_eq(parse_with(options, &got), 0);
    options[most] = 'x';
    cr_assert_eq(parse_with(options, &got), ERR_FORMAT);
}

Test(channel_link, says_so_when_it_does_not_fit) {
    struct channel_link link = plain;
    char text[CHANNEL_LINK_TEXT_MAX];
    link.peers_len = CHANNEL_LINK_PEERS_MAX;
    for (size_t i = 0; i < CHANNEL_LINK_PEERS_MAX; i++)
        memset(link.peers[i], ' ', CHANNEL_LINK_HOST_MAX - 1);
    cr_assert_eq(channel_link_format(&link, text), ERR_FULL);
    cr_assert_str_empty(text);
    for (size_t i = 0; i < CHANNEL_LINK_PEERS_MAX; i++)
        memset(link.peers[i], 'a', CHANNEL_LINK_HOST_MAX - 1);
    memset(link.name, ' ', CHANNEL_LINK_NAME_MAX - 1);
    link.has_read_key = true;
    cr_assert_gt(channel_link_format(&link, text), 0);
}
