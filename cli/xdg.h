/* xdg.h - where the program's files stand (XDG Base Directory Specification 0.8): one folder
 * "shoal" in each of the directories for data, configuration and state. A variable that is empty or
 * not an absolute path counts as not set, as the specification says. */
#ifndef XDG_H
#define XDG_H

#include "core/base/base.h"

enum xdg_place {
    XDG_DATA,   /* $XDG_DATA_HOME, ~/.local/share: keys of channels */
    XDG_CONFIG, /* $XDG_CONFIG_HOME, ~/.config */
    XDG_STATE,  /* $XDG_STATE_HOME, ~/.local/state: peer ids, remembered peers */
};

/* The path of `name` in the program's folder; `ret` takes PATH_MAX bytes. Nothing is made. Returns
 * 0, ERR_NOT_FOUND where neither the variable nor $HOME is set, or ERR_RANGE for a path too long.
 */
MUST_CHECK int xdg_path(enum xdg_place place, const char *name, char *ret);
/* Makes the folders above `path`, readable by the user alone. Returns 0 or ERR_SYSTEM (errno). */
MUST_CHECK int xdg_make_folders(const char *path);

#endif
