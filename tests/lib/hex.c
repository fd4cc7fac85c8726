#include "tests/lib/hex.h"

#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

int hex_read(const char *text, uint8_t *ret, size_t capacity) {
    size_t len = strlen(text);
    if (len % 2 != 0 || len / 2 > capacity) return ERR_FORMAT;
    if (strspn(text, "0123456789abcdef") != len) return ERR_FORMAT;
    for (size_t i = 0; i < len / 2; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) return ERR_FORMAT;
        ret[i] = (uint8_t)byte;
    }
    return (int)(len / 2);
}
