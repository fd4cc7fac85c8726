#include <limits.h>
#include <stdio.h>

#include "cli/keyfile.h"
#include "cli/link_line.h"
#include "cli/options.h"
#include "core/base/err.h"

int cmd_link(const struct options *options) {
    char path[PATH_MAX], message[KEYFILE_MESSAGE_MAX];
    struct keyfile key;
    int err =
        keyfile_path(options->arguments_len > 0 ? options->arguments[0] : NULL, path, message);
    if (!err) err = keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message);
    if (!err) {
        err = link_line_print(stdout, &key, &options->peer, options->name);
        if (err) snprintf(message, sizeof message, "cannot print the link: %s", err_text(err));
        keyfile_erase(&key);
    }
    if (err) fprintf(stderr, "shoal: %s\n", message);
    return err ? EXIT_FAILED : EXIT_DONE;
}
