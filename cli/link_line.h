/* link_line.h - the line "link shoal:..." that other programs read. */
#ifndef LINK_LINE_H
#define LINK_LINE_H

#include <stdio.h>

#include "cli/keyfile.h"
#include "cli/options.h"

/* The key's link with what --peer and --name put into it, to `to`. Returns 0, ERR_FULL where the
 * link is too long, or ERR_SYSTEM where it could not be written. */
MUST_CHECK int link_line_print(FILE *to, const struct keyfile *key, const struct hosts *peers,
                               const char *name);

#endif
