/* The two files that the program reads as text: a config file and a key file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config_file.h"
#include "cli/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void config_try(const char *path) {
    static struct options options;
    char message[OPTIONS_MESSAGE_MAX] = "";
    memset(&options, 0, sizeof options);
    options.command = &command_table[COMMAND_broadcast];
    int err = config_file_read(&options, path, message);
    if (err && strlen(message) < strlen(path)) abort(); /* an error names the file */
    options_release(&options);
}

static void key_try(const char *path) {
    char message[KEYFILE_MESSAGE_MAX] = "";
    struct keyfile key;
    int err = keyfile_read(path, KEYFILE_OF_CHANNEL, &key, message);
    if (err && strlen(message) < strlen(path)) abort();
    if (!err && !public_key_is_valid(&key.sign.public)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("input", MFD_CLOEXEC);
        if (file < 0 || fchmod(file, 0600) != 0 || random_start() != 0) abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, data, len, 0) != (ssize_t)len) abort();
    config_try(path);
    key_try(path);
    return 0;
}
