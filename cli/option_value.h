/* option_value.h - what an option's value can be: how each kind is read from text, kept and named.
 *
 * A value comes from a command line, a config file or the environment, and reads the same in all
 * three. A kind that is bounded takes its bounds from the option's row in options.def. */
#ifndef OPTION_VALUE_H
#define OPTION_VALUE_H

#include <stdbool.h>

#include "core/base/endpoint.h"
#include "core/proto/channel_link.h"

#define HOSTS_MAX 16           /* bootstrap nodes of one program */
#define CHOICE_WORD_MAX 16     /* with the zero */
#define VALUE_EXPECTED_MAX 200 /* bytes of a text that says what is allowed */
#define UNLIMITED UINT64_MAX   /* a RATE that is "unlimited" */

struct address {
    bool is_set;
    bool is_off;
    struct endpoint at; /* port 0: a free one; an unspecified address: all of them */
};

struct hosts {
    bool is_set; /* and an empty list: "none" */
    uint8_t len;
    char text[HOSTS_MAX][CHANNEL_LINK_HOST_MAX]; /* HOST:PORT */
};

struct choice {
    unsigned index; /* in the option's list of words */
    char word[CHOICE_WORD_MAX];
};

struct picture_size {
    uint32_t width, height; /* 0: not given */
};

struct frame_rate {
    uint32_t num, den; /* 0: not given */
};

/* KIND(name, type): the type of the member of struct options. */
#define OPTION_KINDS(KIND)                                                                         \
    KIND(FLAG, bool)                                                                               \
    KIND(COUNT, uint64_t)                                                                          \
    KIND(SIZE, uint64_t)     /* bytes */                                                           \
    KIND(RATE, uint64_t)     /* bits a second */                                                   \
    KIND(DURATION, uint64_t) /* microseconds */                                                    \
    KIND(PORT, uint64_t)                                                                           \
    KIND(TEXT, char *) /* NULL: not given */                                                       \
    KIND(PATH, char *)                                                                             \
    KIND(CHOICE, struct choice)                                                                    \
    KIND(LISTEN, struct address)  /* the address may be left out */                                \
    KIND(ADDRESS, struct address) /* may be off */                                                 \
    KIND(HOSTS, struct hosts)     /* repeated values are added */                                  \
    KIND(PICTURE, struct picture_size)                                                             \
    KIND(FRAME_RATE, struct frame_rate)

enum option_kind {
#define KIND(name, type) KIND_##name,
    OPTION_KINDS(KIND)
#undef KIND
};

/* value_RATE and so on. */
#define KIND(name, type) typedef type value_##name;
OPTION_KINDS(KIND)
#undef KIND

/* A row of options.def. */
struct option {
    const char *name;
    char short_name; /* 0: none */
    enum option_kind kind;
    const char *argument;
    const char *fallback; /* the default, NULL: none */
    uint64_t least, most;
    unsigned commands; /* a bit each: FOR() */
    const char *help;
    size_t offset; /* of the value in struct options */
};

/* Reads `text` into `ret`, which points to the kind's type and holds a value already (a TEXT is
 * freed, HOSTS are added to). Returns 0, ERR_FORMAT, ERR_RANGE or ERR_MEMORY, and then changes
 * nothing. */
MUST_CHECK int option_value_parse(const struct option *option, const char *text, void *ret);
/* What the option takes, to stand behind "expected ": fills VALUE_EXPECTED_MAX bytes. */
const char *option_value_expected(const struct option *option, char *ret);
/* Frees what the value holds and makes it empty: a program's start, and the end. */
void option_value_clear(const struct option *option, void *value);

#endif
