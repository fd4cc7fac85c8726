/* input_address.h - what kind of thing an input's name names. */
#ifndef INPUT_ADDRESS_H
#define INPUT_ADDRESS_H

#include <stdbool.h>

#include "core/base/base.h"

#define INPUT_URL_MAX 2048

struct AVInputFormat;

enum input_kind {
    INPUT_FILE,       /* a regular file: stored, can be looped */
    INPUT_DESCRIPTOR, /* standard input, a named pipe: stored as far as pacing goes */
    INPUT_DEVICE,     /* a camera, a screen, a microphone: live */
    INPUT_URL,        /* anything else that libavformat knows */
};

struct input_address {
    enum input_kind kind;
    const struct AVInputFormat *format; /* as asked, or the device's; NULL: to be found out */
    char url[INPUT_URL_MAX];            /* for avformat_open_input */
    int fd;                             /* INPUT_DESCRIPTOR, else -1; for the caller to close */
    bool fd_owned;                      /* whether it is to be closed */
    bool listens;                       /* an address that waits for a caller */
    bool listen_option;                 /* and is told so by the option "listen" */
};

/* `format` may be NULL. Returns 0, or an error with `ret_why` set to a static text: ERR_ARGUMENT,
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_UNSUPPORTED or ERR_SYSTEM. */
MUST_CHECK int input_address_parse(const char *input, const char *format, struct input_address *ret,
                                   const char **ret_why);

#endif
