#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/keyfile.h"
#include "cli/link_line.h"
#include "cli/options.h"
#include "cli/xdg.h"
#include "core/base/err.h"

/* The default folder is made; one that the user names must be there. */
static int place_make(const char *argument, char *path, char *message) {
    int err = keyfile_path(argument, path, message);
    if (!err && argument == NULL) {
        err = xdg_make_folders(path);
        if (err)
            snprintf(message, KEYFILE_MESSAGE_MAX, "%.300s: cannot make its folder: %s", path,
                     strerror(errno));
    }
    return err;
}

int cmd_keygen(const struct options *options) {
    char path[PATH_MAX], message[KEYFILE_MESSAGE_MAX];
    struct keyfile key;
    int err = place_make(options->arguments_len > 0 ? options->arguments[0] : NULL, path, message);
    if (!err) {
        struct random random = random_from_system();
        keyfile_generate(&key, options->is_private, &random);
        secret_erase(&random, sizeof random);
        err = keyfile_write(path, KEYFILE_OF_CHANNEL, &key, message);
        if (!err) {
            fprintf(stderr, "wrote %s: keep it secret, and keep a copy\n", path);
            err = link_line_print(stdout, &key, &options->peer, options->name);
            if (err) snprintf(message, sizeof message, "cannot print the link: %s", err_text(err));
        }
        keyfile_erase(&key);
    }
    if (err) fprintf(stderr, "shoal: %s\n", message);
    return err ? EXIT_FAILED : EXIT_DONE;
}
