/* json.h - reading a value out of one line of JSON (RFC 8259), by a path such as "chunks.missed".
 *
 * For tests: lines of --stats, /metrics, ffprobe. Strict, so that a line which a real parser would
 * refuse is refused here too. */
#ifndef JSON_H
#define JSON_H

#include "core/base/base.h"

#define JSON_DEPTH_MAX 32

/* 0 where the whole text is one JSON value, else ERR_FORMAT. */
MUST_CHECK int json_check(const char *text);
/* Returns 0, ERR_NOT_FOUND where there is no such member, ERR_STATE where it is null, or ERR_FORMAT
 * where it is no number or the text no JSON. */
MUST_CHECK int json_number(const char *text, const char *path, double *ret);
/* The same for a string, in `size` bytes with its zero (ERR_FULL). Escapes of characters above 127
 * are refused. */
MUST_CHECK int json_text(const char *text, const char *path, char *ret, size_t size);

#endif
