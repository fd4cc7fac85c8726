#include "cli/option_value.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/err.h"
#include "core/proto/text.h"

#define FRACTION_SCALE_MAX 1000000 /* six digits behind the point */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit plain[] = {{"", 1}, {NULL, 0}};
static const struct unit decimal_units[] = {{"", 1},        {"k", 1000},       {"K", 1000},
                                            {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000},
                                            {NULL, 0}};
static const struct unit time_units[] = {
    {"ms", US_PER_MS}, {"s", US_PER_S}, {"min", 60 * US_PER_S}, {"h", 3600 * US_PER_S}, {NULL, 0}};

static bool digit_is(char c) { return c >= '0' && c <= '9'; }

/* Decimal digits alone; at least one. */
static int digits_parse(const char **at, uint64_t *ret) {
    uint64_t value = 0;
    if (!digit_is(**at)) return ERR_FORMAT;
    for (; digit_is(**at); (*at)++) {
        unsigned digit = (unsigned)(**at - '0');
        if (value > (UINT64_MAX - digit) / 10) return ERR_RANGE;
        value = value * 10 + digit;
    }
    *ret = value;
    return 0;
}

/* ".5" as a numerator over the power of ten at `ret_scale`; nothing there is 0 over 1. */
static int fraction_parse(const char **at, uint64_t *ret, uint64_t *ret_scale) {
    *ret = 0;
    *ret_scale = 1;
    if (**at != '.') return 0;
    (*at)++;
    if (!digit_is(**at)) return ERR_FORMAT;
    for (; digit_is(**at); (*at)++) {
        if (*ret_scale == FRACTION_SCALE_MAX) return ERR_FORMAT;
        *ret = *ret * 10 + (unsigned)(**at - '0');
        *ret_scale *= 10;
    }
    return 0;
}

/* A number with a unit, as in "2.5M". 0 needs no unit. */
static int quantity_parse(const char *text, const struct unit *units, uint64_t *ret) {
    uint64_t whole, fraction, scale;
    int err = digits_parse(&text, &whole);
    if (!err) err = fraction_parse(&text, &fraction, &scale);
    if (err) return err;
    if (whole == 0 && fraction == 0 && *text == '\0') {
        *ret = 0;
        return 0;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(text, units->name) != 0) continue;
        uint64_t part = fraction * units->factor / scale; /* at most 10^6 * 10^12 */
        if (whole > (UINT64_MAX - part) / units->factor) return ERR_RANGE;
        *ret = whole * units->factor + part;
        return 0;
    }
    return ERR_FORMAT;
}

static int bounded_parse(const struct option *option, const char *text, const struct unit *units,
                         uint64_t *ret) {
    uint64_t value;
    int err = quantity_parse(text, units, &value);
    if (err) return err;
    if (value < option->least || value > option->most) return ERR_RANGE;
    *ret = value;
    return 0;
}

