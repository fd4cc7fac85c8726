/* config_file.h - options from a file: lines "name = value" with the names of the command line.
 *
 * Empty lines and lines that start with "#" are skipped, blanks around name and value too, and a
 * value may stand in double quotes. A name may be repeated for an option that can be given several
 * times. All commands share the file: what is not of the command at hand is checked for its name
 * alone. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "cli/options.h"

#define CONFIG_LINE_MAX 8192 /* bytes, with room for a path in the longest form */
#define CONFIG_LINES_MAX 4096

/* Returns 0, ERR_ARGUMENT for what stands in it, or ERR_NOT_FOUND / ERR_SYSTEM with a message. */
MUST_CHECK int config_file_read(struct options *options, const char *path, char *message);
/* shoal/config in the configuration directory; none is no error. */
MUST_CHECK int config_file_read_default(struct options *options, char *message);

#endif
