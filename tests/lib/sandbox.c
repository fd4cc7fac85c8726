#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/err.h"
#include "tests/lib/process.h"

#define SANDBOXES_MAX 32
#define OPEN_FOLDERS_MAX 16

static char made[SANDBOXES_MAX][PATH_MAX];
static pid_t maker; /* a forked child must not remove its parent's */

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void all_remove(void) {
    if (getpid() != maker) return;
    for (size_t i = 0; i < SANDBOXES_MAX; i++)
        if (made[i][0] != '\0') nftw(made[i], entry_remove, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
}

int sandbox_make(struct sandbox *ret) {
    static bool is_registered;
    size_t i = 0;
    while (i < SANDBOXES_MAX && made[i][0] != '\0') i++;
    if (i == SANDBOXES_MAX) return ERR_SYSTEM;
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/') parent = "/tmp";
    int len = snprintf(ret->path, sizeof ret->path, "%s/shoal-test.XXXXXX", parent);
    if (len >= PATH_MAX || mkdtemp(ret->path) == NULL) return ERR_SYSTEM;
    maker = getpid();
    if (!is_registered && atexit(all_remove) != 0) return ERR_SYSTEM;
    is_registered = true;
    memcpy(made[i], ret->path, (size_t)len + 1);
    return 0;
}

void sandbox_remove(struct sandbox *sandbox) {
    for (size_t i = 0; i < SANDBOXES_MAX; i++) {
        if (sandbox->path[0] == '\0' || strcmp(made[i], sandbox->path) != 0) continue;
        nftw(made[i], entry_remove, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
        made[i][0] = '\0';
    }
    sandbox->path[0] = '\0';
}

const char *sandbox_file(const struct sandbox *sandbox, const char *name, char *ret) {
    if (snprintf(ret, PATH_MAX, "%s/%s", sandbox->path, name) >= PATH_MAX) abort();
    return ret;
}
