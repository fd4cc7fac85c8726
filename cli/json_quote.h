/* json_quote.h - a text as a JSON string (RFC 8259, 7). */
#ifndef JSON_QUOTE_H
#define JSON_QUOTE_H

#include "core/base/base.h"

/* Room for a text of `n` bytes, all of them escaped, in quotes. */
#define JSON_QUOTE_MAX(n) (6 * (n) + 3)

/* With its quotes; cut where `size` is too small for it. Returns the length. */
size_t json_quote(const char *text, char *ret, size_t size);

#endif
