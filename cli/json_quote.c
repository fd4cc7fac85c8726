#include "cli/json_quote.h"

#include <stdio.h>
#include <string.h>

/* Quotes, backslashes and control characters are escaped. The rest is UTF-8 already: titles and
 * names are checked where they come in. */
static size_t escape(unsigned char c, char ret[8]) {
    if (c == '"' || c == '\\') return (size_t)snprintf(ret, 8, "\\%c", c);
    if (c < 0x20 || c == 0x7f) return (size_t)snprintf(ret, 8, "\\u%04x", c);
    ret[0] = (char)c;
    return 1;
}

size_t json_quote(const char *text, char *ret, size_t size) {
    size_t len = 0;
    ret[len++] = '"';
    for (; *text != '\0'; text++) {
        char escaped[8];
        size_t n = escape((unsigned char)*text, escaped);
        if (len + n + 2 > size) break; /* the closing quote and the zero */
        memcpy(ret + len, escaped, n);
        len += n;
    }
    ret[len++] = '"';
    ret[len] = '\0';
    return len;
}
