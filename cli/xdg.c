#include "cli/xdg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/err.h"

static const struct {
    const char *variable;
    const char *below_home;
} places[] = {
    [XDG_DATA] = {"XDG_DATA_HOME", ".local/share"},
    [XDG_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
    [XDG_STATE] = {"XDG_STATE_HOME", ".local/state"},
};

int xdg_path(enum xdg_place place, const char *name, char *ret) {
    const char *base = getenv(places[place].variable);
    const char *home = getenv("HOME");
    int len;
    if (base != NULL && base[0] == '/')
        len = snprintf(ret, PATH_MAX, "%s/shoal/%s", base, name);
    else if (home != NULL && home[0] == '/')
        len = snprintf(ret, PATH_MAX, "%s/%s/shoal/%s", home, places[place].below_home, name);
    else
        return ERR_NOT_FOUND;
    return len < PATH_MAX ? 0 : ERR_RANGE;
}

int xdg_make_folders(const char *path) {
    char folder[PATH_MAX];
    int len = snprintf(folder, sizeof folder, "%s", path);
    if (len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return ERR_SYSTEM;
    }
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) return ERR_SYSTEM;
        *slash = '/';
    }
    return 0;
}
