/* descriptor_io.h - libavformat reading from a pipe, a terminal or a socket that may be silent.
 *
 * libavformat's own pipe: blocks in read(2), where nothing but data ends the wait. This one polls,
 * so that an interrupt ends it at once. */
#ifndef DESCRIPTOR_IO_H
#define DESCRIPTOR_IO_H

#include <libavformat/avio.h>

#include "media/interrupt.h"

struct descriptor_io {
    int fd;
    bool owned; /* closed at release; standard input is not */
    const struct interrupt *interrupt;
    AVIOContext *context; /* for AVFormatContext.pb; valid until release */
};

/* Takes `fd` over where `owned`, also on failure. Returns 0 or ERR_MEMORY. */
MUST_CHECK int descriptor_io_init(struct descriptor_io *d, int fd, bool owned,
                                  const struct interrupt *interrupt);
/* A descriptor_io of zeros with fd -1 may be released too. */
void descriptor_io_release(struct descriptor_io *d);

#endif
