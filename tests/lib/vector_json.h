/* vector_json.h - reads files of test vectors: JSON of objects, arrays and strings without escapes.
 *
 * A value is a pointer to where it starts in the text. Files come with the tests, so whatever this
 * does not know ends in NULL, and the test that asked fails. */
#ifndef VECTOR_JSON_H
#define VECTOR_JSON_H

#include "core/base/base.h"

/* The whole file, to be freed, or NULL. */
char *vector_json_load(const char *path);
/* The value of a member, or NULL. */
const char *vector_json_member(const char *object, const char *name);
/* The item at `index`, or NULL behind the last one. */
const char *vector_json_item(const char *array, size_t index);
/* Copies a string without its quotes. Returns its length, ERR_FORMAT or ERR_FULL. */
MUST_CHECK int vector_json_string(const char *value, char *ret, size_t capacity);

#endif
