/* json_text.h - a text as a JSON string (RFC 8259, 7). */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include "core/base/base.h"

/* Room for a text of `n` bytes, all of them escaped, in quotes. */
#define JSON_TEXT_MAX(n) (6 * (n) + 3)

/* With its quotes; cut where `size` is too small for it. Returns the length. */
size_t json_text(const char *text, char *ret, size_t size);

#endif
