/* base32.h - RFC 4648 base32 without padding, lower case when written, either case when read. */
#ifndef BASE32_H
#define BASE32_H

#include "core/base/base.h"

/* Characters for `len` bytes. */
#define BASE32_LEN(len) (((len)*8 + 4) / 5)

/* Writes BASE32_LEN(len) characters, no zero behind them. */
void base32_write(const void *data, size_t len, char *ret);
/* Reads the BASE32_LEN(len) characters that encode `len` bytes. Returns 0, or ERR_FORMAT for other
 * characters and for bits behind the last byte that are not zero. */
MUST_CHECK int base32_read(const char *text, void *ret, size_t len);

#endif
