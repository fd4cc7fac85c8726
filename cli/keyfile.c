#include "cli/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/xdg.h"
#include "core/base/err.h"
#include "core/proto/base32.h"

#define KEYFILE_VERSION 1
#define TITLE_START "shoal "
#define SEED_TEXT BASE32_LEN(SIGN_SEED_BYTES)
#define TEMPORARY_SUFFIX ".XXXXXX"

static const char *const kind_names[] = {
    [KEYFILE_OF_CHANNEL] = "channel",
    [KEYFILE_OF_PEER] = "peer",
};

PRINTF_LIKE(4, 5)
static int fail(char *message, int err, const char *path, const char *format, ...) {
    va_list args;
    int len = snprintf(message, KEYFILE_MESSAGE_MAX, "%.300s: ", path);
    va_start(args, format);
    vsnprintf(message + len, KEYFILE_MESSAGE_MAX - (size_t)len, format, args);
    va_end(args);
    return err;
}

void keyfile_generate(struct keyfile *ret, bool is_private, struct random *random) {
    memset(ret, 0, sizeof *ret);
    sign_key_generate(&ret->sign, random);
    ret->has_read_key = is_private;
    if (is_private) read_key_generate(&ret->read_key, random);
}

void keyfile_erase(struct keyfile *key) { secret_erase(key, sizeof *key); }

void keyfile_link(const struct keyfile *key, struct channel_link *ret) {
    memset(ret, 0, sizeof *ret);
    ret->channel = key->sign.public;
    ret->has_read_key = key->has_read_key;
    ret->read_key = key->read_key;
}

/* Writing. */

static size_t line_format(char *ret, const char *name, const uint8_t bytes[32]) {
    size_t len = strlen(name);
    memcpy(ret, name, len);
    ret[len++] = ' ';
    base32_write(bytes, 32, ret + len);
    len += BASE32_LEN(32);
    ret[len++] = '\n';
    return len;
}

static size_t text_format(char *ret, enum keyfile_kind kind, const struct keyfile *key) {
    uint8_t seed[SIGN_SEED_BYTES];
    size_t len =
        (size_t)snprintf(ret, KEYFILE_SIZE_MAX,
                         TITLE_START "%s key %d\n"
                                     "# Secret: whoever has this file can take the %s's place.\n",
                         kind_names[kind], KEYFILE_VERSION, kind_names[kind]);
    sign_key_seed(&key->sign, seed);
    len += line_format(ret + len, "seed", seed);
    len += line_format(ret + len, "public", key->sign.public.bytes);
    if (key->has_read_key) len += line_format(ret + len, "read", key->read_key.bytes);
    secret_erase(seed, sizeof seed);
    return len;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ERR_SYSTEM;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The new name must survive a power cut too. */
static int folder_sync(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        strcpy(folder, ".");
    else
        slash[slash == folder] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ERR_SYSTEM;
    int err = fsync(fd) == 0 ? 0 : ERR_SYSTEM;
    close(fd);
    return err;
}

/* link(2) refuses where the name is taken, so no two writers and no old key are ever overwritten.
 */
static int file_place(int fd, const char *temporary, const char *path, const char *text,
                      size_t len) {
    int err = write_all(fd, text, len);
    if (!err && fsync(fd) != 0) err = ERR_SYSTEM;
    if (!err && link(temporary, path) != 0) err = errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM;
    if (!err) err = folder_sync(path);
    return err;
}

int keyfile_write(const char *path, enum keyfile_kind kind, const struct keyfile *key,
                  char *message) {
    char temporary[PATH_MAX], text[KEYFILE_SIZE_MAX];
    if (snprintf(temporary, sizeof temporary, "%s" TEMPORARY_SUFFIX, path) >= PATH_MAX)
        return fail(message, ERR_RANGE, path, "the path is too long");
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) return fail(message, ERR_SYSTEM, path, "cannot be written: %s", strerror(errno));
    size_t len = text_format(text, kind, key);
    int err = file_place(fd, temporary, path, text, len);
    int saved = errno;
    unlink(temporary);
    close(fd);
    secret_erase(text, sizeof text);
    if (err == ERR_EXISTS)
        return fail(message, err, path, "exists already, and a key is never written over");
    if (err) return fail(message, err, path, "cannot be written: %s", strerror(saved));
    return 0;
}

/* Reading. */

static int file_check(const struct stat *st, const char *path, char *message) {
    if (!S_ISREG(st->st_mode))
        return fail(message, ERR_FORMAT, path, "not a file; expected a key file");
    if (st->st_size >= KEYFILE_SIZE_MAX)
        return fail(message, ERR_FORMAT, path, "not a key file: it is too large");
    return 0;
}

static int permissions_check(const struct stat *st, const char *path, char *message) {
    if ((st->st_mode & 077) != 0)
        return fail(message, ERR_PERMISSION, path,
                    "others can read this secret key (mode %04o): chmod 600 %.200s",
                    (unsigned)st->st_mode & 07777, path);
    if (geteuid() != 0 && st->st_uid != geteuid())
        return fail(message, ERR_PERMISSION, path, "belongs to another user");
    return 0;
}

static int open_refused(const char *path, char *message) {
    if (errno == ENOENT)
        return fail(message, ERR_NOT_FOUND, path, "no such key file; 'shoal keygen' makes one");
    int err = errno == EACCES ? ERR_PERMISSION : ERR_SYSTEM;
    return fail(message, err, path, "cannot be read: %s", strerror(errno));
}

