#include "tests/lib/json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"

static int skip_value(const char **at, int depth);

static void skip_blanks(const char **at) { *at += strspn(*at, " \t\r\n"); }

static bool take(const char **at, char c) {
    skip_blanks(at);
    if (**at != c) return false;
    (*at)++;
    return true;
}

/* Past the closing quote; `at` stands behind the opening one. */
static int skip_string(const char **at) {
    for (; **at != '"'; (*at)++) {
        if ((unsigned char)**at < 0x20) return ERR_FORMAT; /* the end of the text too */
        if (**at != '\\') continue;
        (*at)++;
        if (**at == '\0' || strchr("\"\\/bfnrtu", **at) == NULL) return ERR_FORMAT;
        for (int i = 0; **at == 'u' && i < 4; i++)
            if (!isxdigit((unsigned char)(*at)[i + 1])) return ERR_FORMAT;
    }
    (*at)++;
    return 0;
}

static size_t digits(const char *at) { return strspn(at, "0123456789"); }

static int skip_number(const char **at) {
    if (**at == '-') (*at)++;
    size_t n = digits(*at);
    if (n == 0 || (n > 1 && **at == '0')) return ERR_FORMAT;
    *at += n;
    if (**at == '.') {
        n = digits(*at + 1);
        if (n == 0) return ERR_FORMAT;
        *at += 1 + n;
    }
    if (**at == 'e' || **at == 'E') {
        (*at)++;
        if (**at == '+' || **at == '-') (*at)++;
        n = digits(*at);
        if (n == 0) return ERR_FORMAT;
        *at += n;
    }
    return 0;
}

/* The members of an object or the items of an array; `at` stands behind the opening bracket. */
static int skip_members(const char **at, char close, int depth) {
    if (take(at, close)) return 0;
    do {
        if (close == '}') {
            if (!take(at, '"') || skip_string(at) != 0 || !take(at, ':')) return ERR_FORMAT;
        }
        if (skip_value(at, depth) != 0) return ERR_FORMAT;
    } while (take(at, ','));
    return take(at, close) ? 0 : ERR_FORMAT;
}

static int skip_value(const char **at, int depth) {
    static const char *const words[] = {"true", "false", "null"};
    if (depth == JSON_DEPTH_MAX) return ERR_FORMAT;
    if (take(at, '{')) return skip_members(at, '}', depth + 1);
    if (take(at, '[')) return skip_members(at, ']', depth + 1);
    if (take(at, '"')) return skip_string(at);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i]);
        if (strncmp(*at, words[i], len) != 0) continue;
        *at += len;
        return 0;
    }
    return skip_number(at);
}

int json_check(const char *text) {
    if (skip_value(&text, 0) != 0) return ERR_FORMAT;
    skip_blanks(&text);
    return *text == '\0' ? 0 : ERR_FORMAT;
}

/* The value of the member `name` of the object at `at`, or NULL. The text has been checked. */
static const char *member_find(const char *at, const char *name, size_t len) {
    if (!take(&at, '{')) return NULL;
    while (take(&at, '"')) {
        const char *key = at;
        if (skip_string(&at) != 0 || !take(&at, ':')) return NULL;
        skip_blanks(&at);
        if (strncmp(key, name, len) == 0 && key[len] == '"') return at;
        if (skip_value(&at, 0) != 0 || !take(&at, ',')) return NULL;
        skip_blanks(&at);
    }
    return NULL;
}

static int path_find(const char *text, const char *path, const char **ret) {
    if (json_check(text) != 0) return ERR_FORMAT;
    while (text != NULL) {
        size_t len = strcspn(path, ".");
        text = member_find(text, path, len);
        path += len;
        if (*path == '\0') break;
        path++;
    }
    if (text == NULL) return ERR_NOT_FOUND;
    if (strncmp(text, "null", 4) == 0) return ERR_STATE;
    *ret = text;
    return 0;
}

int json_number(const char *text, const char *path, double *ret) {
    const char *value;
    int err = path_find(text, path, &value);
    if (err) return err;
    if (*value != '-' && digits(value) == 0) return ERR_FORMAT;
    *ret = strtod(value, NULL);
    return 0;
}

/* One character of a string, its escape undone. */
static int character_take(const char **at, char *ret) {
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (**at != '\\') {
        *ret = *(*at)++;
        return 0;
    }
    char c = (*at)[1];
    *at += 2;
    if (c != 'u') {
        *ret = meanings[strchr(escapes, c) - escapes];
        return 0;
    }
    char hex[5] = {(*at)[0], (*at)[1], (*at)[2], (*at)[3], '\0'};
    unsigned long code = strtoul(hex, NULL, 16);
    *at += 4;
    *ret = (char)code;
    return code > 0 && code < 0x80 ? 0 : ERR_FORMAT;
}

int json_text(const char *text, const char *path, char *ret, size_t size) {
    const char *at;
    int err = path_find(text, path, &at);
    if (err) return err;
    if (*at++ != '"') return ERR_FORMAT;
    size_t len = 0;
    while (*at != '"') {
        if (len + 1 >= size) return ERR_FULL;
        err = character_take(&at, &ret[len++]);
        if (err) return err;
    }
    ret[len] = '\0';
    return 0;
}
