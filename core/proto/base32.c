#include "core/proto/base32.h"

#include "core/base/err.h"

static int digit_value(char c) {
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

void base32_write(const void *data, size_t len, char *ret) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    const uint8_t *p = data;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | p[i]) & 0xfff; /* at most 4 bits are left from before */
        for (held += 8; held >= 5; held -= 5) *ret++ = digits[bits >> (held - 5) & 31];
    }
    if (held > 0) *ret = digits[bits << (5 - held) & 31];
}

int base32_read(const char *text, void *ret, size_t len) {
    uint8_t *p = ret;
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < BASE32_LEN(len); i++) {
        int value = digit_value(text[i]);
        if (value < 0) return ERR_FORMAT;
        bits = (bits << 5 | (unsigned)value) & 0xfff;
        held += 5;
        if (held < 8) continue;
        held -= 8;
        *p++ = (uint8_t)(bits >> held);
    }
    return (bits & ((1u << held) - 1)) == 0 ? 0 : ERR_FORMAT;
}