/* The permissions come last: nobody is told to change those of a file that is no key. */
static int file_load(const char *path, char *ret, char *message) {
    struct stat st;
    size_t len = 0;
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return open_refused(path, message);
    int err = fstat(fd, &st) == 0 ? 0 : fail(message, ERR_SYSTEM, path, "%s", strerror(errno));
    if (!err) err = file_check(&st, path, message);
    if (!err) {
        ssize_t n = read(fd, ret, KEYFILE_SIZE_MAX - 1);
        if (n < 0) err = fail(message, ERR_SYSTEM, path, "cannot be read: %s", strerror(errno));
        if (n > 0) len = (size_t)n;
    }
    close(fd);
    ret[len] = '\0';
    bool is_ours = strlen(ret) == len && strncmp(ret, TITLE_START, strlen(TITLE_START)) == 0;
    if (!err && !is_ours)
        err = fail(message, ERR_FORMAT, path, "not a key file, as 'shoal keygen' makes one");
    return err ? err : permissions_check(&st, path, message);
}

/* The first line: what kind of key, and the version. */
static int title_check(const char *line, enum keyfile_kind kind, const char *path, char *message) {
    char expected[40];
    int len = snprintf(expected, sizeof expected, TITLE_START "%s key ", kind_names[kind]);
    if (strncmp(line, expected, (size_t)len) != 0)
        return fail(message, ERR_FORMAT, path, "not the key file of a %s", kind_names[kind]);
    char *end;
    unsigned long version = strtoul(line + len, &end, 10);
    if (end == line + len || *end != '\0')
        return fail(message, ERR_FORMAT, path,
                    "its first line is damaged; take a copy of the file");
    if (version != KEYFILE_VERSION)
        return fail(message, ERR_VERSION, path, "version %lu; this program reads version %d",
                    version, KEYFILE_VERSION);
    return 0;
}

enum part {
    PART_SEED,
    PART_PUBLIC,
    PART_READ,
    PARTS,
};

/* "seed BASE32" and so on; each at most once. */
static int part_take(const char *line, uint8_t parts[PARTS][32], bool has[PARTS]) {
    static const char *const names[PARTS] = {"seed ", "public ", "read "};
    for (size_t i = 0; i < PARTS; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(line, names[i], len) != 0) continue;
        if (has[i] || strlen(line + len) != SEED_TEXT) return ERR_FORMAT;
        has[i] = true;
        return base32_read(line + len, parts[i], 32);
    }
    return ERR_FORMAT;
}

static int parts_check(uint8_t parts[PARTS][32], const bool has[PARTS], struct keyfile *ret) {
    if (!has[PART_SEED] || !has[PART_PUBLIC]) return ERR_FORMAT;
    struct keyfile key;
    memset(&key, 0, sizeof key);
    sign_key_from_seed(&key.sign, parts[PART_SEED]);
    key.has_read_key = has[PART_READ];
    memcpy(key.read_key.bytes, parts[PART_READ], READ_KEY_BYTES);
    bool fits = memcmp(key.sign.public.bytes, parts[PART_PUBLIC], PUBLIC_KEY_BYTES) == 0;
    if (fits) *ret = key;
    keyfile_erase(&key);
    return fits ? 0 : ERR_CHECKSUM;
}

static int text_parse(char *text, enum keyfile_kind kind, const char *path, struct keyfile *ret,
                      char *message) {
    uint8_t parts[PARTS][32] = {{0}};
    bool has[PARTS] = {false};
    char *rest = text;
    char *line = strsep(&rest, "\n");
    int err = title_check(line, kind, path, message);
    if (err) return err;
    for (unsigned number = 2; !err && (line = strsep(&rest, "\n")) != NULL; number++) {
        if (line[0] == '\0' || line[0] == '#') continue;
        err = part_take(line, parts, has);
        if (err) fail(message, err, path, "line %u is damaged; take a copy of the file", number);
    }
    if (!err) {
        err = parts_check(parts, has, ret);
        if (err == ERR_CHECKSUM)
            err = fail(message, ERR_FORMAT, path, "damaged: the public key is not the seed's");
        else if (err)
            fail(message, err, path, "damaged: seed or public key is missing");
    }
    secret_erase(parts, sizeof parts);
    return err;
}

int keyfile_read(const char *path, enum keyfile_kind kind, struct keyfile *ret, char *message) {
    char text[KEYFILE_SIZE_MAX];
    int err = file_load(path, text, message);
    if (!err) err = text_parse(text, kind, path, ret, message);
    secret_erase(text, sizeof text);
    return err;
}

int keyfile_path(const char *argument, char *ret, char *message) {
    int err;
    if (argument != NULL)
        err = snprintf(ret, PATH_MAX, "%s", argument) < PATH_MAX ? 0 : ERR_RANGE;
    else
        err = xdg_path(XDG_DATA, KEYFILE_CHANNEL, ret);
    if (err == ERR_NOT_FOUND)
        return fail(message, err, KEYFILE_CHANNEL, "neither XDG_DATA_HOME nor HOME says where");
    if (err) return fail(message, err, argument ? argument : ret, "the path is too long");
    return 0;
}