static int FLAG_parse(const struct option *option, const char *text, bool *ret) {
    (void)option;
    static const char *const words[][2] = {
        {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (size_t j = 0; j < 2; j++) {
            if (strcasecmp(text, words[i][j]) != 0) continue;
            *ret = j == 1;
            return 0;
        }
    }
    return ERR_FORMAT;
}

static int COUNT_parse(const struct option *option, const char *text, uint64_t *ret) {
    if (strchr(text, '.') != NULL) return ERR_FORMAT;
    return bounded_parse(option, text, plain, ret);
}

static int PORT_parse(const struct option *option, const char *text, uint64_t *ret) {
    return COUNT_parse(option, text, ret);
}

static int SIZE_parse(const struct option *option, const char *text, uint64_t *ret) {
    return bounded_parse(option, text, decimal_units, ret);
}

static int RATE_parse(const struct option *option, const char *text, uint64_t *ret) {
    if (option->most == UNLIMITED && strcmp(text, "unlimited") == 0) {
        *ret = UNLIMITED;
        return 0;
    }
    return bounded_parse(option, text, decimal_units, ret);
}

static int DURATION_parse(const struct option *option, const char *text, uint64_t *ret) {
    return bounded_parse(option, text, time_units, ret);
}

static int text_replace(const char *text, char **ret) {
    char *copy = strdup(text);
    if (copy == NULL) return ERR_MEMORY;
    free(*ret);
    *ret = copy;
    return 0;
}

static int TEXT_parse(const struct option *option, const char *text, char **ret) {
    if (strlen(text) > option->most) return ERR_RANGE;
    if (!text_is_utf8(text, strlen(text))) return ERR_FORMAT;
    return text_replace(text, ret);
}

static int PATH_parse(const struct option *option, const char *text, char **ret) {
    (void)option;
    if (text[0] == '\0') return ERR_FORMAT;
    if (strlen(text) >= PATH_MAX) return ERR_RANGE;
    return text_replace(text, ret);
}

static int CHOICE_parse(const struct option *option, const char *text, struct choice *ret) {
    size_t len = strlen(text);
    const char *word = option->argument;
    for (unsigned index = 0; len > 0 && len < CHOICE_WORD_MAX; index++) {
        size_t word_len = strcspn(word, "|");
        if (word_len == len && memcmp(word, text, len) == 0) {
            ret->index = index;
            memcpy(ret->word, text, len + 1);
            return 0;
        }
        if (word[word_len] == '\0') break;
        word += word_len + 1;
    }
    return ERR_FORMAT;
}

static int LISTEN_parse(const struct option *option, const char *text, struct address *ret) {
    (void)option;
    struct address address = {.is_set = true};
    uint64_t port;
    const char *at = text;
    if (digits_parse(&at, &port) == 0 && *at == '\0') {
        if (port > UINT16_MAX) return ERR_RANGE;
        address.at.port = (uint16_t)port;
    } else {
        int err = endpoint_parse(text, &address.at);
        if (err) return err;
    }
    *ret = address;
    return 0;
}

static int ADDRESS_parse(const struct option *option, const char *text, struct address *ret) {
    (void)option;
    struct address address = {.is_set = true, .is_off = strcmp(text, "off") == 0};
    int err = address.is_off ? 0 : endpoint_parse(text, &address.at);
    if (err) return err;
    *ret = address;
    return 0;
}

static int HOSTS_parse(const struct option *option, const char *text, struct hosts *ret) {
    if (strcmp(text, "none") == 0) {
        *ret = (struct hosts){.is_set = true};
        return 0;
    }
    if (!channel_link_peer_is_valid(text)) return ERR_FORMAT;
    if (ret->len >= option->most) return ERR_RANGE;
    snprintf(ret->text[ret->len++], sizeof ret->text[0], "%s", text);
    ret->is_set = true;
    return 0;
}

static int PICTURE_parse(const struct option *option, const char *text, struct picture_size *ret) {
    uint64_t sides[2];
    for (size_t i = 0; i < 2; i++) {
        int err = digits_parse(&text, &sides[i]);
        if (err) return err;
        if (*text != (i == 0 ? 'x' : '\0')) return ERR_FORMAT;
        /* 4:2:0 video has half as many samples of colour each way. */
        if (sides[i] < option->least || sides[i] > option->most || sides[i] % 2 != 0)
            return ERR_RANGE;
        text++;
    }
    *ret = (struct picture_size){(uint32_t)sides[0], (uint32_t)sides[1]};
    return 0;
}

/* "30", "29.97" or "30000/1001". */
static int FRAME_RATE_parse(const struct option *option, const char *text, struct frame_rate *ret) {
    uint64_t num, fraction = 0, den = 1;
    int err = digits_parse(&text, &num);
    if (err) return err;
    if (num > UINT32_MAX) return ERR_RANGE;
    if (*text == '/') {
        text++;
        err = digits_parse(&text, &den);
    } else {
        err = fraction_parse(&text, &fraction, &den);
        num = num * den + fraction;
    }
    if (err) return err;
    if (*text != '\0') return ERR_FORMAT;
    if (den == 0 || den > FRACTION_SCALE_MAX || num > UINT32_MAX) return ERR_RANGE;
    if (num < option->least * den || num > option->most * den) return ERR_RANGE;
    *ret = (struct frame_rate){(uint32_t)num, (uint32_t)den};
    return 0;
}

int option_value_parse(const struct option *option, const char *text, void *ret) {
    switch (option->kind) {
#define KIND(name, type)                                                                           \
    case KIND_##name: return name##_parse(option, text, ret);
        OPTION_KINDS(KIND)
#undef KIND
    }
    return ERR_UNKNOWN;
}

void option_value_clear(const struct option *option, void *value) {
    if (option->kind == KIND_TEXT || option->kind == KIND_PATH) {
        free(*(char **)value);
    }
    switch (option->kind) {
#define KIND(name, type)                                                                           \
    case KIND_##name: memset(value, 0, sizeof(type)); break;
        OPTION_KINDS(KIND)
#undef KIND
    }
}

/* The value in the largest unit that divides it. */
static void quantity_format(uint64_t value, const struct unit *units, char *ret, size_t size) {
    const struct unit *best = NULL;
    for (; units->name != NULL; units++)
        if (value % units->factor == 0 && (value != 0 || units->factor == 1) &&
            strcmp(units->name, "K") != 0)
            best = units;
    if (best == NULL)
        snprintf(ret, size, "%llu", (unsigned long long)value);
    else
        snprintf(ret, size, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

static const char *range_format(const struct option *option, const char *what,
                                const struct unit *units, char *ret) {
    char least[32], most[32];
    quantity_format(option->least, units, least, sizeof least);
    quantity_format(option->most, units, most, sizeof most);
    int len = snprintf(ret, VALUE_EXPECTED_MAX, "%s", what);
    size_t left = VALUE_EXPECTED_MAX - (size_t)len;
    if (option->most == UNLIMITED)
        snprintf(ret + len, left, "%s", option->least == 0 ? ", 0 for none" : "");
    else
        snprintf(ret + len, left, " from %s to %s", least, most);
    return ret;
}

/* "a|b|c" as "one of a, b, c". */
static const char *words_format(const char *words, char *ret) {
    int len = snprintf(ret, VALUE_EXPECTED_MAX, "one of ");
    for (; *words != '\0' && len < VALUE_EXPECTED_MAX - 3; words++) {
        if (*words == '|') {
            ret[len++] = ',';
            ret[len++] = ' ';
        } else {
            ret[len++] = *words;
        }
    }
    ret[len] = '\0';
    return ret;
}

const char *option_value_expected(const struct option *option, char *ret) {
    switch (option->kind) {
    case KIND_FLAG: return "yes or no";
    case KIND_COUNT: return range_format(option, "a number", plain, ret);
    case KIND_PORT: return "a port from 0 (any that is free) to 65535";
    case KIND_SIZE: return range_format(option, "a size such as 64M", decimal_units, ret);
    case KIND_RATE: return range_format(option, "a rate such as 800k or 2.5M", decimal_units, ret);
    case KIND_DURATION: return range_format(option, "a time such as 500ms or 2s", time_units, ret);
    case KIND_PATH: return "the name of a file";
    case KIND_CHOICE: return words_format(option->argument, ret);
    case KIND_LISTEN: return "a port or ADDRESS:PORT, such as 7000 or 192.0.2.1:7000";
    case KIND_ADDRESS: return "ADDRESS:PORT such as 127.0.0.1:8080, or off";
    case KIND_HOSTS:
        snprintf(ret, VALUE_EXPECTED_MAX,
                 "HOST:PORT such as node.example:4222, or none; at most %u",
                 (unsigned)option->most);
        return ret;
    case KIND_PICTURE:
        return range_format(option, "WIDTHxHEIGHT such as 1280x720, even numbers", plain, ret);
    case KIND_FRAME_RATE:
        return range_format(option, "frames a second such as 30, 29.97 or 30000/1001,", plain, ret);
    case KIND_TEXT:
        snprintf(ret, VALUE_EXPECTED_MAX, "at most %u bytes of text without control characters",
                 (unsigned)option->most);
        return ret;
    }
    return "another value";
}
