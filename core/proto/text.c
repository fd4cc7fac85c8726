#include "core/proto/text.h"

/* The length of the sequence that starts with `first`; 0 for a byte that starts none. */
static size_t sequence_len(uint8_t first) {
    if (first < 0x80) return 1;
    if (first < 0xc0) return 0;
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf8 ? 4 : 0;
}

static bool code_point_is_text(uint32_t c) {
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
    return (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff;
}

bool text_is_utf8(const void *data, size_t len) {
    static const uint32_t least[] = {[1] = 0, 0x80, 0x800, 0x10000}; /* that needs so many bytes */
    const uint8_t *p = data;
    for (size_t at = 0; at < len;) {
        size_t n = sequence_len(p[at]);
        if (n == 0 || n > len - at) return false;
        uint32_t c = n == 1 ? p[at] : p[at] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
            if ((p[at + i] & 0xc0) != 0x80) return false;
            c = c << 6 | (p[at + i] & 0x3f);
        }
        if (c < least[n] || !code_point_is_text(c)) return false;
        at += n;
    }
    return true;
}

bool text_is_ascii(const void *data, size_t len) {
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        if (p[i] < 0x20 || p[i] > 0x7e) return false;
    return true;
}
