#include "cli/peerkey.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/keyfile.h"
#include "cli/xdg.h"
#include "core/base/err.h"

/* The file, read or made. */
static int key_load(const char *path, struct random *random, struct sign_key *ret, char *message) {
    struct keyfile key;
    int err = keyfile_read(path, KEYFILE_OF_PEER, &key, message);
    if (err == ERR_NOT_FOUND) {
        keyfile_generate(&key, false, random);
        err = keyfile_write(path, KEYFILE_OF_PEER, &key, message);
        /* Another program was quicker: then its key counts. */
        if (err == ERR_EXISTS) err = keyfile_read(path, KEYFILE_OF_PEER, &key, message);
    }
    if (!err) *ret = key.sign;
    keyfile_erase(&key);
    return err;
}

static int path_make(const char *role, char *ret, char *message) {
    char name[32];
    snprintf(name, sizeof name, "%s.key", role);
    int err = xdg_path(XDG_STATE, name, ret);
    if (err) {
        snprintf(message, KEYFILE_MESSAGE_MAX, "no state directory for %s", name);
        return err;
    }
    err = xdg_make_folders(ret);
    if (err)
        snprintf(message, KEYFILE_MESSAGE_MAX, "%.300s: cannot make its folder: %s", ret,
                 strerror(errno));
    return err;
}

static int key_lock(const char *path, int *ret, char *message) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret = fd;
        return 0;
    }
    bool is_held = fd >= 0 && errno == EWOULDBLOCK;
    snprintf(message, KEYFILE_MESSAGE_MAX, "%.300s: %s", path,
             is_held ? "in use by another shoal; this one takes a new peer id" : strerror(errno));
    if (fd >= 0) close(fd);
    return is_held ? ERR_STATE : ERR_SYSTEM;
}

void peerkey_fresh(struct peerkey *ret, struct random *random) {
    *ret = (struct peerkey){.lock = -1};
    sign_key_generate(&ret->sign, random);
}

void peerkey_take(struct peerkey *ret, const char *role, struct random *random, char *message) {
    char path[PATH_MAX];
    struct peerkey key = {.lock = -1};
    int err = path_make(role, path, message);
    if (!err) err = key_load(path, random, &key.sign, message);
    if (!err) err = key_lock(path, &key.lock, message);
    if (err) {
        peerkey_fresh(ret, random);
    } else {
        message[0] = '\0';
        key.is_kept = true;
        *ret = key;
    }
    sign_key_erase(&key.sign);
}

void peerkey_release(struct peerkey *key) {
    if (key == NULL) return;
    sign_key_erase(&key->sign);
    if (key->is_kept) close(key->lock);
    key->lock = -1;
    key->is_kept = false;
}
