/* link_read.h - the LINK that a command was given. */
#ifndef LINK_READ_H
#define LINK_READ_H

#include "core/proto/channel_link.h"

/* Errors were logged, with what would be right: ERR_FORMAT, ERR_CHECKSUM, ERR_RANGE. */
MUST_CHECK int link_read(const char *text, struct channel_link *ret);

#endif
