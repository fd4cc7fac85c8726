#include "tests/lib/vector_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

#define FILE_SIZE_MAX (1 << 20)

char *vector_json_load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = malloc(FILE_SIZE_MAX + 1);
    size_t len = text == NULL ? 0 : fread(text, 1, FILE_SIZE_MAX, file);
    if (text != NULL) text[len] = '\0';
    fclose(file);
    return text;
}

static const char *skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

static const char *skip_string(const char *at) {
    const char *end = at + 1 + strcspn(at + 1, "\"\\");
    return *end == '"' ? end + 1 : NULL;
}

/* Behind the value at `at`: strings, and brackets with all that they hold. */
static const char *skip_value(const char *at) {
    size_t depth = 0;
    do {
        at = skip_space(at);
        if (*at == '"') {
            at = skip_string(at);
            if (at == NULL) return NULL;
            continue;
        }
        if (*at == '\0') return NULL;
        if (*at == '{' || *at == '[') depth++;
        if (*at == '}' || *at == ']') depth--;
        at++;
    } while (depth > 0);
    return at;
}

const char *vector_json_member(const char *object, const char *name) {
    if (object == NULL || *object != '{') return NULL;
    size_t name_len = strlen(name);
    for (const char *at = object; *at == '{' || *at == ',';) {
        const char *key = skip_space(at + 1);
        if (*key != '"') return NULL;
        const char *value = skip_string(key);
        if (value == NULL) return NULL;
        bool is_named = (size_t)(value - key) == name_len + 2 && !memcmp(key + 1, name, name_len);
        value = skip_space(value);
        if (*value != ':') return NULL;
        value = skip_space(value + 1);
        if (is_named) return value;
        at = skip_value(value);
        if (at == NULL) return NULL;
        at = skip_space(at);
    }
    return NULL;
}

const char *vector_json_item(const char *array, size_t index) {
    if (array == NULL || *array != '[') return NULL;
    const char *at = skip_space(array + 1);
    if (*at == ']') return NULL;
    for (size_t i = 0; i < index; i++) {
        at = skip_value(at);
        if (at == NULL) return NULL;
        at = skip_space(at);
        if (*at != ',') return NULL;
        at = skip_space(at + 1);
    }
    return at;
}

int vector_json_string(const char *value, char *ret, size_t capacity) {
    if (value == NULL || *value != '"') return ERR_FORMAT;
    const char *end = skip_string(value);
    if (end == NULL) return ERR_FORMAT;
    size_t len = (size_t)(end - value) - 2;
    if (len >= capacity) return ERR_FULL;
    memcpy(ret, value + 1, len);
    ret[len] = '\0';
    return (int)len;
}
