#include "media/descriptor_io.h"

#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
#include <unistd.h>

#include "core/base/err.h"

#define BUFFER_BYTES 32768

static int read_some(void *opaque, uint8_t *buffer, int size) {
    struct descriptor_io *d = opaque;
    for (;;) {
        if (interrupt_wait_readable(d->interrupt, d->fd)) return AVERROR_EXIT;
        ssize_t n = read(d->fd, buffer, (size_t)size);
        if (n > 0) return (int)n;
        if (n == 0) return AVERROR_EOF;
        if (errno != EINTR && errno != EAGAIN) return AVERROR(errno);
    }
}

int descriptor_io_init(struct descriptor_io *d, int fd, bool owned,
                       const struct interrupt *interrupt) {
    *d = (struct descriptor_io){.fd = fd, .owned = owned, .interrupt = interrupt};
    uint8_t *buffer = av_malloc(BUFFER_BYTES);
    if (buffer != NULL)
        d->context = avio_alloc_context(buffer, BUFFER_BYTES, 0, d, read_some, NULL, NULL);
    if (d->context == NULL) {
        av_free(buffer);
        descriptor_io_release(d);
        return ERR_MEMORY;
    }
    return 0;
}

void descriptor_io_release(struct descriptor_io *d) {
    if (d->context != NULL) av_freep(&d->context->buffer);
    avio_context_free(&d->context);
    if (d->owned && d->fd >= 0) close(d->fd);
    d->fd = -1;
}
