/* json_string.h - a text as a JSON string (RFC 8259, 7). */
#ifndef JSON_STRING_H
#define JSON_STRING_H

#include "core/base/base.h"

/* Room for a text of `n` bytes, all of them escaped, in quotes. */
#define JSON_STRING_MAX(n) (6 * (n) + 3)

/* With its quotes; cut where `size` is too small for it. Returns the length. */
size_t json_string(const char *text, char *ret, size_t size);

#endif
