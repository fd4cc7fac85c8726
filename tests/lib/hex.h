/* hex.h - bytes written as hexadecimal digits, as published test vectors have them. */
#ifndef HEX_H
#define HEX_H

#include "core/base/base.h"

/* Decodes all of `text` into at most `capacity` bytes. Returns the length, or ERR_FORMAT. */
MUST_CHECK int hex_read(const char *text, uint8_t *ret, size_t capacity);

#endif
