/* err.h - every error that crosses a function's border, with its text.
 *
 * Functions return 0 or a count, or one of these negative numbers. Bytes from a peer, a file or a
 * user end in an error and never in an assert. The text says what was found, in a form that fits
 * behind "NAME: ". */
#ifndef ERR_H
#define ERR_H

#include "core/base/base.h"

#define ERR_LIST(X)                                                                                \
    X(ARGUMENT, "a value that is not allowed here")                                                \
    X(MEMORY, "out of memory")                                                                     \
    X(SYSTEM, "the system refused")                                                                \
    X(TRUNCATED, "ends too early")                                                                 \
    X(TRAILING, "bytes behind the end")                                                            \
    X(VERSION, "of an unknown version")                                                            \
    X(RANGE, "a field is out of range")                                                            \
    X(FORMAT, "malformed")                                                                         \
    X(CHECKSUM, "mistyped: its checksum does not match")                                           \
    X(SIGNATURE, "its signature is not valid")                                                     \
    X(HASH, "its hash does not match")                                                             \
    X(DECRYPT, "cannot be opened with this key")                                                   \
    X(REPLAY, "seen before")                                                                       \
    X(STALE, "too old")                                                                            \
    X(DUPLICATE, "already there")                                                                  \
    X(FULL, "full")                                                                                \
    X(UNKNOWN, "unknown")                                                                          \
    X(UNSOLICITED, "not asked for")                                                                \
    X(EQUIVOCATION, "the source signed two different ones")                                        \
    X(STATE, "not possible now")                                                                   \
    X(EXISTS, "exists already")                                                                    \
    X(NOT_FOUND, "not found")                                                                      \
    X(PERMISSION, "permission denied")                                                             \
    X(UNSUPPORTED, "not supported")                                                                \
    X(TIMEOUT, "timed out")                                                                        \
    X(END, "at its end")

enum err {
    ERR_NONE = 0,
#define X(name, text) ERR_POSITION_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

/* ERR_TRUNCATED and so on: negative, so that they stand beside counts. */
enum {
#define X(name, text) ERR_##name = -(int)ERR_POSITION_##name,
    ERR_LIST(X)
#undef X
};

/* The text of an error, or "no error" for 0 and above. Never NULL. */
const char *err_text(int err);

#endif
