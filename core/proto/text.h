/* text.h - which bytes from strangers are text that a terminal or a page may show. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>

#include "core/base/base.h"

/* UTF-8 (RFC 3629: shortest form, no surrogates) without control characters (C0, DEL, C1). */
bool text_is_utf8(const void *data, size_t len);
/* 0x20 to 0x7e. */
bool text_is_ascii(const void *data, size_t len);

#endif
